// SPDX-License-Identifier: MIT
#include "analysis/audit.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/stats.h"
#include "results/record.h"

#define NARROW_PCT 10.0 /* half of an interval, of its median */
#define COSTLY_PCT 5.0	/* of the CPU, by the probes */
#define STEAL_PCT  1.0

const char *audit_answer_text(enum audit_answer a)
{
	static const char *const text[] = {"yes", "no", "cannot tell"};

	return text[a];
}

/* The record that is asked, and what was looked up in it. */
struct asked {
	const json_t *rec;
	struct record r;
	char metric[48]; /* the first of the workload's headline that it has; "" when none */
	struct interval value;
	size_t boots, good;
};

static enum audit_answer say(struct audit_row *row, enum audit_answer answer, const char *fmt, ...)
	PRINTF(3, 4);
static enum audit_answer say(struct audit_row *row, enum audit_answer answer, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(row->detail, sizeof(row->detail), fmt, ap);
	va_end(ap);
	return answer;
}

static enum audit_answer yes_if(bool yes)
{
	return yes ? AUDIT_YES : AUDIT_NO;
}

/* ---- did it happen ---- */

static enum audit_answer did_happen(const struct asked *a, struct audit_row *row)
{
	size_t checks = json_array_size(a->r.checks);

	return say(row, yes_if(a->good && a->good == a->boots),
		   "%zu of %zu boots are good; %zu checks in each", a->good, a->boots, checks);
}

static enum audit_answer has_no_errors(const struct asked *a, struct audit_row *row)
{
	struct record_sample s;
	struct record_check c;
	struct interval loss = {.point = 0};

	for (size_t i = 0; record_sample(a->r.samples, i, &s); i++)
		if (!s.ok)
			return say(row, AUDIT_NO, "boot %zu: %s", i + 1, s.error);
	for (size_t i = 0; record_check(a->r.checks, i, &c); i++)
		if (!c.ok)
			return say(row, AUDIT_NO, "check %s: %s", c.name, c.detail);
	if (record_summary(a->rec, "loss_pct", &loss) && loss.point > 0)
		return say(row, AUDIT_NO, "%.3g %% of the packets were lost", loss.point);
	return say(row, AUDIT_YES, "no boot and no check failed, nothing was lost");
}

/* ---- what it says of the machine ---- */

/* The thread that was saturated in most boots. */
static enum audit_answer is_limit_known(const struct asked *a, struct audit_row *row)
{
	struct record_bottleneck b = {0}, busiest = {.role = ""};
	size_t saturated = 0, n = 0;
	struct record_sample s;

	for (size_t i = 0; record_sample(a->r.samples, i, &s); i++) {
		if (!s.bottleneck)
			continue;
		b = record_bottleneck_of(&s);
		saturated += b.saturated;
		n++;
		if (b.busy_pct > busiest.busy_pct)
			busiest = b;
	}
	if (!n)
		return say(row, AUDIT_UNKNOWN, "nobody's CPU time was measured (no window, or --no-probes)");
	if (2 * saturated > n)
		return say(row, AUDIT_YES, "%s was busy for up to %.0f %%, saturated in %zu of %zu boots",
			   busiest.role, busiest.busy_pct, saturated, n);
	return say(row, AUDIT_NO, "no thread was saturated (busiest: %s, %.0f %%): it waits for something else",
		   busiest.role, busiest.busy_pct);
}

static enum audit_answer is_quiet(const struct asked *a, struct audit_row *row)
{
	double steal = 0;
	size_t tagged = 0, n = 0;
	struct record_sample s;
	struct record_noise noise;

	for (size_t i = 0; record_sample(a->r.samples, i, &s); i++) {
		tagged += json_array_size(s.tags) > 0;
		if (!s.noise)
			continue;
		members_read(&noise_members, s.noise, &noise);
		steal = fmax(steal, noise.steal_pct);
		n++;
	}
	if (!n)
		return say(row, AUDIT_UNKNOWN, "no noise was measured");
	return say(row, yes_if(!tagged && steal < STEAL_PCT), "at most %.2g %% steal; %zu of %zu boots are marked", steal,
		   tagged, a->boots);
}

