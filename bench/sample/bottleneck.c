// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "bench/sample/bottleneck.h"
#include "results/record.h"

static json_t *verdict(const char *role, const char *name, double busy_pct)
{
	const struct record_bottleneck b = {.role = role,
					    .name = name,
					    .busy_pct = busy_pct,
					    .saturated = busy_pct >= BOTTLENECK_BUSY_PCT};

	return members_write(&bottleneck_members, &b);
}

json_t *bottleneck_of(const json_t *threads, double ns, unsigned cpus)
{
	struct record_thread busiest, t;
	double all = 0;

	if (!record_thread(threads, 0, &busiest) || ns <= 0)
		return NULL;
	for (size_t i = 0; record_thread(threads, i, &t); i++) {
		all += t.cpu_ns;
		if (t.cpu_ns > busiest.cpu_ns)
			busiest = t;
	}
	all = 100 * all / (ns * cpus);
	if (cpus > 1 && all >= BOTTLENECK_BUSY_PCT)
		return verdict("all CPUs", "", all);
	return verdict(busiest.role, busiest.name, 100 * busiest.cpu_ns / ns);
}

static int by_busy(const void *a, const void *b)
{
	double x = ((const struct record_bottleneck *)a)->busy_pct;
	double y = ((const struct record_bottleneck *)b)->busy_pct;

	return (x > y) - (x < y);
}

bool bottleneck_text(const json_t *samples, struct strbuf *out)
{
	struct record_bottleneck *v = xcalloc(json_array_size(samples) + 1, sizeof(*v)), *mid;
	struct record_sample s;
	size_t n = 0;

	for (size_t i = 0; record_sample(samples, i, &s); i++)
		if (s.bottleneck)
			v[n++] = record_bottleneck_of(&s);
	if (n) {
		qsort(v, n, sizeof(*v), by_busy);
		mid = &v[(n - 1) / 2];
		strbuf_addf(out, "%s%s %.0f %%%s", text_if(!mid->saturated, "none (busiest: "), mid->role,
			    mid->busy_pct, text_if(!mid->saturated, ")"));
	}
	free(v);
	return n;
}
