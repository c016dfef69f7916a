// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/claims.h"
#include "analysis/compare.h"
#include "analysis/report.h"
#include "base/strbuf.h"
#include "results/record.h"

enum kind {
	COUNT,	  /* holds on every substrate */
	RATIO,	  /* of two records of one substrate */
	ABSOLUTE, /* a time or rate of real hardware */
};

/* Which record; NULL fits any. knobs are "name=value", with blanks between. */
struct side {
	const char *mode, *vmm, *knobs;
};

/* The e1000 of the textbooks: every frame by itself, sent in the exit, an interrupt for each. */
#define TEXTBOOK "flood=on coalesce=off io=vcpu offload=off"

static const struct claim {
	const char *claim, *published;
	const char *workload, *metric;
	enum kind kind;
	double low, high; /* what counts as agreement */
	struct side a, b; /* RATIO: metric(a) / metric(b) */
	const char *otherwise; /* why it may well not hold; NULL: nothing is known to be different */
} claims[] = {
	{"emulated e1000, throughput",
	 "2-3 Gb/s on a 10 Gb/s link",
	 "net-throughput",
	 "throughput_bps",
	 ABSOLUTE,
	 2e9,
	 3e9,
	 {"e1000", NULL, NULL},
	 {0},
	 NULL},
	{"emulated e1000, exits",
	 "500,000 exits/s",
	 "net-throughput",
	 "exits_per_s",
	 ABSOLUTE,
	 2.5e5,
	 1e6,
	 {"e1000", NULL, NULL},
	 {0},
	 NULL},
	{"emulated e1000, CPU",
	 "80 % of a core",
	 "net-throughput",
	 "cpu_pct",
	 ABSOLUTE,
	 60,
	 100,
	 {"e1000", NULL, NULL},
	 {0},
	 NULL},
	{"emulated e1000, exits per packet",
	 "2",
	 "net-pps",
	 "exits_per_packet",
	 COUNT,
	 1.5,
	 2.5,
	 {"e1000", "builtin", TEXTBOOK},
	 {0},
	 NULL},
	{"virtio-net, throughput",
	 "9-9.5 Gb/s",
	 "net-throughput",
	 "throughput_bps",
	 ABSOLUTE,
	 9e9,
	 9.5e9,
	 {"virtio", NULL, NULL},
	 {0},
	 NULL},
	{"virtio-net, exits against e1000",
	 "10x fewer",
	 "net-pps",
	 "exits_per_packet",
	 RATIO,
	 0,
	 0.1,
	 {"virtio", "builtin", "flood=on offload=off"},
	 {"e1000", "builtin", TEXTBOOK},
	 NULL},
	{"virtio-net, CPU",
	 "20 % of a core",
	 "net-throughput",
	 "cpu_pct",
	 ABSOLUTE,
	 10,
	 30,
	 {"virtio", NULL, NULL},
	 {0},
	 NULL},
	{"virtio-net batches notifications",
	 "1 exit for 3 packets",
	 "net-throughput",
	 "kicks_per_packet",
	 COUNT,
	 0,
	 1 / 3.0,
	 {"virtio", NULL, NULL},
	 {0},
	 NULL},
	{"event index cuts notifications further",
	 "fewer kicks",
	 "net-pps",
	 "kicks_per_packet",
	 RATIO,
	 0,
	 0.999,
	 {"virtio", "builtin", "flood=on event_idx=on"},
	 {"virtio", "builtin", "flood=on event_idx=off"},
	 NULL},
	{"vhost, throughput",
	 "9.5-9.8 Gb/s",
	 "net-throughput",
	 "throughput_bps",
	 ABSOLUTE,
	 9.5e9,
	 9.8e9,
	 {"vhost", NULL, NULL},
	 {0},
	 NULL},
	{"vhost, CPU",
	 "10 % of a core",
	 "net-throughput",
	 "cpu_pct",
	 ABSOLUTE,
	 5,
	 15,
	 {"vhost", NULL, NULL},
	 {0},
	 NULL},
	{"vhost, exits to userspace per packet",
	 "minimal (we take: under 0.01)",
	 "net-throughput",
	 "userspace_exits_per_packet",
	 COUNT,
	 0,
	 0.01,
	 {"vhost", NULL, NULL},
	 {0},
	 NULL},
	{"SR-IOV VF against bare metal",
	 "less than 1 % below",
	 "net-throughput",
	 "throughput_bps",
	 RATIO,
	 0.99,
	 1.05,
	 {"sriov", NULL, NULL},
	 {"host", NULL, NULL},
	 NULL},
	{"virtio against e1000 in QEMU",
	 "20-77x",
	 "net-throughput",
	 "throughput_bps",
	 RATIO,
	 20,
	 77,
	 {"virtio", "qemu", NULL},
	 {"e1000", "qemu", NULL},
	 "of a hardware VMM's e1000 in 2017; QEMU has batched since, and the lab's exits cost otherwise"},
	{"virtio against an e1000 made better",
	 "1.2-2.2x",
	 "net-throughput",
	 "throughput_bps",
	 RATIO,
	 1.2,
	 2.2,
	 {"virtio", "builtin", NULL},
	 {"e1000", "builtin", NULL},
	 NULL},
	{"cpuid exit inside KVM",
	 "1,000-1,600 cycles",
	 "exit-cost",
	 "exit_cost_cycles",
	 ABSOLUTE,
	 1000,
	 1600,
	 {0},
	 {0},
	 "published for VT-x and AMD-V; see the platform"},
	{"boot to init",
	 "within 125 ms (Firecracker)",
	 "boot",
	 "boot_ns",
	 ABSOLUTE,
	 0,
	 125e6,
	 {NULL, "builtin", NULL},
	 {0},
	 "a stock Debian kernel with an initramfs, not a kernel made for microVMs"},
	{"memory of the VMM beside the guest's",
	 "5 MiB (Firecracker)",
	 "boot",
	 "vmm_overhead_bytes",
	 COUNT,
	 0,
	 5 * 1048576.0,
	 {NULL, "builtin", NULL},
	 {0},
	 NULL},
	{"CPU time to start",
	 "8 ms (Firecracker)",
	 "boot",
	 "boot_cpu_ns",
	 ABSOLUTE,
	 0,
	 8e6,
	 {NULL, "builtin", NULL},
	 {0},
	 "until the guest's init, the guest's own CPU time included; the published one is the VMM's"},
	{"nested paging, computing",
	 "2-5 % over bare metal",
	 "compute",
	 "compute_ns",
	 RATIO,
	 1,
	 1.05,
	 {NULL, "builtin", NULL},
	 {NULL, "", NULL},
	 "a job that stays in the caches shows what the timer's exits cost and little of the page walks"},
	{"shadow paging against nested, page-table updates",
	 "20-30 % instead of 2-5 %",
	 "memory",
	 "pt_update_ns",
	 RATIO,
	 1.2,
	 1.3,
	 {NULL, "builtin", "npt=off"},
	 {NULL, "builtin", "npt=on"},
	 "the published figure is of whole programs; this is the operation that shadow paging has to see"},
	{"binary translation, computing",
	 "30 % over bare metal",
	 "compute",
	 "compute_ns",
	 RATIO,
	 1.2,
	 1.4,
	 {NULL, "qemu:accel=tcg", NULL},
	 {NULL, "", NULL},
	 "today's translator, not one of 2006 that left ring 3 to the processor"},
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

static bool knobs_fit(const char *want, const json_t *rec)
{
	char name[32], value[32];
	int len = 0;

	for (; want && sscanf(want, " %31[^=]=%31s%n", name, value, &len) == 2; want += len)
		if (strcmp(record_str(json_object_get(rec, "knobs"), name), value) != 0)
			return false;
	return true;
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
		    fits(s->vmm, record_str(rec[n], "vmm")) && knobs_fit(s->knobs, rec[n]) &&
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

/* The value of a knob in "name=value name=value"; "" when it is not there. */
static const char *knob_value(const char *knobs, const char *name, char value[32])
{
	char is[32];
	int len = 0;

	for (; knobs && sscanf(knobs, " %31[^=]=%31s%n", is, value, &len) == 2; knobs += len)
		if (!strcmp(is, name))
			return value;
	*value = '\0';
	return value;
}

/* " --set flood=on --set event_idx=on,off" */
static void add_knobs(struct strbuf *sb, const struct side *a, const struct side *b)
{
	char name[32], value[32], other[32];
	int len = 0;

	for (const char *k = a->knobs; k && sscanf(k, " %31[^=]=%31s%n", name, value, &len) == 2;
	     k += len) {
		knob_value(b->knobs, name, other);
		strbuf_addf(sb, " --set %s=%s", name, value);
		if (*other && strcmp(value, other) != 0)
			strbuf_addf(sb, ",%s", other);
	}
}

static void add_choice(struct strbuf *sb, const char *option, const char *a, const char *b)
{
	if (a)
		strbuf_addf(sb, " --%s=%s", option, a);
	if (a && b && strcmp(a, b) != 0)
		strbuf_addf(sb, ",%s", b);
}

/* The plan that measures both sides; of sides that differ in knobs and mode both, the one that is
 * missing. */
static void needs(struct claim_result *r, const struct claim *c, bool have_a)
{
	bool apart = c->a.knobs && c->b.mode && strcmp(c->a.mode, c->b.mode) != 0;
	const struct side *a = apart && have_a ? &c->b : &c->a, *b = apart ? a : &c->b;
	struct strbuf sb = STRBUF_INIT;

	strbuf_addf(&sb, "bench run %s", c->workload);
	add_choice(&sb, "mode", a->mode, b->mode);
	add_choice(&sb, "vmm", a->vmm, b->vmm && !*b->vmm ? "none" : b->vmm);
	add_knobs(&sb, a, b);
	snprintf(r->why, sizeof(r->why), "%s", strbuf_str(&sb));
	strbuf_free(&sb);
}

/* In what way a record is not what the published figure is about; NULL when it is. */
static const char *not_the_same(const struct claim *c, const json_t *rec)
{
	if (!strcmp(record_str(rec, "time_base"), "real"))
		return NULL;
	if (c->kind == ABSOLUTE)
		return "absolute rates and times of the lab do not carry over";
	return c->a.mode && !strcmp(c->a.mode, "sriov") ? "the lab's card is software" : NULL;
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
		needs(r, c, a);
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
	if (not_the_same(c, a)) {
		snprintf(r->why, sizeof(r->why), "%s", not_the_same(c, a));
		r->state = CLAIM_CANNOT_TELL;
	} else if (r->state == CLAIM_FAILS && c->otherwise) {
		snprintf(r->why, sizeof(r->why), "%s", c->otherwise);
	}
}

size_t claims_judge(json_t *const *rec, size_t n, struct claim_result **out)
{
	*out = xcalloc(ARRAY_SIZE(claims), sizeof(**out));
	for (size_t i = 0; i < ARRAY_SIZE(claims); i++)
		judge(&(*out)[i], &claims[i], rec, n);
	return ARRAY_SIZE(claims);
}
