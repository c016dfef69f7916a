// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/evolution.h"
#include "analysis/stats.h"
#include "base/clock.h"
#include "results/record.h"
#include "tests/golden/fixture.h"

#define START  1767225600 /* 2026-01-01 */
#define WINDOW 8e9

/* Made-up levels in the proportions that one expects, so that axes and labels are tried in earnest.
 */
static const struct level {
	const char *mode;
	double bps, exits_per_packet, user_share, kicks, irqs, batch, latency_ns;
	double cpu_guest, cpu_vcpu, cpu_io, cpu_vhost;
} levels[] = {
	{"host", 9.41e9, 0, 0, 0, 0, 40, 21000, 0, 0, 38, 0},
	{"e1000", 1.05e8, 6.2, 0.9, 1.02, 0.96, 1.1, 310000, 31, 58, 9, 0},
	{"virtio", 1.14e9, 0.42, 0.31, 0.11, 0.19, 7.4, 122000, 52, 24, 61, 0},
	{"vhost", 1.52e9, 0.29, 0.004, 0.07, 0.16, 11.9, 61000, 61, 15, 2, 48},
	{"vhost-user", 1.71e9, 0.18, 0.003, 0, 0.15, 16.3, 47000, 66, 9, 100, 0},
	{"virtio-blk", 0, 0.11, 0.01, 0.05, 0.03, 0, 21000, 60, 20, 70, 0},
	{"nvme", 0, 0.19, 0.4, 0.11, 0.05, 0, 30000, 55, 25, 80, 0},
	{"sriov", 9.35e9, 0.05, 0, 0, 0.04, 30, 26000, 88, 3, 0, 0},
};

static const struct split {
	const char *reason, *key;
	double share, mean_ns, slow, user; /* of the exits; of the time */
	double wait, asleep;
} splits[] = {
	{"npf", "virtio-net0 txq0 kick", 0.34, 5200, 0.25, 0.55, 0, 0},
	{"npf", "virtio-net0 rxq0 kick", 0.05, 5000, 0.25, 0.55, 0, 0},
	{"io", "COM1", 0.02, 16400, 0.1, 0.5, 0.05, 0.3},
	{"interrupt", "", 0.21, 1900, 0.6, 0, 0.3, 0},
	{"msr", "TSC_DEADLINE", 0.14, 1450, 0, 0, 0, 0},
	{"hlt", "", 0.12, 41000, 1, 0, 0, 0},
	{"vintr", "", 0.05, 1210, 0, 0, 0, 0},
	{"cpuid", "", 0.03, 1100, 0, 0, 0, 0},
	{"write_cr0", "", 0.02, 1500, 0.6, 0, 0, 0},
	{"xsetbv", "", 0.01, 1650, 0.3, 0, 0, 0},
	{"0x8b", "", 0.01, 2300, 1, 0, 0, 0},
};

struct rng {
	uint64_t s;
};

static double uniform(struct rng *r)
{
	r->s = r->s * 6364136223846793005ull + 1442695040888963407ull;
	return ((double)(r->s >> 11) + 0.5) / 9007199254740992.0;
}

/* Around 1, near enough to normal for a picture. */
static double noise(struct rng *r, double rel)
{
	double sum = 0;

	for (int i = 0; i < 12; i++)
		sum += uniform(r);
	return 1 + rel * (sum - 6);
}

static const struct level *level_of(const char *mode)
{
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (!strcmp(levels[i].mode, mode))
			return &levels[i];
	return &levels[0];
}

static double setting_or(const struct fixture *f, const char *name, double otherwise)
{
	return f->setting && !strcmp(f->setting, name) ? f->value : otherwise;
}

static json_t *latency_hist(struct rng *r, double median, double load)
{
	struct hist *h = xcalloc(1, sizeof(*h));
	json_t *j;

	hist_init(h);
	for (int i = 0; i < 4000; i++) {
		double v = median * (0.7 + 0.3 * -log(uniform(r)));

		if (uniform(r) < 0.02 * load)
			v += median * 6 * -log(uniform(r));
		hist_add(h, (uint64_t)v);
	}
	j = hist_to_json(h);
	free(h);
	return j;
}

static json_t *thread_json(const char *role, double percent, double guest)
{
	return json_pack("{s:s, s:s, s:f, s:f}", "name", role, "role", role, "cpu_ns",
			 (percent + guest) / 100 * WINDOW, "guest_ns", guest / 100 * WINDOW);
}

