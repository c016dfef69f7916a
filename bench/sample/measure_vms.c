// SPDX-License-Identifier: MIT
/* One sample of several VMs: what each measured, joined. */
#include <string.h>

#include "bench/sample/measure.h"

/* Metrics that are averaged: a sum of them over VMs would mean nothing. */
static bool is_mean(const char *metric)
{
	static const char *const ends[] = {"_ns",	    "_per_packet", "_per_op",	   "_per_io",
					   "_cycles",	    "_bytes",	   "overhead_pct", "loss_pct",
					   "batch_packets", "batch_ios",   "queue_depth"};
	size_t len = strlen(metric);

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (len >= strlen(ends[i]) && !strcmp(metric + len - strlen(ends[i]), ends[i]))
			return true;
	return false;
}

/* Every VM did the same job, so all have the same metrics. */
static json_t *join_metrics(const struct record_sample *vm, unsigned n)
{
	json_t *out = json_object(), *v;
	const char *name;

	json_object_foreach(vm[0].metrics, name, v) {
		double sum = 0;

		for (unsigned i = 0; i < n; i++)
			sum += json_number_value(json_object_get(vm[i].metrics, name));
		if (is_mean(name))
			sum /= n;
		json_object_set_new(out, name, json_real(sum));
	}
	return out;
}

static void join_hists(json_t *into, json_t *from)
{
	static struct hist a, b;
	const char *name;
	json_t *h;

	json_object_foreach(from, name, h) {
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

	json_array_foreach(from, i, t) {
		json_object_set_new(t, MEMBER_KEY(struct record_thread, vm), json_integer(vm));
		json_array_append(into, t);
	}
}

static void replace(json_t **old, json_t *now)
{
	json_decref(*old);
	*old = now;
}

void measure_join_vms(struct record_sample *vm, unsigned n)
{
	json_t *rows = json_array(), *threads = json_array();

	vm[0].vms = json_array();
	for (unsigned i = 0; i < n; i++) {
		struct record_vm each = {.metrics = json_incref(vm[i].metrics)};

		json_array_append_new(vm[0].vms, members_write(&vm_members, &each));
		json_array_extend(rows, vm[i].exits);
		add_threads(threads, vm[i].threads, i);
		if (!i)
			continue;
		join_hists(vm[0].hists, vm[i].hists);
		json_array_extend(vm[0].checks, vm[i].checks);
	}
	replace(&vm[0].metrics, join_metrics(vm, n));
	replace(&vm[0].exits, measure_merge_exits(rows));
	replace(&vm[0].threads, threads);
	json_decref(rows);
}
