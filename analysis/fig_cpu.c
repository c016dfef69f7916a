// SPDX-License-Identifier: MIT
/* CPU time at each record, stacked by what the threads are for. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figure.h"
#include "base/number.h"

enum part { VCPU_GUEST, VCPU_HOST, IO, VHOST, OTHER, PARTS };

static const char *const part_names[] = {"vCPU, guest", "vCPU, host", "I/O threads",
					 "vhost workers", "other threads"};

/* A back end that tells no guest time from host time has one part for both. */
static const char *part_name(const bool *used, size_t p)
{
	if (p == VCPU_HOST && !used[VCPU_GUEST])
		return "vCPU";
	return part_names[p];
}

static enum part part_of(const char *role)
{
	if (!strcmp(role, "vcpu"))
		return VCPU_HOST;
	if (!strcmp(role, "io"))
		return IO;
	if (!strcmp(role, "vhost"))
		return VHOST;
	return OTHER;
}

static void add_threads(double percent[PARTS], const json_t *threads, double window_ns)
{
	struct record_thread t;

	for (size_t i = 0; record_thread(threads, i, &t); i++) {
		double guest_ns = finite_or(t.guest_ns, 0);

		if (!strcmp(t.role, "peer"))
			/* the other end of the wire is no part of what the VM costs, nor of cpu_pct */
			continue;
		/* As in /proc, the time of a thread holds that of its guest. */
		percent[part_of(t.role)] += 100 * (t.cpu_ns - guest_ns) / window_ns;
		percent[VCPU_GUEST] += 100 * guest_ns / window_ns;
	}
}

/* Percent of one CPU, mean over the ok samples that know their window and threads; false when none
 * does. */
static bool cpu_parts(const json_t *rec, double percent[PARTS])
{
	const json_t *samples = record_of(rec).samples;
	struct record_sample s;
	size_t n = 0;

	memset(percent, 0, PARTS * sizeof(*percent));
	for (size_t i = 0; record_sample(samples, i, &s); i++) {
		double window_ns = record_window_ns(rec, &s);

		if (!s.ok || window_ns <= 0 || !json_array_size(s.threads))
			continue;
		n++;
		add_threads(percent, s.threads, window_ns);
	}
	for (size_t p = 0; n && p < PARTS; p++)
		percent[p] /= (double)n;
	return n > 0;
}

bool fig_has_threads(const json_t *rec)
{
	double percent[PARTS];

	return cpu_parts(rec, percent);
}

static void cpu_plot(struct fig_doc *doc, const bool *used, double max)
{
	size_t index = 0;

	strbuf_addf(&doc->gp, "set ylabel \"CPU time (%% of a core)\"\nset yrange [0:%.4g]\n",
		    max * 1.12);
	fig_stack_key(doc, "");
	strbuf_adds(&doc->gp, "plot ");
	for (size_t p = 0; p < PARTS; p++)
		if (used[p])
			strbuf_addf(
				&doc->gp,
				"dat index %zu using 1:2:($1-0.34):($1+0.34):2:3 with boxxyerror @fill%zu lw 0.5 dt 1 "
				"title \"%s\", \\\n     ",
				index++, p + 1, part_name(used, p));
	strbuf_addf(
		&doc->gp,
		"dat index %zu using 1:2:(sprintf(\"%%.0f\", $2)) with labels boxed offset 0,0.5 notitle\n",
		index);
}

int fig_cpu(const struct fig_set *set, struct fig_doc *doc)
{
	double(*v)[PARTS] = xcalloc(set->n, sizeof(*v)), *foot = xcalloc(set->n, sizeof(*foot)),
	max = 0;
	bool used[PARTS] = {false}, any = false;

	for (size_t i = 0; i < set->n; i++) {
		any |= cpu_parts(set->rec[i], v[i]);
		for (size_t p = 0; p < PARTS; p++)
			used[p] |= v[i][p] > 0;
	}
	for (size_t p = 0; p < PARTS; p++) {
		if (!used[p])
			continue;
		strbuf_addf(&doc->dat, "# %s: position low high\n", part_name(used, p));
		for (size_t i = 0; i < set->n; i++) {
			strbuf_addf(&doc->dat, "%zu %.6g %.6g\n", i, foot[i], foot[i] + v[i][p]);
			foot[i] += v[i][p];
			max = fmax(max, foot[i]);
		}
		strbuf_adds(&doc->dat, "\n\n");
	}
	strbuf_adds(&doc->dat, "# totals: position total\n");
	for (size_t i = 0; i < set->n; i++)
		strbuf_addf(&doc->dat, "%zu %.6g\n", i, foot[i]);
	free(foot);
	free(v);
	if (!any || max <= 0)
		return fig_missing(
			doc, "no record has CPU times of threads with the length of the window");
	fig_category_axis(set, doc);
	cpu_plot(doc, used, max);
	strbuf_adds(
		&doc->caption,
		"Means over boots of the CPU time that each kind of thread used in the window; above: the sum.");
	return 0;
}
