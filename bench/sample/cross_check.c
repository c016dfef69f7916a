// SPDX-License-Identifier: MIT
/* What two independent sources count must agree: the checks of a sample. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "bench/sample/measure.h"
#include "probes/data.h"

/* "name value" in the text of KVM's own statistics; -1 when it is not there. */
static double kvm_stat(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *s = text; s; s = strchr(s, '\n')) {
		s += strspn(s, "\n");
		if (!strncmp(s, name, len) && s[len] == ' ')
			return strtod(s + len, NULL);
	}
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
	struct probed_window w = probed_window_of(o->probes);
	double late = ((double)o->stats->open_ns - w.open_ns) + ((double)o->stats->closed_ns - w.close_ns);

	if (w.close_ns <= w.open_ns || !o->stats->closed_ns || late <= 0)
		return 0;
	return late / (w.close_ns - w.open_ns);
}

/*
 * With one vCPU both counts stand still meanwhile; of several, the others may be twice as busy as in
 * the window.
 */
static double run_on(const struct observed *o, double count)
{
	unsigned n = o->stats->n_vcpus;

	if (n < 2)
		return 0;
	return 2 * n + 2 * count * edges(o);
}

/*
 * Back ends without kvm_exit: the probes count returns of KVM_RUN, so what they must agree with is the VMM.
 */
static bool check_userspace(const struct observed *o, double ours, json_t *checks)
{
	double theirs = vmm_exits(o->stats);
	bool ok = near(ours, theirs, MAX(2, run_on(o, ours)));
	char detail[160];

	snprintf(detail, sizeof(detail), "probes %.0f exits to userspace, the VMM %.0f", ours, theirs);
	record_add_check(checks, "cross_check", ok, detail);
	return ok;
}

/* KVM's name of a statistic, what we counted of it, and how much of that the fast path handled. */
struct pair {
	const char *kvm;
	double ours, fast;
};

/* Some kernels leave what the fast path handled out of "exits"; the probes know how many those were. */
static bool check_pair(const struct observed *o, const struct pair *p, struct strbuf *detail)
{
	unsigned n = o->stats->n_vcpus;
	double a = kvm_stat_vcpus(o->stats->kvm_open, n, p->kvm);
	double b = kvm_stat_vcpus(o->stats->kvm_close, n, p->kvm), slack = run_on(o, p->ours);
	bool equal, left_out;

	if (a < 0 || b < 0) /* this kernel has no such statistic */
		return true;
	equal = near(p->ours, b - a, slack);
	left_out = p->fast > 0 && !equal && near(p->ours - p->fast, b - a, slack);
	strbuf_sep(detail, ", ");
	strbuf_addf(detail, "%s %.0f", p->kvm, p->ours);
	if (left_out)
		strbuf_addf(detail, " (KVM %.0f: it leaves out %.0f of its fast path)", b - a, p->fast);
	else if (p->ours != b - a)
		strbuf_addf(detail, " (KVM %.0f)", b - a);
	return equal || left_out;
}

bool measure_cross_check(const struct observed *o, json_t *checks)
{
	struct probed d = probed_of(o->probes);
	struct probed_totals t = probed_totals_of(o->probes);
	const struct pair pairs[] = {{"exits", t.exits, t.fast},	      {"io_exits", t.pio, 0},
				     {"mmio_exits", t.mmio, 0},	      {"halt_exits", t.hlt, 0},
				     {"irq_injections", t.injected, 0}};
	struct strbuf detail = STRBUF_INIT;
	bool ok = true;

	if (!d.totals || !o->stats || o->whole_boot)
		return true;
	if (*d.backend && strcmp(d.backend, "svm") != 0 && strcmp(d.backend, "vmx") != 0)
		return check_userspace(o, t.exits, checks);
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		ok &= check_pair(o, &pairs[i], &detail);
	if (detail.len)
		record_add_check(checks, "cross_check", ok, strbuf_str(&detail));
	strbuf_free(&detail);
	return ok;
}

static bool check_commands(const struct observed *o, double ios, json_t *checks)
{
	double got = (double)(o->commands[1] - o->commands[0]);
	char detail[160];

	snprintf(detail, sizeof(detail), "guest %.0f requests; the kernel's target %.0f commands", ios, got);
	record_add_check(checks, "disk_requests", got == ios, detail);
	return got == ios;
}

bool measure_disk_check(const struct observed *o, json_t *checks)
{
	double ios = json_number_value(json_object_get(o->agent, "ios"));
	double flushes = json_number_value(json_object_get(o->agent, "flushes")), got = 0, flushed = 0,
	       failed = 0;
	char detail[160];
	bool ok;

	if (o->open_ends || !json_object_get(o->agent, "ios"))
		return true;
	if (o->commands)
		return check_commands(o, ios, checks);
	if (!o->stats || !o->stats->close_ns || o->foreign_helper)
		return true;
	for (uint32_t i = 0; i < MIN(o->stats->n_queues, STATS_QUEUES); i++) {
		const struct stats_queue *a = &o->stats->at_open.queue[i], *b = &o->stats->at_close.queue[i];

		got += (double)(b->descs - a->descs);
		flushed += (double)(b->flushes - a->flushes);
		failed += (double)(b->errors - a->errors + b->bad - a->bad);
	}
	ok = got == ios && flushed == flushes && !failed;
	snprintf(detail, sizeof(detail), "guest %.0f requests, %.0f flushes; VMM %.0f, %.0f, failed %.0f", ios, flushes, got,
		 flushed, failed);
	record_add_check(checks, "disk_requests", ok, detail);
	return ok;
}
