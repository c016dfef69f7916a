// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "bench/sample/bottleneck.h"

static double number(const json_t *j, const char *name)
{
	return json_number_value(json_object_get(j, name));
}

json_t *bottleneck_of(const json_t *threads, double ns, unsigned cpus)
{
	const json_t *busiest = NULL, *t;
	double pct, all = 0;
	size_t i;

	json_array_foreach((json_t *)threads, i, t) {
		all += number(t, "cpu_ns");
		if (!busiest || number(t, "cpu_ns") > number(busiest, "cpu_ns"))
			busiest = t;
	}
	if (!busiest || ns <= 0)
		return NULL;
	all = 100 * all / (ns * cpus);
	if (cpus > 1 && all >= BOTTLENECK_BUSY_PCT)
		return json_pack("{s:s,s:s,s:f,s:b}", "role", "all CPUs", "name", "", "busy_pct",
				 all, "saturated", 1);
	pct = 100 * number(busiest, "cpu_ns") / ns;
	return json_pack("{s:O,s:O,s:f,s:b}", "role", json_object_get(busiest, "role"), "name",
			 json_object_get(busiest, "name"), "busy_pct", pct, "saturated",
			 pct >= BOTTLENECK_BUSY_PCT);
}

static int by_busy(const void *a, const void *b)
{
	double x = number(*(const json_t *const *)a, "busy_pct"),
	       y = number(*(const json_t *const *)b, "busy_pct");

	return (x > y) - (x < y);
}

bool bottleneck_text(const json_t *samples, struct strbuf *out)
{
	const json_t **v = xcalloc(json_array_size(samples) + 1, sizeof(*v)), *s, *mid;
	size_t n = 0, i;

	json_array_foreach((json_t *)samples, i, s) {
		v[n] = json_object_get(s, "bottleneck");
		n += json_is_object(v[n]);
	}
	if (n) {
		qsort(v, n, sizeof(*v), by_busy);
		mid = v[(n - 1) / 2];
		strbuf_addf(out,
			    json_is_true(json_object_get(mid, "saturated"))
				    ? "%s %.0f %%"
				    : "none (busiest: %s %.0f %%)",
			    json_string_value(json_object_get(mid, "role")),
			    number(mid, "busy_pct"));
	}
	free(v);
	return n;
}
