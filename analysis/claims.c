// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/claims.h"
#include "analysis/compare.h"
#include "analysis/report.h"
#include "results/record.h"

enum kind {
	COUNT,	  /* holds on every substrate */
	RATIO,	  /* of two records of one substrate */
	ABSOLUTE, /* a time or rate of real hardware */
};

/* Which record; NULL fits any. knob is "name=value". */
struct side {
	const char *mode, *vmm, *knob;
};

static const struct claim {
	const char *claim, *published;
	const char *workload, *metric;
	enum kind kind;
	double low, high; /* what counts as agreement */
	struct side a, b; /* RATIO: metric(a) / metric(b) */
} claims[] = {
	{"emulated e1000, throughput",
	 "2-3 Gb/s on a 10 Gb/s link",
	 "net-throughput",
	 "throughput_bps",
	 ABSOLUTE,
	 2e9,
	 3e9,
	 {"e1000", NULL, NULL},
	 {0}},
	{"emulated e1000, exits",
	 "500,000 exits/s",
	 "net-throughput",
	 "exits_per_s",
	 ABSOLUTE,
	 2.5e5,
	 1e6,
	 {"e1000", NULL, NULL},
	 {0}},
	{"emulated e1000, CPU",
	 "80 % of a core",
	 "net-throughput",
	 "cpu_pct",
	 ABSOLUTE,
	 60,
	 100,
	 {"e1000", NULL, NULL},
	 {0}},
	{"emulated e1000, exits per packet",
	 "2",
	 "net-throughput",
	 "exits_per_packet",
	 COUNT,
	 1.5,
	 2.5,
	 {"e1000", NULL, NULL},
	 {0}},
	{"virtio-net, throughput",
	 "9-9.5 Gb/s",
	 "net-throughput",
	 "throughput_bps",
	 ABSOLUTE,
	 9e9,
	 9.5e9,
	 {"virtio", NULL, NULL},
	 {0}},
	{"virtio-net, exits against e1000",
	 "10x fewer",
	 "net-throughput",
	 "exits_per_packet",
	 RATIO,
	 0,
	 0.1,
	 {"virtio", "builtin", NULL},
	 {"e1000", "builtin", NULL}},
	{"virtio-net, CPU",
	 "20 % of a core",
	 "net-throughput",
	 "cpu_pct",
	 ABSOLUTE,
	 10,
	 30,
	 {"virtio", NULL, NULL},
	 {0}},
	{"virtio-net batches notifications",
	 "1 exit for 3 packets",
	 "net-throughput",
	 "kicks_per_packet",
	 COUNT,
	 0,
	 1 / 3.0,
	 {"virtio", NULL, NULL},
	 {0}},
	{"event index cuts notifications further",
	 "fewer kicks",
	 "net-throughput",
	 "kicks_per_packet",
	 RATIO,
	 0,
	 0.999,
	 {"virtio", "builtin", "event_idx=on"},
	 {"virtio", "builtin", "event_idx=off"}},
	{"vhost, throughput",
	 "9.5-9.8 Gb/s",
	 "net-throughput",
	 "throughput_bps",
	 ABSOLUTE,
	 9.5e9,
	 9.8e9,
	 {"vhost", NULL, NULL},
	 {0}},
	{"vhost, CPU",
	 "10 % of a core",
	 "net-throughput",
	 "cpu_pct",
	 ABSOLUTE,
	 5,
	 15,
	 {"vhost", NULL, NULL},
	 {0}},
	{"vhost, exits to userspace per packet",
	 "minimal (we take: under 0.01)",
	 "net-throughput",
	 "userspace_exits_per_packet",
	 COUNT,
	 0,
	 0.01,
	 {"vhost", NULL, NULL},
	 {0}},
	{"SR-IOV VF against bare metal",
	 "less than 1 % below",
	 "net-throughput",
	 "throughput_bps",
	 RATIO,
	 0.99,
	 1.05,
	 {"sriov", NULL, NULL},
	 {"host", NULL, NULL}},
	{"virtio against e1000 in QEMU",
	 "20-77x",
	 "net-throughput",
	 "throughput_bps",
	 RATIO,
	 20,
	 77,
	 {"virtio", "qemu", NULL},
	 {"e1000", "qemu", NULL}},
	{"virtio against an e1000 made better",
	 "1.2-2.2x",
	 "net-throughput",
	 "throughput_bps",
	 RATIO,
	 1.2,
	 2.2,
	 {"virtio", "builtin", NULL},
	 {"e1000", "builtin", NULL}},
	{"cpuid exit inside KVM",
	 "1,000-1,600 cycles",
	 "exit-cost",
	 "exit_cost_cycles",
	 ABSOLUTE,
	 1000,
	 1600,
	 {0},
	 {0}},
	{"boot to init",
	 "within 125 ms (Firecracker)",
	 "boot",
	 "boot_ns",
	 ABSOLUTE,
	 0,
	 125e6,
	 {NULL, "builtin", NULL},
	 {0}},
	{"memory of the VMM beside the guest's",
	 "5 MiB (Firecracker)",
	 "boot",
	 "vmm_overhead_bytes",
	 COUNT,
	 0,
	 5 * 1048576.0,
	 {NULL, "builtin", NULL},
	 {0}},
	{"CPU time to start",
	 "8 ms (Firecracker)",
	 "boot",
	 "boot_cpu_ns",
	 ABSOLUTE,
	 0,
	 8e6,
	 {NULL, "builtin", NULL},
	 {0}},
	{"binary translation against KVM, computing",
	 "1.3x (over bare metal)",
	 "compute",
	 "compute_ns",
	 RATIO,
	 1.2,
	 1.4,
	 {NULL, "qemu:accel=tcg", NULL},
	 {NULL, "builtin", NULL}},
};