static json_t *threads_json(const struct level *l)
{
	json_t *a = json_array();

	if (l->cpu_guest + l->cpu_vcpu > 0)
		json_array_append_new(a, thread_json("vcpu", l->cpu_vcpu, l->cpu_guest));
	if (l->cpu_io > 0)
		json_array_append_new(
			a, thread_json(strcmp(l->mode, "host") ? "io" : "other", l->cpu_io, 0));
	if (l->cpu_vhost > 0)
		json_array_append_new(a, thread_json("vhost", l->cpu_vhost, 0));
	/* Stands in every record of a network run, and in no bar. */
	json_array_append_new(a, thread_json("peer", 40, 0));
	return a;
}

static void put(json_t *metrics, const char *name, double v)
{
	json_object_set_new(metrics, name, json_real(v));
}

static void put_latency(const struct fixture *f, const struct level *l, struct rng *r, json_t *m,
			json_t *hists)
{
	double load = 1 + 6 * pow(setting_or(f, "rate", 1000) / 16000, 2);

	json_object_set_new(hists, "latency_ns",
			    latency_hist(r, l->latency_ns * noise(r, 0.03) * sqrt(load), load));
	put(m, "transactions_per_s", setting_or(f, "rate", 1e9 / l->latency_ns) * noise(r, 0.01));
	put(m, "latency_ns", l->latency_ns * noise(r, 0.03));
}

static void put_costs(struct rng *r, json_t *m, json_t *hists)
{
	static const struct {
		const char *kind;
		double ns;
	} costs[] = {{"cpuid", 1100},
		     {"pio_kernel", 1500},
		     {"pio_user", 4100},
		     {"ioeventfd", 1900},
		     {"ipi", 5200}};

	for (size_t i = 0; i < ARRAY_SIZE(costs); i++) {
		char name[64];

		snprintf(name, sizeof(name), "exit_cost_ns.%s", costs[i].kind);
		json_object_set_new(hists, name, latency_hist(r, costs[i].ns, 1));
		put(m, name, costs[i].ns * noise(r, 0.03));
	}
	put(m, "exit_cost_ns", costs[0].ns * noise(r, 0.03));
}

/* More in flight is more at once, up to what the path can. */
static void put_requests(const struct fixture *f, const struct level *l, struct rng *r, json_t *m)
{
	double depth = setting_or(f, "depth", 32), one = 1e9 / l->latency_ns;
	double iops = one * depth / (1 + depth / 7) * noise(r, 0.02);

	put(m, "iops", iops);
	put(m, "ios", iops * WINDOW / 1e9);
	put(m, "exits_per_s", iops * l->exits_per_packet * noise(r, 0.02));
	put(m, "exits_per_io", l->exits_per_packet * noise(r, 0.02));
}

static void put_throughput(const struct fixture *f, const struct level *l, struct rng *r, json_t *m)
{
	double size = setting_or(f, "msg_size", 16384),
	       n = setting_or(f, "vms", setting_or(f, "queues", 1));
	double factor = f->factor > 0 ? f->factor : 1;
	double bps = l->bps * size / (size + 900) * pow(n, 0.8) * factor * noise(r, 0.02);
	double packets = bps / 8 / fmin(size, 1448), exits = l->exits_per_packet / factor;

	put(m, "throughput_bps", bps);
	put(m, "packets_per_s", packets);
	put(m, "batch_packets", l->batch * noise(r, 0.04));
	put(m, "exits_per_s", packets * exits * noise(r, 0.02));
	put(m, "exits_per_packet", exits * noise(r, 0.02));
	put(m, "userspace_exits_per_packet", exits * l->user_share * noise(r, 0.02));
	put(m, "kicks_per_packet", l->kicks * noise(r, 0.02));
	put(m, "interrupts_per_packet", l->irqs * noise(r, 0.02));
}

/* Later operations suffer more. */
static void put_operations(const struct fixture *f, struct rng *r, json_t *m)
{
	const char *metric;

	for (size_t i = 0; (metric = evolution_metric(i)); i++) {
		char name[64];

		put(m, metric, 200 * (double)(i + 1) * pow(f->factor, 0.3 + (double)i / 10) * noise(r, 0.01));
		snprintf(name, sizeof(name), "exits_per_op.%s", evolution_operation(metric));
		if (f->factor > 1)
			put(m, name, (f->factor - 1.02) * (double)i);
	}
}