static enum audit_answer is_specified(const struct asked *a, struct audit_row *row)
{
	struct record_environment e = record_environment_of(a->rec);
	size_t inputs = json_array_size(a->r.inputs);

	return say(row, yes_if(*e.cpu && *e.kernel && inputs), "CPU %s, Linux %.*s; %zu inputs by SHA-256",
		   e.cpu, (int)strcspn(e.kernel, " "), e.kernel, inputs);
}

static enum audit_answer is_real(const struct asked *a, struct audit_row *row)
{
	bool real = !strcmp(a->r.time_base, "real");
	const char *hint = text_if(!real, ": counts hold, times only as ratios within it");

	return say(row, yes_if(real), "substrate %s, times %s%s", a->r.substrate, a->r.time_base, hint);
}

/* ---- what it says of the numbers ---- */

/* The check of a deterministic run: its repetitions agree. */
static bool is_exact(const struct asked *a)
{
	struct record_check c;

	for (size_t i = 0; record_check(a->r.checks, i, &c); i++)
		if (!strcmp(c.name, "deterministic"))
			return c.ok;
	return false;
}

static enum audit_answer has_variance(const struct asked *a, struct audit_row *row)
{
	if (a->good >= STATS_MIN_N)
		return say(row, AUDIT_YES, "n = %zu boots, medians with 95 %% intervals", a->good);
	if (is_exact(a))
		return say(row, AUDIT_YES, "n = %zu boots in virtual time, in which nothing varies", a->good);
	return say(row, AUDIT_NO, "n = %zu boots: too few for an interval, %d are needed", a->good, STATS_MIN_N);
}

static enum audit_answer is_repeatable(const struct asked *a, struct audit_row *row)
{
	double half = 50 * (a->value.high - a->value.low) / fabs(a->value.point);
	double *x;
	size_t n;
	bool two;

	if (is_exact(a))
		return say(row, AUDIT_YES, "%zu boots in virtual time are equal in every digit", a->good);
	if (!*a->metric || !isfinite(half))
		return say(row, AUDIT_UNKNOWN, "no interval of a headline metric");
	x = record_values(a->rec, a->metric, &n);
	two = stats_bimodal(x, n);
	free(x);
	if (two)
		return say(row, AUDIT_NO, "%s has two modes: its median is neither", a->metric);
	return say(row, yes_if(half <= NARROW_PCT), "%s within %.2g %% over the boots of this run", a->metric,
		   half);
}

static enum audit_answer is_absolute(const struct asked *a, struct audit_row *row)
{
	if (!*a->metric)
		return say(row, AUDIT_UNKNOWN, "none of the workload's headline metrics");
	return say(row, AUDIT_YES, "%s %s", a->metric, metric_text(a->metric, a->value.point));
}

/* Throughput or latency alone hides what they were bought with. */
static enum audit_answer has_cpu_cost(const struct asked *a, struct audit_row *row)
{
	static const char *const cost[] = {"cpu_ns_per_packet", "cpu_ns_per_io", "cpu_pct", "cpu_host_pct",
					   "boot_cpu_ns"};
	struct interval iv;

	for (size_t i = 0; i < ARRAY_SIZE(cost); i++)
		if (record_summary(a->rec, cost[i], &iv))
			return say(row, AUDIT_YES, "%s %s", cost[i], metric_text(cost[i], iv.point));
	return say(row, AUDIT_NO, "no CPU time beside it: throughput that costs more is no gain");
}

/* ---- what it was held against ---- */

/* "virtio/builtin/0": the cells that the plan's order names beside this one. */
static bool is_of_cell(const char *step, const char *cell)
{
	size_t len = strlen(cell);

	return !strncmp(step, cell, len) && step[len] == '/';
}

