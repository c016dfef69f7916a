// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hist.h"
#include "base/hist_json.h"
#include "base/log.h"
#include "bench/sample/bottleneck.h"
#include "bench/sample/measure.h"

static double number(const json_t *obj, const char *name)
{
	return json_number_value(json_object_get(obj, name));
}

static void metric_put(json_t *metrics, const char *name, double v)
{
	json_object_set_new(metrics, name, json_real(v));
}

void measure_check(json_t *sample, const char *name, bool ok, const char *detail)
{
	json_array_append_new(json_object_get(sample, "checks"),
			      json_pack("{s:s, s:b, s:s}", "name", name, "ok", ok, "detail", detail));
}

/* The guest counts its window on its own clock; the probes saw the same two marker writes. */
static double window_ns(const struct observed *o)
{
	json_t *w = json_object_get(o->probes, "window");
	double open = number(w, "open_ns"), close = number(w, "close_ns");

	if (o->whole_boot)
		return (double)o->boot_ns;
	if (close > open)
		return close - open;
	if (o->stats && o->stats->close_ns > o->stats->open_ns)
		return (double)(o->stats->close_ns - o->stats->open_ns);
	return number(o->agent, "window_ns");
}

/* ---- exits ---- */

static const char *row_key(const json_t *row, char *buf, size_t size)
{
	const char *key = json_string_value(json_object_get(row, "key"));

	snprintf(buf, size, "%s|%s", json_string_value(json_object_get(row, "reason")), key ? key : "");
	return buf;
}

/* What adds up in a row of exits; the rest (percentiles) comes from the histogram. */
static const char *const exit_sums[] = {"count",   "total_ns",   "guest_ns",   "kvm_fast_ns", "kvm_ns",
					"user_ns", "fast_count", "user_count", "untraced"};

/* The probes have a row per vCPU and a run one per sample; what is wanted has one per reason and key. */
static void merge_exit(json_t *merged, const json_t *row)
{
	char id[256];
	json_t *into = json_object_get(merged, row_key(row, id, sizeof(id)));
	static struct hist a, b;

	if (!into) {
		json_object_set_new(merged, id, json_deep_copy(row));
		json_object_del(json_object_get(merged, id), "vcpu");
		json_object_del(json_object_get(merged, id), "tid");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(exit_sums); i++)
		if (json_object_get(into, exit_sums[i]))
			json_object_set_new(into, exit_sums[i],
					    json_integer((json_int_t)(number(into, exit_sums[i]) +
								      number(row, exit_sums[i]))));
	if (!hist_from_json(json_object_get(into, "hist"), &a) &&
	    !hist_from_json(json_object_get(row, "hist"), &b)) {
		hist_merge(&a, &b);
		json_object_set_new(into, "hist", hist_to_json(&a));
	}
}

json_t *measure_merge_exits(const json_t *rows)
{
	json_t *merged = json_object(), *out = json_array(), *row;
	const char *id;
	size_t i;

	json_array_foreach((json_t *)rows, i, row)
		merge_exit(merged, row);
	json_object_foreach(merged, id, row) {
		json_t *hist = json_object_get(row, "hist");

		json_object_set(row, "p50_ns", json_object_get(hist, "p50"));
		json_object_set(row, "p99_ns", json_object_get(hist, "p99"));
		json_array_append(out, row);
	}
	json_decref(merged);
	return out;
}

void measure_exits_per_sample(json_t *rows, size_t samples)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		for (size_t k = 0; k < ARRAY_SIZE(exit_sums); k++)
			if (json_object_get(row, exit_sums[k]))
				json_object_set_new(row, exit_sums[k],
						    json_real(number(row, exit_sums[k]) / (double)samples));
}

/* ---- metrics ---- */

static void per_unit(json_t *m, const char *name, double n, double units)
{
	if (units > 0)
		metric_put(m, name, n / units);
}

static void exit_metrics(const struct observed *o, json_t *m, double packets, double ns)
{
	json_t *totals = json_object_get(o->probes, "totals"), *notify = json_object_get(o->probes, "notify");
	double exits = number(totals, "exits"), user = number(totals, "userspace_exits");
	double kicks = number(notify, "kicks_ioeventfd") + number(notify, "kicks_userspace");
	/* Some kernels hide them: no number then. */
	bool kicks_seen = json_object_get(notify, "kicks_ioeventfd");

	if (!totals)
		return;
	metric_put(m, "exits", exits);
	metric_put(m, "userspace_exits", user);
	if (kicks_seen)
		metric_put(m, "kicks", kicks);
	if (o->whole_boot)
		metric_put(m, "boot_exits", exits);
	if (ns > 0)
		metric_put(m, "exits_per_s", exits / (ns / 1e9));
	per_unit(m, "exits_per_packet", exits, packets);
	per_unit(m, "exits_per_op", exits, number(o->agent, "ops"));
	per_unit(m, "userspace_exits_per_packet", user, packets);
	if (kicks_seen)
		per_unit(m, "kicks_per_packet", kicks, packets);
	if (notify)
		per_unit(m, "interrupts_per_packet", number(notify, "injected"), packets);
	if (kicks_seen && kicks > 0 && number(o->agent, "packets") > 0)
		metric_put(m, "batch_packets", number(o->agent, "packets") / kicks);
}

