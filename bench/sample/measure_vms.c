// SPDX-License-Identifier: MIT
/* One sample of several VMs: what each measured, joined. */
#include <string.h>

#include "base/hist.h"
#include "base/hist_json.h"
#include "bench/sample/measure.h"

/* A sum of these over VMs would mean nothing. */
static bool is_mean(const char *metric)
{
	static const char *const ends[] = {"_ns",     "_per_packet",  "_per_op",      "_cycles",
					   "_bytes",  "overhead_pct", "loss_pct", "batch_packets"};
	size_t len = strlen(metric);

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (len >= strlen(ends[i]) && !strcmp(metric + len - strlen(ends[i]), ends[i]))
			return true;
	return false;
}

/* Every VM did the same job, so all have the same metrics. */
static json_t *join_metrics(json_t *const *vm, unsigned n)
{
	json_t *out = json_object(), *v;
	const char *name;

	json_object_foreach(json_object_get(vm[0], "metrics"), name, v) {
		double sum = 0;

		for (unsigned i = 0; i < n; i++)
			sum += json_number_value(json_object_get(json_object_get(vm[i], "metrics"), name));
		json_object_set_new(out, name, json_real(is_mean(name) ? sum / n : sum));
	}
	return out;
}

static void join_hists(json_t *into, const json_t *from)
{
	static struct hist a, b;
	const char *name;
	json_t *h;

	json_object_foreach((json_t *)from, name, h) {
		if (hist_from_json(json_object_get(into, name), &a) || hist_from_json(h, &b))
			continue;
		hist_merge(&a, &b);
		json_object_set_new(into, name, hist_to_json(&a));
	}
}

static void add_threads(json_t *into, const json_t *from, unsigned vm)
{
	json_t *t;
	size_t i;

	json_array_foreach((json_t *)from, i, t) {
		json_object_set_new(t, "vm", json_integer(vm));
		json_array_append(into, t);
	}
}

void measure_join_vms(json_t *const *vm, unsigned n)
{
	json_t *rows = json_array(), *threads = json_array(), *each = json_array(), *metrics;

	for (unsigned i = 0; i < n; i++) {
		json_array_extend(rows, json_object_get(vm[i], "exits"));
		add_threads(threads, json_object_get(vm[i], "threads"), i);
		json_array_append_new(each, json_pack("{s:O}", "metrics", json_object_get(vm[i], "metrics")));
		if (!i)
			continue;
		join_hists(json_object_get(vm[0], "hists"), json_object_get(vm[i], "hists"));
		json_array_extend(json_object_get(vm[0], "checks"), json_object_get(vm[i], "checks"));
	}
	metrics = join_metrics(vm, n);
	json_object_set_new(vm[0], "metrics", metrics);
	json_object_set_new(vm[0], "exits", measure_merge_exits(rows));
	json_object_set_new(vm[0], "threads", threads);
	json_object_set_new(vm[0], "vms", each);
	json_decref(rows);
}