static enum audit_answer has_baseline(const struct asked *a, struct audit_row *row)
{
	struct record_plan p = record_plan_of(a->rec);
	const char *step, *end;

	for (size_t i = 0; record_text(p.order, i, &step); i++) {
		end = strrchr(step, '/');
		if (!is_of_cell(step, p.cell) && end)
			return say(row, AUDIT_YES, "of the same plan: %.*s", (int)(end - step), step);
	}
	return say(row, AUDIT_NO, "alone: add --mode=host, another --vmm or bench ab");
}

static enum audit_answer is_interleaved(const struct asked *a, struct audit_row *row)
{
	struct record_plan p = record_plan_of(a->rec);

	if (!json_array_size(p.order))
		return say(row, AUDIT_UNKNOWN, "the order of the boots is not recorded");
	return say(row, AUDIT_YES, "order of the plan drawn with seed %lld, %lld warm-up boots", (long long)p.seed,
		   (long long)p.warmup);
}

static enum audit_answer is_more_than_micro(const struct asked *a, struct audit_row *row)
{
	if (!strcmp(a->r.guest, "micro"))
		return say(row, AUDIT_NO, "a microbenchmark: what one operation costs, not what a program loses by it");
	return say(row, AUDIT_YES, "%s in a %s guest; a made load all the same", a->r.workload, a->r.guest);
}

static enum audit_answer is_instrument_known(const struct asked *a, struct audit_row *row)
{
	struct record_input in;

	for (size_t i = 0; record_input(a->r.inputs, i, &in); i++)
		if (!strcmp(in.build, "debug") || !strcmp(in.build, "asan"))
			return say(row, AUDIT_NO, "%s is a build of type %s", in.name, in.build);
	if (isnan(a->r.overhead_pct))
		return say(row, AUDIT_UNKNOWN, "what the probes cost was not measured (--no-probes)");
	return say(row, yes_if(a->r.overhead_pct <= COSTLY_PCT), "the probes took %.2g %% of the CPU; release builds",
		   a->r.overhead_pct);
}

/* ---- the list ---- */

static const struct {
	const char *from, *question;
	enum audit_answer (*ask)(const struct asked *a, struct audit_row *row);
} questions[AUDIT_QUESTIONS] = {
	{"Gregg", "Did it happen at all?", did_happen},
	{"Gregg", "Without errors?", has_no_errors},
	{"Gregg", "Why not double: is it known what limited it?", is_limit_known},
	{"Gregg", "Does it repeat?", is_repeatable},
	{"Gregg", "Was the machine quiet?", is_quiet},
	{"Heiser", "Is the significance shown: n and intervals?", has_variance},
	{"Heiser", "Is there a baseline?", has_baseline},
	{"Heiser", "Are there absolute numbers, not only relative ones?", is_absolute},
	{"Heiser", "Is the CPU's cost beside the result?", has_cpu_cost},
	{"Heiser", "Is it more than a microbenchmark?", is_more_than_micro},
	{"Heiser", "Is it a real machine, not a simulated one?", is_real},
	{"Heiser", "Is the platform specified?", is_specified},
	{"ours", "Were boots interleaved in an order that was drawn?", is_interleaved},
	{"ours", "Is the cost of measuring known and small?", is_instrument_known},
};

static void find_headline(struct asked *a, const char *headline)
{
	char *copy = xstrdup(text_or(headline, "")), *save;

	for (char *w = strtok_r(copy, " ", &save); w && !*a->metric; w = strtok_r(NULL, " ", &save))
		if (record_summary(a->rec, w, &a->value))
			snprintf(a->metric, sizeof(a->metric), "%s", w);
	free(copy);
}