/* A trip with what each lane may have: a kick, a wait, the way up, an answer, an interrupt. */
static json_t *life_json(void)
{
	static const struct {
		const char *part, *lane, *who, *what;
		int ns;
		bool waits;
	} table[] = {
		{"request", "kvm", "vcpu0", "exit: npf virtio-net0 txq0 kick", 2100, false},
		{"request", "kvm", "vcpu0", "kick: eventfd signalled", 700, false},
		{"request", "kvm", "vcpu0", "wakes net0", 1500, true},
		{"request", "guest", "vcpu0", "guest runs", 9000, true},
		{"request", "kvm", "vcpu0", "exit: hlt", 4000, true},
		{"request", "vmm", "net0", "gets the CPU", 5200, false},
		{"request", "vmm", "net0", "writev()", 2500, false},
		{"request", "kernel", "net0", "softirq net_rx", 800, false},
		{"request", "kernel", "net0", "frame goes up the host's stack", 9500, false},
		{"request", "vmm", "net0", "back from writev()", 3000, true},
		{"peer", "peer", "peer", "gets the CPU", 4100, false},
		{"peer", "peer", "peer", "sendto()", 9900, false},
		{"answer", "peer", "peer", "frame given to the host's device", 1200, false},
		{"answer", "vmm", "net0", "gets the CPU", 6000, false},
		{"answer", "vmm", "net0", "interrupt 0x31 raised in the APIC", 1100, false},
		{"answer", "kvm", "vcpu0", "interrupt 0x31 injected", 2900, false},
		{"guest", "guest", "vcpu0", "guest runs", 38000, false},
	};
	json_t *steps = json_array(), *step;
	int at = 0;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		step = json_pack("{s:s, s:s, s:s, s:i, s:s, s:i, s:i}", "part", table[i].part, "lane",
				 table[i].lane, "who", table[i].who, "cpu", 0, "what", table[i].what, "ns",
				 table[i].ns, "at_ns", at);
		if (table[i].waits)
			json_object_set_new(step, "waits", json_true());
		json_array_append_new(steps, step);
		at += table[i].ns;
	}
	return json_pack("{s:i, s:i, s:i, s:o}", "trips", 199, "unclear", 0, "ns", at, "steps", steps);
}

static json_t *sample_json(const struct fixture *f, const struct level *l, struct rng *r, int index)
{
	json_t *m = json_object(), *hists = json_object();

	if (strstr(f->workload, "latency"))
		put_latency(f, l, r, m, hists);
	else if (!strcmp(f->workload, "blk-iops"))
		put_requests(f, l, r, m);
	else if (!strcmp(f->workload, "exit-cost"))
		put_costs(r, m, hists);
	else if (!strcmp(f->workload, "kernel-ops"))
		put_operations(f, r, m);
	else
		put_throughput(f, l, r, m);
	put(m, "window_ns", WINDOW);
	return json_pack("{s:i, s:i, s:b, s:[], s:o, s:o, s:o}", "index", index, "boot", index,
			 "ok", 1, "tags", "metrics", m, "hists", hists, "threads", threads_json(l));
}

static json_t *exits_json(const json_t *samples, const struct level *l)
{
	const json_t *metrics = json_object_get(json_array_get(samples, 0), "metrics");
	double per_s = json_number_value(json_object_get(metrics, "exits_per_s"));
	json_t *a = json_array();

	for (size_t i = 0; l->exits_per_packet > 0 && i < ARRAY_SIZE(splits); i++) {
		const struct split *s = &splits[i];
		double count = floor(per_s * WINDOW / 1e9 * s->share), total = count * s->mean_ns;

		json_array_append_new(
			a, json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "reason",
				     s->reason, "key", s->key, "count", count, "total_ns", total,
				     "p50_ns", s->mean_ns * 0.8, "p99_ns", s->mean_ns * 4.1,
				     "kvm_ns", total * s->slow, "user_ns", total * s->user,
				     "wait_ns", total * s->wait, "asleep_ns", total * s->asleep,
				     "kvm_fast_ns",
				     total * (1 - s->slow - s->user - s->wait - s->asleep)));
	}
	return a;
}

static json_t *metric_summary(const json_t *samples, const char *name)
{
	const struct metric_info *info = metric_find(name);
	struct interval iv;
	json_t *s, *m;
	double x[64];
	size_t n = 0, i;

	json_array_foreach (samples, i, s)
		if (n < ARRAY_SIZE(x))
			x[n++] = json_number_value(
				json_object_get(json_object_get(s, "metrics"), name));
	iv = stats_median_ci(x, n);
	m = json_pack("{s:f, s:i, s:s}", "median", iv.point, "n", (int)n, "unit",
		      info ? info->unit : "");
	json_object_set_new(m, "ci_low", isfinite(iv.low) ? json_real(iv.low) : json_null());
	json_object_set_new(m, "ci_high", isfinite(iv.high) ? json_real(iv.high) : json_null());
	return m;
}

