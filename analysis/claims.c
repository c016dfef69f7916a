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
	struct side a, b;      /* RATIO: metric(a) / metric(b) */
	const char *otherwise; /* why it may well not hold; NULL: nothing is known to be different */
	const char *per;       /* RATIO: b's metric where it is not a's */
	const char *never;     /* why no record can tell */
} claims[] = {
	{.claim = "emulated e1000, throughput",
	 .published = "2-3 Gb/s on a 10 Gb/s link",
	 .workload = "net-throughput", .metric = "throughput_bps",
	 .kind = ABSOLUTE, .low = 2e9, .high = 3e9,
	 .a = {"e1000", NULL, NULL}},
	{.claim = "emulated e1000, exits",
	 .published = "500,000 exits/s",
	 .workload = "net-throughput", .metric = "exits_per_s",
	 .kind = ABSOLUTE, .low = 2.5e5, .high = 1e6,
	 .a = {"e1000", NULL, NULL}},
	{.claim = "emulated e1000, CPU",
	 .published = "80 % of a core",
	 .workload = "net-throughput", .metric = "cpu_pct",
	 .kind = ABSOLUTE, .low = 60, .high = 100,
	 .a = {"e1000", NULL, NULL}},
	{.claim = "emulated e1000, exits per packet",
	 .published = "2",
	 .workload = "net-pps", .metric = "exits_per_packet",
	 .kind = COUNT, .low = 1.5, .high = 2.5,
	 .a = {"e1000", "builtin", TEXTBOOK},
	 .otherwise = "beside the doorbell Linux reads ICR, writes IMC and IMS and reads STATUS twice an interrupt, and the "
		      "APIC and the timer have theirs"},
	{.claim = "virtio-net, throughput",
	 .published = "9-9.5 Gb/s",
	 .workload = "net-throughput", .metric = "throughput_bps",
	 .kind = ABSOLUTE, .low = 9e9, .high = 9.5e9,
	 .a = {"virtio", NULL, NULL}},
	{.claim = "virtio-net, exits against e1000",
	 .published = "10x fewer",
	 .workload = "net-pps", .metric = "exits_per_packet",
	 .kind = RATIO, .low = 0, .high = 0.1,
	 .a = {"virtio", "builtin", "flood=on offload=off"}, .b = {"e1000", "builtin", TEXTBOOK}},
	{.claim = "virtio-net, CPU",
	 .published = "20 % of a core",
	 .workload = "net-throughput", .metric = "cpu_pct",
	 .kind = ABSOLUTE, .low = 10, .high = 30,
	 .a = {"virtio", NULL, NULL}},
	{.claim = "virtio-net batches notifications",
	 .published = "1 exit for 3 packets",
	 .workload = "net-throughput", .metric = "kicks_per_packet",
	 .kind = COUNT, .low = 0, .high = 1 / 3.0,
	 .a = {"virtio", NULL, NULL}},
	{.claim = "event index cuts notifications further",
	 .published = "fewer notifications",
	 .workload = "net-pps", .metric = "interrupts_per_packet",
	 .kind = RATIO, .low = 0, .high = 0.999,
	 .a = {"virtio", "builtin", "flood=on coalesce_us=0 event_idx=on"},
	 .b = {"virtio", "builtin", "flood=on coalesce_us=0 event_idx=off"}},
	{.claim = "vhost, throughput",
	 .published = "9.5-9.8 Gb/s",
	 .workload = "net-throughput", .metric = "throughput_bps",
	 .kind = ABSOLUTE, .low = 9.5e9, .high = 9.8e9,
	 .a = {"vhost", NULL, NULL}},
	{.claim = "vhost, CPU",
	 .published = "10 % of a core",
	 .workload = "net-throughput", .metric = "cpu_pct",
	 .kind = ABSOLUTE, .low = 5, .high = 15,
	 .a = {"vhost", NULL, NULL}},
	{.claim = "vhost, exits to userspace per packet",
	 .published = "minimal (we take: under 0.01)",
	 .workload = "net-throughput", .metric = "userspace_exits_per_packet",
	 .kind = COUNT, .low = 0, .high = 0.01,
	 .a = {"vhost", NULL, NULL}},
	{.claim = "SR-IOV VF against bare metal",
	 .published = "less than 1 % below",
	 .workload = "net-throughput", .metric = "throughput_bps",
	 .kind = RATIO, .low = 0.99, .high = 1.05,
	 .a = {"sriov", NULL, NULL}, .b = {"host", NULL, NULL}},
	{.claim = "virtio against e1000 in QEMU",
	 .published = "20-77x",
	 .workload = "net-throughput", .metric = "throughput_bps",
	 .kind = RATIO, .low = 20, .high = 77,
	 .a = {"virtio", "qemu", NULL}, .b = {"e1000", "qemu", NULL},
	 .otherwise = "of a hardware VMM's e1000 in 2017; QEMU has batched since, and the lab's exits cost otherwise"},
	{.claim = "virtio against an e1000 made better",
	 .published = "1.2-2.2x",
	 .workload = "net-throughput", .metric = "throughput_bps",
	 .kind = RATIO, .low = 1.2, .high = 2.2,
	 .a = {"virtio", "builtin", NULL}, .b = {"e1000", "builtin", NULL}},
	{.claim = "cpuid exit inside KVM",
	 .published = "1,000-1,600 cycles",
	 .workload = "exit-cost", .metric = "exit_cost_cycles",
	 .kind = ABSOLUTE, .low = 1000, .high = 1600,
	 .otherwise = "published for VT-x and AMD-V; see the platform"},
	{.claim = "exit to the VMM against one inside KVM",
	 .published = "~2,500 cycles (an ioctl round trip) to 1,000-1,600",
	 .workload = "exit-cost", .metric = "exit_cost_ns.pio_user", .per = "exit_cost_ns.cpuid",
	 .kind = RATIO, .low = 1.5, .high = 2.5},
	{.claim = "exit with its indirect cost",
	 .published = "10 times the direct one",
	 .never = "not supported yet: caches and TLBs lost to an exit, which take hardware counters in the guest"},
	{.claim = "a microVM's virtio-net, throughput",
	 .published = "14.5 Gb/s at 80 % of a core (Firecracker)",
	 .workload = "net-throughput", .metric = "throughput_bps",
	 .kind = ABSOLUTE, .low = 14.5e9, .high = 1e12,
	 .a = {"virtio", "builtin", NULL}},
	{.claim = "SR-IOV scaling",
	 .published = "line rate with 60 VMs, +1.76 % CPU a VM (we take: two VMs reach what one does)",
	 .workload = "net-throughput", .metric = "throughput_bps",
	 .kind = RATIO, .low = 0.95, .high = 2,
	 .a = {"sriov", NULL, "vms=2"}, .b = {"sriov", NULL, "vms=1"}},
	{.claim = "boot to init",
	 .published = "within 125 ms (Firecracker)",
	 .workload = "boot", .metric = "boot_ns",
	 .kind = ABSOLUTE, .low = 0, .high = 125e6,
	 .a = {NULL, "builtin", NULL},
	 .otherwise = "a stock Debian kernel with an initramfs, not a kernel made for microVMs"},
	{.claim = "memory of the VMM beside the guest's",
	 .published = "5 MiB (Firecracker)",
	 .workload = "boot", .metric = "vmm_overhead_bytes",
	 .kind = COUNT, .low = 0, .high = 5 * 1048576.0,
	 .a = {NULL, "builtin", NULL}},
	{.claim = "CPU time to start",
	 .published = "8 ms (Firecracker)",
	 .workload = "boot", .metric = "boot_cpu_ns",
	 .kind = ABSOLUTE, .low = 0, .high = 8e6,
	 .a = {NULL, "builtin", NULL},
	 .otherwise = "until the guest's init, the guest's own CPU time included; the published one is the VMM's"},
	{.claim = "nested paging, computing",
	 .published = "2-5 % over bare metal",
	 .workload = "compute", .metric = "compute_ns",
	 .kind = RATIO, .low = 1, .high = 1.05,
	 .a = {NULL, "builtin", NULL}, .b = {NULL, "", NULL},
	 .otherwise = "a job that stays in the caches shows what the timer's exits cost and little of the page walks"},
	{.claim = "shadow paging against nested, page-table updates",
	 .published = "20-30 % instead of 2-5 %",
	 .workload = "memory", .metric = "pt_update_ns",
	 .kind = RATIO, .low = 1.2, .high = 1.3,
	 .a = {NULL, "builtin", "paging=shadow"}, .b = {NULL, "builtin", "paging=nested"},
	 .otherwise = "the published figure is of whole programs; this is the operation that shadow paging has to see"},
	{.claim = "binary translation, computing",
	 .published = "30 % over bare metal",
	 .workload = "compute", .metric = "compute_ns",
	 .kind = RATIO, .low = 1.2, .high = 1.4,
	 .a = {NULL, "qemu:accel=tcg", NULL}, .b = {NULL, "", NULL},
	 .otherwise = "today's translator, not one of 2006 that left ring 3 to the processor"},
	{.claim = "paravirtualisation, computing",
	 .published = "2 % over bare metal",
	 .never = "not supported yet: a paravirtual VMM (Xen)"},
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

/* Several VMs at once are a case of their own: only who asks for it gets it. */
static bool vms_fit(const char *want, const json_t *rec)
{
	const char *vms = record_str(json_object_get(rec, "knobs"), "vms");

	return (want && strstr(want, "vms=")) || !*vms || !strcmp(vms, "1");
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

static const char *metric_of_side(const struct claim *c, const struct side *s)
{
	if (s == &c->b)
		return text_or(c->per, c->metric);
	return c->metric;
}

static bool answers(const json_t *rec, const struct claim *c, const struct side *s)
{
	return fits(c->workload, record_str(rec, "workload")) && fits(s->mode, record_str(rec, "mode")) &&
	       fits(s->vmm, record_str(rec, "vmm")) && knobs_fit(s->knobs, rec) && vms_fit(s->knobs, rec) &&
	       has_metric(rec, metric_of_side(c, s));
}

static bool same_plan(const json_t *a, const json_t *b)
{
	const char *plan = record_str(a, "plan_id");

	return a == b || (*plan && !strcmp(plan, record_str(b, "plan_id")));
}

static const json_t *find_other(json_t *const *rec, size_t n, const struct claim *c, const json_t *a,
				bool (*related)(const json_t *, const json_t *))
{
	while (n--)
		if (related(a, rec[n]) && answers(rec[n], c, &c->b))
			return rec[n];
	return NULL;
}

/* The last that fit; of a ratio the last two of one plan, whose boots were interleaved, before any others. */
static void find_sides(json_t *const *rec, size_t n, const struct claim *c, const json_t **a,
		       const json_t **b)
{
	const json_t *last = NULL;

	*b = NULL;
	for (size_t i = n; i-- > 0;) {
		if (!answers(rec[i], c, &c->a))
			continue;
		if (!last)
			last = rec[i];
		*a = rec[i];
		if (c->kind != RATIO)
			return;
		*b = find_other(rec, n, c, rec[i], same_plan);
		if (*b)
			return;
	}
	*a = last;
	if (last)
		*b = find_other(rec, n, c, last, same_place);
}

/* Of one record, or (a ratio) of two. */
static struct interval claimed_value(const struct claim *c, const json_t *a, const json_t *b)
{
	size_t na, nb;
	double *x = compare_boot_values(a, c->metric, &na), *y;
	struct interval ci;

	if (b) {
		y = compare_boot_values(b, metric_of_side(c, &c->b), &nb);
		ci = stats_ratio_ci(y, nb, x, na, 1);
		free(y);
	} else {
		ci = stats_median_ci(x, na);
	}
	free(x);
	return ci;
}

static void describe(struct claim_result *r, const struct claim *c, const struct interval *ci)
{
	const struct metric_info *info = metric_find(c->metric);
	const double v[] = {ci->point, ci->low, ci->high};
	const char *unit = info ? info->unit : "";
	char text[3][48];

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		if (c->kind == RATIO)
			snprintf(text[i], sizeof(text[i]), "%.3gx", v[i]);
		else
			report_value(unit, v[i], text[i], sizeof(text[i]));
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
	const struct side *a = &c->a, *b = &c->b;
	struct strbuf sb = STRBUF_INIT;

	if (apart && have_a)
		a = b;
	if (apart)
		b = a;
	strbuf_addf(&sb, "bench run %s", c->workload);
	add_choice(&sb, "mode", a->mode, b->mode);
	add_choice(&sb, "vmm", a->vmm, b->vmm ? text_or(b->vmm, "none") : NULL);
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
	if (c->a.mode && !strcmp(c->a.mode, "sriov"))
		return "the lab's card is software";
	return NULL;
}

/* In virtual time boots are equal, and a value is as sure as an interval. */
static struct interval sure_interval(const json_t *a, struct interval ci)
{
	if (!strcmp(record_str(a, "time_base"), "virtual"))
		ci.low = ci.high = ci.point;
	return ci;
}

/* The whole interval decides: one that holds a value that agrees and one that does not tells nothing. */
static void judge_interval(struct claim_result *r, const struct claim *c, struct interval ci)
{
	r->state = CLAIM_CANNOT_TELL;
	if (isnan(ci.low))
		snprintf(r->why, sizeof(r->why), "%zu boot%s: too few for an interval, %d are needed", ci.n,
			 text_if(ci.n != 1, "s"), STATS_MIN_N);
	else if (ci.low >= c->low && ci.high <= c->high)
		r->state = CLAIM_HOLDS;
	else if (ci.high < c->low || ci.low > c->high)
		r->state = CLAIM_FAILS;
	else
		snprintf(r->why, sizeof(r->why), "the interval reaches beyond %.3g to %.3g: more boots, or a quieter machine",
			 c->low, c->high);
}

static void judge(struct claim_result *r, const struct claim *c, json_t *const *rec, size_t n)
{
	const json_t *a, *b;
	struct interval ci;

	*r = (struct claim_result){
		.claim = c->claim, .published = c->published, .state = CLAIM_NOT_MEASURED};
	if (c->never) {
		snprintf(r->why, sizeof(r->why), "%s", c->never);
		return;
	}
	find_sides(rec, n, c, &a, &b);
	if (!a || (c->kind == RATIO && !b)) {
		needs(r, c, a);
		return;
	}
	ci = claimed_value(c, a, b);
	if (isnan(ci.point)) {
		snprintf(r->why, sizeof(r->why), "no ratio: a value is zero");
		r->state = CLAIM_CANNOT_TELL;
		return;
	}
	describe(r, c, &ci);
	judge_interval(r, c, sure_interval(a, ci));
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