void audit_record(const json_t *rec, const char *headline, struct audit_row row[AUDIT_QUESTIONS])
{
	struct asked a = {.rec = rec,
			  .r = record_of(rec),
			  .value = {NAN, NAN, NAN, 0},
			  .good = record_ok_samples(rec)};

	a.boots = json_array_size(a.r.samples);
	find_headline(&a, headline);
	for (size_t i = 0; i < AUDIT_QUESTIONS; i++) {
		row[i] = (struct audit_row){.from = questions[i].from, .question = questions[i].question};
		row[i].answer = questions[i].ask(&a, &row[i]);
	}
}

json_t *audit_json(const struct audit_row row[AUDIT_QUESTIONS])
{
	json_t *list = json_array();

	for (size_t i = 0; i < AUDIT_QUESTIONS; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:s}", "from", row[i].from, "question",
						row[i].question, "answer", audit_answer_text(row[i].answer),
						"detail", row[i].detail));
	return list;
}

/* ---- in a report ---- */

static void report_table(struct doc *d, const struct fig_set *set, struct audit_row (*rows)[AUDIT_QUESTIONS])
{
	const char **header = xcalloc(set->n + 1, sizeof(*header));

	header[0] = "question";
	for (size_t i = 0; i < set->n; i++)
		header[i + 1] = fig_label(set, i, NULL);
	doc_table_begin(d, set->n + 1, header);
	for (size_t q = 0; q < AUDIT_QUESTIONS; q++) {
		doc_cell(d, questions[q].question);
		for (size_t i = 0; i < set->n; i++)
			doc_cell(d, audit_answer_text(rows[i][q].answer));
	}
	doc_table_end(d);
	for (size_t i = 0; i < set->n; i++)
		free((char *)header[i + 1]);
	free(header);
}

/* "host, e1000": those from i on that have this answer for the same reason. Caller frees. */
static char *labels_of(const struct fig_set *set, struct audit_row (*rows)[AUDIT_QUESTIONS], size_t q,
		       size_t i)
{
	const char *detail = rows[i][q].detail;
	struct strbuf sb = STRBUF_INIT;

	for (; i < set->n; i++) {
		char *label;

		if (rows[i][q].answer == AUDIT_YES || strcmp(rows[i][q].detail, detail) != 0)
			continue;
		label = fig_label(set, i, NULL);
		strbuf_sep(&sb, "; ");
		strbuf_adds(&sb, label);
		free(label);
	}
	return strbuf_take(&sb);
}

static bool is_told(struct audit_row (*rows)[AUDIT_QUESTIONS], size_t q, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (rows[k][q].answer != AUDIT_YES && !strcmp(rows[k][q].detail, rows[i][q].detail))
			return true;
	return false;
}

static void report_reasons(struct doc *d, const struct fig_set *set,
			   struct audit_row (*rows)[AUDIT_QUESTIONS])
{
	bool any = false;

	for (size_t k = 0; k < set->n * AUDIT_QUESTIONS; k++) {
		size_t q = k / set->n, i = k % set->n;
		char *labels, *text;

		if (rows[i][q].answer == AUDIT_YES || is_told(rows, q, i))
			continue;
		if (!any)
			doc_item_begin(d);
		any = true;
		labels = labels_of(set, rows, q, i);
		text = xasprintf("%s %s: %s", rows[i][q].question, labels, rows[i][q].detail);
		doc_item(d, text);
		free(text);
		free(labels);
	}
	if (any)
		doc_item_end(d);
}

void audit_report(struct doc *d, const struct fig_set *set, const char *(*headline)(const char *workload))
{
	struct audit_row(*rows)[AUDIT_QUESTIONS] = xcalloc(set->n + 1, sizeof(*rows));

	for (size_t i = 0; i < set->n; i++) {
		const char *metrics = headline ? headline(record_of(set->rec[i]).workload) : NULL;

		audit_record(set->rec[i], metrics, rows[i]);
	}
	doc_heading(d, "Audit");
	doc_para(d, "What to ask of a benchmark (Heiser's \"Systems Benchmarking Crimes\", Gregg's checklist), answered from the "
		    "records alone.");
	report_table(d, set, rows);
	report_reasons(d, set, rows);
	free(rows);
}