static json_t *summary_json(const json_t *samples)
{
	json_t *out = json_object(), *v;
	const char *name;

	json_object_foreach (json_object_get(json_array_get(samples, 0), "metrics"), name, v)
		json_object_set_new(out, name, metric_summary(samples, name));
	return out;
}

static void add_names(json_t *rec, const struct fixture *f)
{
	int64_t at = f->started ? f->started : START + (int64_t)(f->seed * 60);
	char stamp[24], id[40], started[32], finished[32];
	time_t t = at;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm);
	snprintf(id, sizeof(id), "%s-%06x", stamp, (unsigned)(f->seed & 0xffffff));
	clock_iso8601(at, started, sizeof(started));
	clock_iso8601(at + 50, finished, sizeof(finished));
	json_object_set_new(rec, "id", json_string(id));
	json_object_set_new(rec, "order", json_integer(at * 1000));
	json_object_set_new(rec, "plan_id", json_string("synthetic"));
	json_object_set_new(rec, "started", json_string(started));
	json_object_set_new(rec, "finished", json_string(finished));
}

static json_t *frame(const struct fixture *f)
{
	json_t *params = json_pack("{s:I}", "duration_ns", (json_int_t)WINDOW), *knobs = json_object();
	char name[32], value[32];

	if (f->setting)
		json_object_set_new(params, f->setting, json_real(f->value));
	if (f->knob && sscanf(f->knob, "%31[^=]=%31s", name, value) == 2)
		json_object_set_new(knobs, name, json_string(value));
	return json_pack(
		"{s:i, s:[s], s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:{s:i, s:[], s:i, s:i}, s:{s:s, s:s, s:i}}",
		"schema", RECORD_SCHEMA, "argv", "synthetic", "workload", f->workload, "mode",
		f->mode, "vmm", strcmp(f->mode, "host") ? "builtin" : "", "guest", "linux",
		"substrate", "host", "time_base", "real", "knobs", knobs, "params", params, "plan", "seed",
		1, "order", "reps", f->samples, "warmup", 0, "environment", "cpu",
		"synthetic", "kernel", "0.0.0-synthetic", "cpus", 4);
}

/* As long as a hash, and another for each version. */
static const char *sha_of(const char *version)
{
	static char sha[65];
	uint64_t hash = 1;

	for (const char *s = version; *s; s++)
		hash = hash * 31 + (unsigned char)*s;
	snprintf(sha, sizeof(sha), "%064llx", (unsigned long long)hash);
	return sha;
}

json_t *fixture_record(const struct fixture *f)
{
	const char *version = f->version ? f->version : "synthetic";
	const struct level *l = level_of(f->mode);
	struct rng r = {f->seed * 7919 + 1};
	json_t *samples = json_array(), *rec = frame(f);

	for (int i = 0; i < f->samples; i++)
		json_array_append_new(samples, sample_json(f, l, &r, i));
	add_names(rec, f);
	json_object_set_new(rec, "inputs",
			    json_pack("[{s:s, s:s, s:s, s:s, s:s}]", "name",
				      strcmp(f->mode, "host") ? "builtin" : "peer", "path",
				      "build/vmm", "sha256", sha_of(version), "version", version, "build",
				      "release"));
	json_object_set_new(rec, "exits", exits_json(samples, l));
	json_object_set_new(rec, "summary", summary_json(samples));
	json_object_set_new(rec, "samples", samples);
	if (f->knob && !strcmp(f->knob, "observer=life"))
		json_object_set_new(json_array_get(samples, 0), "life", life_json());
	json_object_set_new(rec, "checks",
			    json_pack("[{s:s, s:b, s:s}]", "name", "cross_check", "ok", 1, "detail",
				      "synthetic"));
	json_object_set_new(rec, "overhead_pct", json_null());
	json_object_set_new(rec, "ok", json_true());
	return rec;
}

#define NET(mode, setting, value, seed)                                                            \
	{                                                                                          \
		"net-throughput", mode, setting, value, 10, 0, seed, 0, NULL, NULL                 \
	}
#define LAT(mode, setting, value, seed)                                                            \
	{                                                                                          \
		"net-latency", mode, setting, value, 10, 0, seed, 0, NULL, NULL                    \
	}
#define END                                                                                        \
	{                                                                                          \
		NULL, NULL, NULL, 0, 0, 0, 0, 0, NULL, NULL                                        \
	}

