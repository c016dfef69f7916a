// SPDX-License-Identifier: MIT
/* Published or taught figures and what the records at hand say about them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/report.h"
#include "analysis/view.h"
#include "results/record.h"

enum kind {
	COUNT,	  /* holds on every substrate */
	RATIO,	  /* of two records of one substrate */
	ABSOLUTE, /* a time or rate of real hardware */
};

static const struct claim {
	const char *text, *published;
	const char *workload, *mode, *metric;
	const char *other_mode; /* RATIO: metric(mode) / metric(other_mode) */
	enum kind kind;
	double low, high; /* what counts as agreement */
} claims[] = {
	{"emulated e1000, throughput", "2-3 Gb/s on a 10 Gb/s link", "net-throughput", "e1000",
	 "throughput_bps", NULL, ABSOLUTE, 2e9, 3e9},
	{"emulated e1000, exits", "500,000 exits/s", "net-throughput", "e1000", "exits_per_s", NULL,
	 ABSOLUTE, 2.5e5, 1e6},
	{"emulated e1000, exits per packet", "2", "net-throughput", "e1000", "exits_per_packet",
	 NULL, COUNT, 1.5, 2.5},
	{"virtio-net, throughput", "9-9.5 Gb/s", "net-throughput", "virtio", "throughput_bps", NULL,
	 ABSOLUTE, 9e9, 9.5e9},
	{"virtio-net, exits against e1000", "10x fewer exits/s", "net-throughput", "virtio",
	 "exits_per_s", "e1000", RATIO, 0, 0.1},
	{"virtio-net, notifications are batched", "1 kick or fewer for 3 packets", "net-throughput",
	 "virtio", "kicks_per_packet", NULL, COUNT, 0, 1 / 3.0},
	{"vhost, throughput", "9.5-9.8 Gb/s", "net-throughput", "vhost", "throughput_bps", NULL,
	 ABSOLUTE, 9.5e9, 9.8e9},
	{"vhost, exits to userspace per packet", "minimal (we take: under 0.01)", "net-throughput",
	 "vhost", "userspace_exits_per_packet", NULL, COUNT, 0, 0.01},
	{"SR-IOV VF against bare metal", "less than 1 % below", "net-throughput", "sriov",
	 "throughput_bps", "host", RATIO, 0.99, 1.05},
	{"virtio against e1000, throughput", "20-77x in QEMU, 1.2-2.2x with a better e1000",
	 "net-throughput", "virtio", "throughput_bps", "e1000", RATIO, 1.2, 77},
	{"cpuid exit inside KVM", "1,000-1,600 cycles (0.3-0.55 us at 3 GHz)", "exit-cost", "",
	 "cpuid_ns", NULL, ABSOLUTE, 300, 550},
	{"boot to init", "within 125 ms (Firecracker)", "boot", "", "boot_ns", NULL, ABSOLUTE, 0,
	 125e6},
	{"memory of the VMM beside the guest's", "5 MiB (Firecracker)", "boot", "",
	 "vmm_overhead_bytes", NULL, COUNT, 0, 5 * 1048576.0},
	{"CPU time to start", "8 ms (Firecracker)", "boot", "", "boot_cpu_ns", NULL, ABSOLUTE, 0,
	 8e6},
};

static const json_t *find(const struct fig_set *set, const char *workload, const char *mode,
			  const char *metric, struct interval *iv)
{
	for (size_t i = 0; i < set->n; i++)
		if (!strcmp(view_str(set->rec[i], "workload"), workload) &&
		    (!*mode || !strcmp(view_str(set->rec[i], "mode"), mode)) &&
		    view_summary(set->rec[i], metric, iv))
			return set->rec[i];
	return NULL;
}

/* What we measured, in words; false when the records do not say. */
static bool measured(const struct fig_set *set, const struct claim *c, double *value, char *text,
		     size_t size, const json_t **rec)
{
	const char *unit = metric_find(c->metric) ? metric_find(c->metric)->unit : "";
	struct interval iv, other;
	char low[48], high[48];

	*rec = find(set, c->workload, c->mode, c->metric, &iv);
	if (!*rec)
		return false;
	if (c->kind == RATIO) {
		if (!find(set, c->workload, c->other_mode, c->metric, &other) || other.point <= 0)
			return false;
		*value = iv.point / other.point;
		snprintf(text, size, "%.3g x", *value);
		return true;
	}
	*value = iv.point;
	report_value(unit, iv.point, text, size);
	if (isfinite(iv.low)) {
		report_value(unit, iv.low, low, sizeof(low));
		report_value(unit, iv.high, high, sizeof(high));
		snprintf(text + strlen(text), size - strlen(text), " [%s, %s]", low, high);
	}
	return true;
}

static void claim_row(struct doc *d, const struct fig_set *set, const struct claim *c)
{
	const json_t *rec;
	char ours[160], why[160] = "";
	double v;
	bool holds;

	doc_cell(d, c->text);
	doc_cell(d, c->published);
	if (!measured(set, c, &v, ours, sizeof(ours), &rec)) {
		snprintf(why, sizeof(why), "needs bench run %s%s%s%s%s", c->workload,
			 *c->mode ? " --mode=" : "", c->mode, c->other_mode ? "," : "",
			 c->other_mode ? c->other_mode : "");
		doc_cell(d, "not in these runs");
		doc_cell(d, "");
		doc_cell(d, why);
		return;
	}
	holds = v >= c->low && v <= c->high;
	doc_cell(d, ours);
	if (c->kind == ABSOLUTE && strcmp(view_str(rec, "time_base"), "real")) {
		snprintf(why, sizeof(why), "%s time: absolute rates and times do not carry over",
			 view_str(rec, "time_base"));
		doc_cell(d, "cannot tell");
	} else {
		doc_cell(d, holds ? "yes" : "no");
	}
	doc_cell(d, why);
}

void report_claims(struct doc *d, const struct fig_set *set)
{
	static const char *const header[] = {"claim", "published", "ours", "holds", "why"};

	doc_heading(d, "Claims");
	doc_para(
		d,
		"Published or taught figures against these runs. Counts hold on every substrate, ratios within one; absolute "
		"times and rates are judged only where time is real.");
	doc_table_begin(d, ARRAY_SIZE(header), header);
	for (size_t i = 0; i < ARRAY_SIZE(claims); i++)
		claim_row(d, set, &claims[i]);
	doc_table_end(d);
}
