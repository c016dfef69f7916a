// SPDX-License-Identifier: MIT
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "bench/sample/bottleneck.h"
#include "bench/sample/measure.h"
#include "probes/data.h"

static double number(const json_t *metrics, const char *name)
{
	return json_number_value(json_object_get(metrics, name));
}

static void metric_put(json_t *metrics, const char *name, double v)
{
	json_object_set_new(metrics, name, json_real(v));
}

/*
 * The guest counts its window on its own clock; the probes saw the same two marker writes. Of a boot they saw
 * the one at its end, which comes before the word that the runner hears.
 */
static double window_ns(const struct observed *o)
{
	struct probed_window w = probed_window_of(o->probes);

	if (o->whole_boot && !w.closed)
		return (double)o->boot_ns;
	if (w.close_ns > w.open_ns)
		return w.close_ns - w.open_ns;
	if (o->stats && o->stats->close_ns > o->stats->open_ns)
		return (double)(o->stats->close_ns - o->stats->open_ns);
	return number(o->agent, "window_ns");
}

/* ---- exits ---- */

/* The members of a row of exits that add up; percentiles come from the merged histogram. */
static const char *const exit_sums[] = {EXIT_SUMS(MEMBER_NAME, )};

#define KEY(name) MEMBER_KEY(struct record_exit, name)

static void set_hist(json_t *row, const struct hist *h)
{
	json_object_set_new(row, KEY(hist), hist_to_json(h));
	json_object_set_new(row, KEY(p50_ns), json_integer((json_int_t)hist_quantile(h, 0.5)));
	json_object_set_new(row, KEY(p99_ns), json_integer((json_int_t)hist_quantile(h, 0.99)));
}

static void add_exit(json_t *into, const json_t *row)
{
	static struct hist a, b;

	for (size_t i = 0; i < ARRAY_SIZE(exit_sums); i++)
		if (json_object_get(into, exit_sums[i]))
			json_object_set_new(into, exit_sums[i],
					    json_integer((json_int_t)(number(into, exit_sums[i]) +
								      number(row, exit_sums[i]))));
	if (hist_from_json(json_object_get(into, KEY(hist)), &a) ||
	    hist_from_json(json_object_get(row, KEY(hist)), &b))
		return;
	hist_merge(&a, &b);
	set_hist(into, &a);
}

/* Members that only the probes' rows have: a merged row has none of them. */
static json_t *copy_exit(json_t *row)
{
	static struct hist h;
	json_t *copy = json_deep_copy(row);

	json_object_del(copy, "vcpu");
	json_object_del(copy, "tid");
	if (!hist_from_json(json_object_get(copy, KEY(hist)), &h))
		set_hist(copy, &h);
	return copy;
}