const struct fixture fixture_modes[] = {
	NET("host", NULL, 0, 1),
	NET("e1000", NULL, 0, 2),
	NET("virtio", NULL, 0, 3),
	NET("vhost", NULL, 0, 4),
	NET("vhost-user", NULL, 0, 5),
	NET("sriov", NULL, 0, 6),
	END,
};

#define SIZES(mode, seed)                                                                          \
	NET(mode, "msg_size", 64, seed), NET(mode, "msg_size", 256, seed + 1),                     \
		NET(mode, "msg_size", 1024, seed + 2), NET(mode, "msg_size", 4096, seed + 3),      \
		NET(mode, "msg_size", 16384, seed + 4), NET(mode, "msg_size", 65536, seed + 5)
const struct fixture fixture_sizes[] = {SIZES("e1000", 20), SIZES("virtio", 30), SIZES("vhost", 40),
					END};

const struct fixture fixture_latency[] = {
	LAT("e1000", NULL, 0, 51),
	LAT("virtio", NULL, 0, 52),
	LAT("vhost", NULL, 0, 53),
	LAT("sriov", NULL, 0, 54),
	END,
};

#define LOADS(mode, seed)                                                                          \
	LAT(mode, "rate", 1000, seed), LAT(mode, "rate", 2000, seed + 1),                          \
		LAT(mode, "rate", 4000, seed + 2), LAT(mode, "rate", 8000, seed + 3),              \
		LAT(mode, "rate", 16000, seed + 4)
const struct fixture fixture_loads[] = {LOADS("virtio", 60), LOADS("vhost", 70), LOADS("sriov", 80),
					END};

#define COUNTS(what, mode, seed)                                                                   \
	NET(mode, what, 1, seed), NET(mode, what, 2, seed + 1), NET(mode, what, 4, seed + 2),      \
		NET(mode, what, 8, seed + 3)
const struct fixture fixture_vms[] = {
	COUNTS("vms", "virtio", 90),
	COUNTS("vms", "vhost", 95),
	COUNTS("vms", "sriov", 100),
	END,
};
const struct fixture fixture_queues[] = {COUNTS("queues", "virtio", 110),
					 COUNTS("queues", "vhost", 115), END};

const struct fixture fixture_few[] = {
	{"net-throughput", "virtio", NULL, 0, 3, 0, 121, 0, NULL, NULL},
	{"net-throughput", "vhost", NULL, 0, 3, 0, 122, 0, NULL, NULL},
	END,
};

const struct fixture fixture_life[] = {
	{"net-latency", "virtio", NULL, 0, 1, 0, 191, 0, NULL, "observer=life"},
	END,
};

const struct fixture fixture_costs[] = {
	{"exit-cost", "", NULL, 0, 6, 0, 131, 0, NULL, NULL},
	END,
};

#define DISK(mode, setting, value, seed)                                                           \
	{                                                                                          \
		"blk-iops", mode, setting, value, 10, 0, seed, 0, NULL, NULL                       \
	}
const struct fixture fixture_disks[] = {
	DISK("virtio-blk", NULL, 0, 141),
	DISK("nvme", NULL, 0, 142),
	END,
};

#define DEPTHS(mode, seed)                                                                         \
	DISK(mode, "depth", 1, seed), DISK(mode, "depth", 4, seed + 1),                            \
		DISK(mode, "depth", 16, seed + 2), DISK(mode, "depth", 64, seed + 3)
const struct fixture fixture_depths[] = {DEPTHS("host", 150), DEPTHS("virtio-blk", 160), DEPTHS("nvme", 170),
					 END};

#define SWITCHED(mode, factor, seed, knob)                                                         \
	{                                                                                          \
		"net-throughput", mode, NULL, 0, 10, factor, seed, 0, NULL, knob                   \
	}
const struct fixture fixture_assistance[] = {
	SWITCHED("virtio", 1, 181, "paging=nested"),
	SWITCHED("virtio", 0.1, 182, "paging=shadow"),
	SWITCHED("e1000", 1, 183, "apicv=on"),
	SWITCHED("e1000", 0.9, 184, "apicv=off"),
	END,
};

#define OPERATIONS(mode, factor, seed)                                                             \
	{                                                                                          \
		"kernel-ops", mode, NULL, 0, 6, factor, seed, 0, NULL, NULL                           \
	}
const struct fixture fixture_operations[] = {
	OPERATIONS("host", 1, 191),
	OPERATIONS("container", 1.02, 192),
	OPERATIONS("virtio", 1.3, 193),
	OPERATIONS("vhost", 60, 194),
	END,
};