static void cpu_metrics(const struct observed *o, json_t *m, double packets, double ns)
{
	json_t *threads = json_object_get(o->probes, "threads"), *t;
	double cpu = 0, guest = 0;
	bool split = false; /* some back ends do not tell guest from host */
	size_t i;

	/* Mode host: the agent says what it took itself. */
	if (json_object_get(o->agent, "cpu_pct"))
		per_unit(m, "cpu_ns_per_packet", number(o->agent, "cpu_pct") / 100 * ns, packets);
	if (!json_array_size(threads) || ns <= 0)
		return;
	json_array_foreach(threads, i, t) {
		if (!strcmp(json_string_value(json_object_get(t, "role")), "peer"))
			continue; /* the other end of the wire serves nobody here */
		cpu += number(t, "cpu_ns");
		guest += number(t, "guest_ns");
		split |= json_object_get(t, "guest_ns") != NULL;
	}
	metric_put(m, "cpu_pct", 100 * cpu / ns);
	if (split) {
		metric_put(m, "cpu_host_pct", 100 * (cpu - guest) / ns);
		metric_put(m, "cpu_guest_pct", 100 * guest / ns);
	}
	per_unit(m, "cpu_ns_per_packet", cpu, packets);
}

/* What our own VMM counted per queue in the window. */
static void queue_metrics(const struct observed *o, json_t *m)
{
	double sum[5] = {0};

	if (!o->stats || !o->stats->n_queues)
		return;
	for (uint32_t i = 0; i < MIN(o->stats->n_queues, STATS_QUEUES); i++) {
		const struct stats_queue *a = &o->stats->at_open.queue[i], *b = &o->stats->at_close.queue[i];

		sum[0] += (double)(b->kicks - a->kicks);
		sum[1] += (double)(b->spurious_kicks - a->spurious_kicks);
		sum[2] += (double)(b->interrupts - a->interrupts);
		sum[3] += (double)(b->suppressed - a->suppressed);
		sum[4] += (double)(b->bad - a->bad);
	}
	metric_put(m, "vmm_kicks", sum[0]);
	metric_put(m, "vmm_spurious_kicks", sum[1]);
	metric_put(m, "vmm_interrupts", sum[2]);
	metric_put(m, "vmm_suppressed", sum[3]);
	metric_put(m, "vmm_bad", sum[4]);
}

/* ---- checks ---- */

static bool check_lost(const struct observed *o, json_t *sample)
{
	double lost = number(o->probes, "lost");
	char detail[64];

	if (!o->probes)
		return true;
	snprintf(detail, sizeof(detail), "%.0f events lost", lost);
	measure_check(sample, "lost_events", lost == 0, detail);
	return lost == 0;
}

int measure_sample(const struct observed *o, json_t *sample, char **why)
{
	json_t *m = json_object(), *bottleneck;
	double packets = number(o->agent, "wire_packets"), ns = window_ns(o);
	bool lost_ok, cross_ok;

	json_object_set_new(sample, "checks", json_array());
	json_object_update(m, o->agent);
	if (o->boot_ns)
		metric_put(m, "boot_ns", (double)o->boot_ns);
	/*
	 * TCP: one unit for devices that take 64 KiB at once and those that take frames; see
	 * workloads/agent/stream.h.
	 */
	packets = packets > 0 ? packets : number(o->agent, "packets");
	exit_metrics(o, m, packets, ns);
	cpu_metrics(o, m, packets, ns);
	queue_metrics(o, m);
	if (json_object_get(o->probes, "overhead_ns") && ns > 0)
		metric_put(m, "overhead_pct", 100 * number(o->probes, "overhead_ns") / ns);
	json_object_set_new(sample, "exits", measure_merge_exits(json_object_get(o->probes, "exits")));
	json_object_set(sample, "threads", json_object_get(o->probes, "threads"));
	json_object_set(sample, "hists", o->hists);
	bottleneck = bottleneck_of(json_object_get(o->probes, "threads"), ns,
				   (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
	if (bottleneck)
		json_object_set_new(sample, "bottleneck", bottleneck);
	lost_ok = check_lost(o, sample);
	cross_ok = measure_cross_check(o, sample);
	if (!lost_ok || !cross_ok) {
		*why = xasprintf("check %s failed: see .samples[].checks",
				 lost_ok ? "cross_check" : "lost_events");
		json_decref(m);
		return -EIO;
	}
	json_object_set_new(sample, "metrics", m);
	return 0;
}