/* The probes have a row per vCPU and a run one per sample; what is wanted has one per reason and key. */
json_t *measure_merge_exits(const json_t *rows)
{
	json_t *merged = json_object(), *out = json_array(), *row;
	struct record_exit e;
	const char *id;

	for (size_t i = 0; record_exit(rows, i, &e); i++) {
		char name[256];

		row = json_array_get(rows, i);
		snprintf(name, sizeof(name), "%s|%s", e.reason, e.key);
		if (json_object_get(merged, name))
			add_exit(json_object_get(merged, name), row);
		else
			json_object_set_new(merged, name, copy_exit(row));
	}
	json_object_foreach(merged, id, row)
		json_array_append(out, row);
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

/* What a device moves: that which costs are shared among. */
struct unit {
	const char *name;
	double n;
};

/*
 * TCP: one unit for devices that take 64 KiB at once and those that take frames; see
 * workloads/agent/stream.h.
 */
static struct unit unit_moved(const struct observed *o)
{
	double wire = number(o->agent, "wire_packets");

	if (json_object_get(o->agent, "ios"))
		return (struct unit){"io", number(o->agent, "ios")};
	if (wire > 0)
		return (struct unit){"packet", wire};
	return (struct unit){"packet", number(o->agent, "packets")};
}

/* NAME_per_UNIT */
static void metric_per(json_t *m, const char *name, double n, const struct unit *u)
{
	char full[64];

	snprintf(full, sizeof(full), "%s_per_%s", name, u->name);
	per_unit(m, full, n, u->n);
}

/* As the device counts: its packets may be larger than a wire's. Some kernels hide kicks: no number then. */
static void kick_metrics(const struct observed *o, json_t *m, const struct unit *u)
{
	double packets = number(o->agent, "packets"), ios = number(o->agent, "ios");
	struct probed_notify n = probed_notify_of(o->probes);
	double kicks = n.kicks_ioeventfd + n.kicks_userspace;

	if (isnan(kicks))
		return;
	metric_put(m, "kicks", kicks);
	metric_per(m, "kicks", kicks, u);
	if (kicks > 0 && packets > 0)
		metric_put(m, "batch_packets", packets / kicks);
	if (kicks > 0 && ios > 0)
		metric_put(m, "batch_ios", ios / kicks);
}

/* What has no VM leaves none: a number beside those of the VMs. */
static void no_exits(json_t *m, const struct unit *u)
{
	metric_put(m, "exits", 0);
	metric_put(m, "exits_per_s", 0);
	metric_per(m, "exits", 0, u);
}

/* By its hypercalls a guest of Xen's is served, and its back end through grants. */
static void xen_metrics(const struct observed *o, json_t *m, const struct unit *u)
{
	struct probed_totals t = probed_totals_of(o->probes);
	struct probed_grants g = probed_grants_of(o->probes);

	if (t.hypercalls > 0) {
		metric_put(m, "hypercalls", t.hypercalls);
		metric_per(m, "hypercalls", t.hypercalls, u);
	}
	if (!probed_of(o->probes).grants)
		return;
	metric_put(m, "grant_maps", g.maps);
	metric_put(m, "grant_copies", g.copies);
	metric_per(m, "grant_maps", g.maps, u);
	metric_per(m, "grant_copies", g.copies, u);
}

static void exit_metrics(const struct observed *o, json_t *m, const struct unit *u, double ns)
{
	struct probed d = probed_of(o->probes);
	struct probed_totals t = probed_totals_of(o->probes);

	if (o->contained)
		no_exits(m, u);
	if (!d.totals)
		return;
	metric_put(m, "exits", t.exits);
	metric_put(m, "userspace_exits", t.userspace_exits);
	if (o->whole_boot)
		metric_put(m, "boot_exits", t.exits);
	if (ns > 0)
		metric_put(m, "exits_per_s", t.exits / (ns / 1e9));
	metric_per(m, "exits", t.exits, u);
	per_unit(m, "exits_per_op", t.exits, number(o->agent, "ops"));
	metric_per(m, "userspace_exits", t.userspace_exits, u);
	xen_metrics(o, m, u);
	kick_metrics(o, m, u);
	if (d.notify)
		metric_per(m, "interrupts", probed_notify_of(o->probes).injected, u);
}

static void cpu_metrics(const struct observed *o, json_t *m, const struct unit *u, double ns)
{
	const json_t *threads = probed_of(o->probes).threads;
	struct record_thread t;
	double cpu = 0, guest = 0, waited = 0;
	bool split = false; /* some back ends do not tell guest from host */

	/* Mode host: the agent says what it took itself. */
	if (json_object_get(o->agent, "cpu_pct"))
		metric_per(m, "cpu_ns", number(o->agent, "cpu_pct") / 100 * ns, u);
	if (!json_array_size(threads) || ns <= 0)
		return;
	for (size_t i = 0; record_thread(threads, i, &t); i++) {
		if (!strcmp(t.role, "peer"))
			continue; /* the peer does not serve the guest */
		cpu += t.cpu_ns;
		if (!strcmp(t.role, "vcpu"))
			waited += t.runq_ns;
		if (isnan(t.guest_ns))
			continue;
		guest += t.guest_ns;
		split = true;
	}
	metric_put(m, "cpu_pct", 100 * cpu / ns);
	metric_put(m, "waiting_pct", 100 * waited / ns);
	if (split) {
		metric_put(m, "cpu_host_pct", 100 * (cpu - guest) / ns);
		metric_put(m, "cpu_guest_pct", 100 * guest / ns);
	}
	metric_per(m, "cpu_ns", cpu, u);
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

/* How full the disk's queues were when a request came, and what the host was asked for one. */
static void disk_metrics(const struct observed *o, json_t *m)
{
	double descs = 0, depth = 0, host = 0;

	if (!o->stats || !json_object_get(o->agent, "ios"))
		return;
	for (uint32_t i = 0; i < MIN(o->stats->n_queues, STATS_QUEUES); i++) {
		const struct stats_queue *a = &o->stats->at_open.queue[i], *b = &o->stats->at_close.queue[i];

		descs += (double)(b->descs - a->descs);
		depth += (double)(b->depth_sum - a->depth_sum);
		host += (double)(b->host_requests - a->host_requests);
	}
	per_unit(m, "queue_depth", depth, descs);
	per_unit(m, "host_requests_per_io", host, descs);
}

/* ---- checks ---- */

static bool check_lost(const struct observed *o, json_t *checks)
{
	double lost = probed_of(o->probes).lost;
	char detail[64];

	if (!o->probes)
		return true;
	snprintf(detail, sizeof(detail), "%.0f events lost", lost);
	record_add_check(checks, "lost_events", lost == 0, detail);
	return lost == 0;
}

/* Who has said hello has marked the end of its boot before; else all since then would be the boot's. */
static bool check_boot(const struct observed *o, json_t *checks)
{
	bool marked = probed_window_of(o->probes).closed;

	if (!o->whole_boot || !o->probes || o->translated)
		return true;
	record_add_check(checks, "boot_marker", marked,
			 marked ? "the guest marked the end of its boot" : "the boot's end was not seen");
	return marked;
}

static json_t *metrics_of(const struct observed *o, double ns)
{
	double overhead_ns = probed_of(o->probes).overhead_ns;
	struct unit unit = unit_moved(o);
	json_t *m = json_object();

	json_object_update(m, o->agent);
	if (o->boot_ns)
		metric_put(m, "boot_ns", (double)o->boot_ns);
	exit_metrics(o, m, &unit, ns);
	cpu_metrics(o, m, &unit, ns);
	if (json_object_get(o->agent, "guest_kicks"))
		metric_per(m, "guest_kicks", number(o->agent, "guest_kicks"), &unit);
	queue_metrics(o, m);
	disk_metrics(o, m);
	measure_laps(o, m);
	if (!isnan(overhead_ns) && ns > 0)
		metric_put(m, "overhead_pct", 100 * overhead_ns / ns);
	return m;
}

int measure_sample(const struct observed *o, struct record_sample *s, char **why)
{
	struct probed d = probed_of(o->probes);
	double ns = window_ns(o);
	const char *failed = NULL;

	s->checks = json_array();
	s->exits = measure_merge_exits(d.exits);
	s->threads = json_incref(d.threads);
	s->hists = json_incref(o->hists);
	s->life = json_incref(d.life);
	s->ops = measure_ops(o);
	s->bottleneck = bottleneck_of(d.threads, ns, (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
	if (!measure_disk_check(o, s->checks))
		failed = "disk_requests";
	if (!measure_cross_check(o, s->checks))
		failed = "cross_check";
	if (!measure_laps_check(o, s->checks))
		failed = "laps";
	if (!measure_ops_check(o, s->ops, s->checks))
		failed = "guest_ops";
	if (!check_boot(o, s->checks))
		failed = "boot_marker";
	if (!check_lost(o, s->checks))
		failed = "lost_events";
	if (failed) {
		*why = xasprintf("check %s failed: see .samples[].checks", failed);
		return -EIO;
	}
	s->metrics = metrics_of(o, ns);
	return 0;
}
