// SPDX-License-Identifier: MIT
/* What two independent sources count must agree: the checks of a sample. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "bench/sample/measure.h"

static double number(const json_t *obj, const char *name)
{
	return json_number_value(json_object_get(obj, name));
}

/* "name value" in the text of KVM's own statistics; -1 when it is not there. */
static double kvm_stat(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *s = text; s && *s; s = strchr(s, '\n'), s = s ? s + 1 : NULL)
		if (!strncmp(s, name, len) && s[len] == ' ')
			return strtod(s + len, NULL);
	return -1;
}

static double kvm_stat_vcpus(const char *text, unsigned vcpus, const char *name)
{
	double sum = 0, v;
	char full[64];

	for (unsigned i = 0; i < vcpus; i++) {
		snprintf(full, sizeof(full), "vcpu%u/%s", i, name);
		v = kvm_stat(text, full);
		if (v < 0)
			return -1;
		sum += v;
	}
	return sum;
}

static double vmm_exits(const struct stats_page *p)
{
	double sum = 0;

	for (uint32_t i = 0; i < MIN(p->n_vcpus, STATS_VCPUS); i++)
		for (unsigned r = 0; r < STATS_REASONS; r++)
			sum += (double)(p->at_close.vcpu[i].exits[r] - p->at_open.vcpu[i].exits[r]);
	return sum;
}

static bool near(double a, double b, double slack)
{
	return a >= b - slack && a <= b + slack;
}

/*
 * The share of the window that passes between a marker's event and the VMM having read KVM's statistics, at
 * both edges. On a busy machine the VMM may have to wait for a core meanwhile.
 */
static double edges(const struct observed *o)
{
	const json_t *w = json_object_get(o->probes, "window");
	double open = number(w, "open_ns"), close = number(w, "close_ns");
	double late = ((double)o->stats->open_ns - open) + ((double)o->stats->closed_ns - close);

	return close > open && o->stats->closed_ns && late > 0 ? late / (close - open) : 0;
}

/*
 * With one vCPU both counts stand still meanwhile; of several, the others may be twice as busy as in
 * the window.
 */
static double run_on(const struct observed *o, double count)
{
	unsigned n = o->stats->n_vcpus;

	return n > 1 ? 2 * n + 2 * count * edges(o) : 0;
}

/*
 * Back ends without kvm_exit: the probes count returns of KVM_RUN, so what they must agree with is the VMM.
 */
static bool check_userspace(const struct observed *o, const json_t *totals, json_t *sample)
{
	double ours = number(totals, "exits"), theirs = vmm_exits(o->stats);
	bool ok = near(ours, theirs, MAX(2, run_on(o, ours)));
	char detail[160];

	snprintf(detail, sizeof(detail), "probes %.0f exits to userspace, the VMM %.0f", ours, theirs);
	measure_check(sample, "cross_check", ok, detail);
	return ok;
}

/* KVM's name of a statistic, and of ours in totals. */
static const struct {
	const char *kvm, *ours;
} pairs[] = {
	{"exits", "exits"}, {"io_exits", "pio"}, {"mmio_exits", "mmio"}, {"halt_exits", "hlt"},
	{"irq_injections", "injected"},
};

/* Some kernels leave what the fast path handled out of "exits"; the probes know how many those were. */
static bool check_pair(const struct observed *o, const json_t *totals, size_t i, struct strbuf *detail)
{
	unsigned n = o->stats->n_vcpus;
	double a = kvm_stat_vcpus(o->stats->kvm_open, n, pairs[i].kvm);
	double b = kvm_stat_vcpus(o->stats->kvm_close, n, pairs[i].kvm);
	double ours = number(totals, pairs[i].ours), fast = i ? 0 : number(totals, "fast"),
	       slack = run_on(o, ours);
	bool ok = true, left_out;

	if (a < 0 || b < 0) /* this kernel has no such statistic */
		return true;
	left_out = fast > 0 && !near(ours, b - a, slack) && near(ours - fast, b - a, slack);
	ok = left_out || near(ours, b - a, slack);
	strbuf_addf(detail, "%s%s %.0f", detail->len ? ", " : "", pairs[i].kvm, ours);
	if (left_out)
		strbuf_addf(detail, " (KVM %.0f: it leaves out %.0f of its fast path)", b - a, fast);
	else if (ours != b - a)
		strbuf_addf(detail, " (KVM %.0f)", b - a);
	return ok;
}

bool measure_cross_check(const struct observed *o, json_t *sample)
{
	json_t *totals = json_object_get(o->probes, "totals");
	struct strbuf detail = STRBUF_INIT;
	const char *backend;
	bool ok = true;

	if (!totals || !o->stats || o->whole_boot)
		return true;
	backend = json_string_value(json_object_get(o->probes, "backend"));
	if (backend && strcmp(backend, "svm") && strcmp(backend, "vmx"))
		return check_userspace(o, totals, sample);
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		ok &= check_pair(o, totals, i, &detail);
	if (detail.len)
		measure_check(sample, "cross_check", ok, strbuf_str(&detail));
	strbuf_free(&detail);
	return ok;
}