const char *claim_state_text(enum claim_state s)
{
	static const char *const text[] = {"yes", "no", "cannot tell", "not measured"};

	return text[s];
}

static bool fits(const char *want, const char *is)
{
	return !want || !strcmp(want, is);
}

static bool knob_fits(const char *knob, const json_t *rec)
{
	size_t len = knob ? strcspn(knob, "=") : 0;
	const char *name;
	json_t *v;

	json_object_foreach (json_object_get(rec, "knobs"), name, v)
		if (knob && strlen(name) == len && !strncmp(name, knob, len))
			return !strcmp(json_string_value(v) ? json_string_value(v) : "",
				       knob + len + 1);
	return !knob;
}

static bool has_metric(const json_t *rec, const char *metric)
{
	size_t n;

	free(record_values(rec, metric, &n));
	return n > 0;
}

static bool same_place(const json_t *a, const json_t *b)
{
	return !strcmp(record_str(a, "substrate"), record_str(b, "substrate")) &&
	       !strcmp(record_str(a, "time_base"), record_str(b, "time_base"));
}

/* The last record that fits, and that compares with other (NULL: any). */
static const json_t *find(json_t *const *rec, size_t n, const struct claim *c, const struct side *s,
			  const json_t *other)
{
	while (n--)
		if (fits(c->workload, record_str(rec[n], "workload")) &&
		    fits(s->mode, record_str(rec[n], "mode")) &&
		    fits(s->vmm, record_str(rec[n], "vmm")) && knob_fits(s->knob, rec[n]) &&
		    has_metric(rec[n], c->metric) && (!other || same_place(other, rec[n])))
			return rec[n];
	return NULL;
}

static struct interval measure(const struct claim *c, const json_t *a, const json_t *b)
{
	size_t na, nb = 0;
	double *x = compare_boot_values(a, c->metric, &na),
	       *y = b ? compare_boot_values(b, c->metric, &nb) : NULL;
	struct interval ci = b ? stats_ratio_ci(y, nb, x, na, 1) : stats_median_ci(x, na);

	free(x);
	free(y);
	return ci;
}

static void describe(struct claim_result *r, const struct claim *c, const struct interval *ci)
{
	const struct metric_info *info = metric_find(c->metric);
	const double v[] = {ci->point, ci->low, ci->high};
	char text[3][48];

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		if (c->kind == RATIO)
			snprintf(text[i], sizeof(text[i]), "%.3gx", v[i]);
		else
			report_value(info ? info->unit : "", v[i], text[i], sizeof(text[i]));
	}
	if (isnan(ci->low))
		snprintf(r->ours, sizeof(r->ours), "%s", text[0]);
	else
		snprintf(r->ours, sizeof(r->ours), "%s [%s, %s]", text[0], text[1], text[2]);
}

static void needs(struct claim_result *r, const struct claim *c)
{
	const struct side *s[] = {&c->a, &c->b};
	size_t n = (size_t)snprintf(r->why, sizeof(r->why), "bench run %s", c->workload);

	for (size_t i = 0; i < 2; i++)
		if (s[i]->mode && (!i || !fits(c->a.mode, s[i]->mode)))
			n += (size_t)snprintf(r->why + n, sizeof(r->why) - n, "%s%s",
					      i ? "," : " --mode=", s[i]->mode);
	for (size_t i = 0; i < 2; i++)
		if (s[i]->vmm && (!i || !fits(c->a.vmm, s[i]->vmm)))
			n += (size_t)snprintf(r->why + n, sizeof(r->why) - n, "%s%s",
					      i ? "," : " --vmm=", s[i]->vmm);
	if (c->a.knob)
		n += (size_t)snprintf(r->why + n, sizeof(r->why) - n, " --set %s", c->a.knob);
	if (c->b.knob)
		snprintf(r->why + n, sizeof(r->why) - n, ",%s", strchr(c->b.knob, '=') + 1);
}

static void judge(struct claim_result *r, const struct claim *c, json_t *const *rec, size_t n)
{
	const json_t *a = find(rec, n, c, &c->a, NULL), *b = NULL;
	struct interval ci;

	*r = (struct claim_result){
		.claim = c->claim, .published = c->published, .state = CLAIM_NOT_MEASURED};
	if (a && c->kind == RATIO)
		b = find(rec, n, c, &c->b, a);
	if (!a || (c->kind == RATIO && !b)) {
		needs(r, c);
		return;
	}
	ci = measure(c, a, b);
	if (isnan(ci.point)) {
		snprintf(r->why, sizeof(r->why), "no ratio: a value is zero");
		r->state = CLAIM_CANNOT_TELL;
		return;
	}
	describe(r, c, &ci);
	r->state = ci.point >= c->low && ci.point <= c->high ? CLAIM_HOLDS : CLAIM_FAILS;
	if (!strcmp(record_str(a, "time_base"), "real"))
		return;
	if (c->kind == ABSOLUTE)
		snprintf(r->why, sizeof(r->why),
			 "%s time: absolute rates and times do not carry over",
			 record_str(a, "time_base"));
	else if (c->a.mode && !strcmp(c->a.mode, "sriov"))
		snprintf(r->why, sizeof(r->why), "the lab's card is software");
	if (*r->why)
		r->state = CLAIM_CANNOT_TELL;
}

size_t claims_judge(json_t *const *rec, size_t n, struct claim_result **out)
{
	*out = xcalloc(ARRAY_SIZE(claims), sizeof(**out));
	for (size_t i = 0; i < ARRAY_SIZE(claims); i++)
		judge(&(*out)[i], &claims[i], rec, n);
	return ARRAY_SIZE(claims);
}
