// SPDX-License-Identifier: MIT
/* The record of one cell from its samples, and the files beside it. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "analysis/stats.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/file.h"
#include "base/strlist.h"
#include "bench/host/environment.h"
#include "bench/host/outer.h"
#include "bench/lab/lab.h"
#include "bench/sample/measure.h"
#include "bench/run/run.h"
#include "bench/host/tune.h"

#define KEY(name) MEMBER_KEY(struct record, name)

/* ---- summary ---- */

static json_t *summarise_metric(const json_t *record, const char *metric)
{
	const struct metric_info *info = metric_find(metric);
	size_t n;
	double *x = record_values(record, metric, &n);
	struct interval ci = stats_median_ci(x, n);
	struct record_summary s = {
		.median = ci.point, .ci_low = ci.low, .ci_high = ci.high, .n = (int64_t)n, .unit = ""};

	if (info)
		s.unit = info->unit;
	free(x);
	return members_write(&summary_members, &s);
}

static json_t *summarise(const json_t *record)
{
	const json_t *samples = record_of(record).samples;
	json_t *summary = json_object(), *v;
	struct record_sample s;
	const char *name;

	for (size_t i = 0; record_sample(samples, i, &s); i++)
		json_object_foreach(s.metrics, name, v)
			if (s.ok && !json_object_get(summary, name))
				json_object_set_new(summary, name, summarise_metric(record, name));
	return summary;
}

/* ---- exits over all samples ---- */

struct exit_row {
	double total_ns;
	json_t *json;
};

static int by_total(const void *a, const void *b)
{
	double x = ((const struct exit_row *)a)->total_ns, y = ((const struct exit_row *)b)->total_ns;

	return (x < y) - (x > y);
}

/* Sorts exits by their total time, the largest first. */
static json_t *sort_exits(const json_t *exits)
{
	struct exit_row *row = xcalloc(json_array_size(exits), sizeof(*row));
	json_t *sorted = json_array();
	struct record_exit e;
	size_t n = 0;

	for (; record_exit(exits, n, &e); n++)
		row[n] = (struct exit_row){e.total_ns, json_array_get(exits, n)};
	qsort(row, n, sizeof(*row), by_total);
	for (size_t i = 0; i < n; i++)
		json_array_append(sorted, row[i].json);
	free(row);
	return sorted;
}

/* Counts and times are means per sample; percentiles come from the merged histograms. */
static json_t *merge_exits(const json_t *record)
{
	const json_t *samples = record_of(record).samples;
	json_t *all = json_array(), *merged, *sorted;
	struct record_sample s;

	for (size_t i = 0; record_sample(samples, i, &s); i++)
		if (s.ok)
			json_array_extend(all, s.exits);
	merged = measure_merge_exits(all);
	measure_exits_per_sample(merged, record_ok_samples(record));
	sorted = sort_exits(merged);
	json_decref(merged);
	json_decref(all);
	return sorted;
}

/* ---- checks ---- */

struct checks {
	struct record_check *v;
	size_t n;
};

/* A check of the run holds when it holds in every sample; the first that does not gives the detail. */
static void merge_check(struct checks *all, const struct record_check *c)
{
	for (size_t i = 0; i < all->n; i++) {
		if (strcmp(all->v[i].name, c->name) != 0)
			continue;
		if (all->v[i].ok && !c->ok)
			all->v[i] = *c;
		return;
	}
	all->v = xgrow(all->v, all->n, sizeof(*all->v));
	all->v[all->n++] = *c;
}

/* *ok: each of them holds. */
static json_t *merge_checks(const json_t *record, bool *ok)
{
	const json_t *samples = record_of(record).samples;
	json_t *merged = json_array();
	struct checks all = {NULL, 0};
	struct record_sample s;
	struct record_check c;

	for (size_t i = 0; record_sample(samples, i, &s); i++)
		for (size_t k = 0; record_check(s.checks, k, &c); k++)
			merge_check(&all, &c);
	*ok = true;
	for (size_t i = 0; i < all.n; i++) {
		*ok &= all.v[i].ok;
		record_add_check(merged, all.v[i].name, all.v[i].ok, all.v[i].detail);
	}
	free(all.v);
	return merged;
}

/* ---- the record ---- */

static json_t *plan_json(const struct plan *p, size_t cell)
{
	struct record_plan plan = {
		.seed = (int64_t)p->seed,
		.order = json_array(),
		.reps = p->reps,
		.warmup = (int64_t)p->args->warmup,
		.cell = p->cell[cell].label,
	};

	for (size_t i = 0; i < p->n_steps; i++)
		json_array_append_new(plan.order,
				      json_sprintf("%s/%u%s", p->cell[p->step[i].cell].label, p->step[i].rep,
						   text_if(p->step[i].warmup, " warm-up")));
	return members_write(&plan_members, &plan);
}

static json_t *knobs_json(const struct cell *c)
{
	json_t *knobs = json_object();

	for (size_t i = 0; i < c->knobs.n; i++)
		json_object_set_new(knobs, c->knobs.k[i].name, json_string(c->knobs.k[i].value));
	return knobs;
}

static const char *topology_of(const struct plan *p, const struct cell *c)
{
	if (!cell_has_net(c))
		return "";
	return plan_real_wire(p) ? "wire" : "local";
}

/* The parameters that shape the run; `bench rerun` and `bench gate` ask for the same again. */
static json_t *params_json(const struct plan *p, const struct cell *c)
{
	const struct run_args *a = p->args;
	const struct record_params params = {
		.duration_ns = (int64_t)cell_duration_ns(c, a),
		.work = (int64_t)a->work,
		.reps = p->reps,
		.cpus = cell_cpus(c),
		.mem_bytes = (int64_t)cell_mem(c),
		.tool = knobs_get(&c->knobs, "tool", "engine"),
		.ipv6 = a->ipv6,
		.topology = topology_of(p, c),
		.pin = text_or(a->pin, "auto"),
		.kernel = text_or(c->programs.kernel, a->kernel),
		.medium = cell_has_disk(c) ? args_medium(a) : NULL,
		.nic = a->nic,
		.vf = a->vf,
		.peer = a->peer,
		.condition = a->condition,
		.tune = a->tune,
		.no_probes = a->no_probes,
		.unsafe_interrupts = a->unsafe_interrupts,
	};

	return members_write(&params_members, &params);
}

static char *vmm_name(const struct cell *c)
{
	if (!c->vmm)
		return xstrdup("");
	return xasprintf("%s%s%s", c->vmm->name, text_if(*c->variant, ":"), c->variant);
}

static const char *time_base(void)
{
	struct outer told = outer_told();

	if (told.virtual_time)
		return "virtual";
	return told.lab ? "emulated" : "real";
}

void run_refresh_record(json_t *rec)
{
	size_t samples = json_array_size(record_of(rec).samples);
	struct interval overhead = {.point = NAN};
	bool checks_ok;

	json_object_set_new(rec, KEY(summary), summarise(rec));
	json_object_set_new(rec, KEY(exits), merge_exits(rec));
	json_object_set_new(rec, KEY(checks), merge_checks(rec, &checks_ok));
	if (!record_summary(rec, "overhead_pct", &overhead))
		overhead.point = NAN;
	json_object_set_new(rec, KEY(overhead_pct), json_real_or_null(overhead.point));
	json_object_set_new(rec, KEY(ok),
			    json_boolean(checks_ok && samples && record_ok_samples(rec) == samples));
}

static json_t *environment_of_run(const struct run_origin *from)
{
	json_t *env = environment_json();

	json_object_set_new(env, MEMBER_KEY(struct record_environment, tune), tune_json(from->tune));
	return env;
}

json_t *run_record(const struct plan *p, size_t cell, json_t *samples, const struct run_origin *from)
{
	const struct cell *c = &p->cell[cell];
	char now[32], *vmm = vmm_name(c);
	struct record r = {
		.schema = RECORD_SCHEMA,
		.plan_id = from->plan_id,
		.started = from->started,
		.finished = now,
		.argv = json_incref(from->call->argv),
		.workload = c->workload->name,
		.mode = c->mode->name,
		.vmm = vmm,
		.guest = c->guest,
		.substrate = lab_substrate(),
		.time_base = time_base(),
		.knobs = knobs_json(c),
		.options = json_incref(from->call->options),
		.params = params_json(p, c),
		.plan = plan_json(p, cell),
		.environment = environment_of_run(from),
		.inputs = run_inputs(c, from->kernel_dir),
		.samples = json_incref(samples),
		.overhead_pct = NAN,
	};
	json_t *rec;

	clock_iso8601(time(NULL), now, sizeof(now));
	rec = members_write(&record_members, &r);
	run_refresh_record(rec);
	free(vmm);
	return rec;
}

/* ---- files beside it ---- */

static void csv_exits(struct strbuf *sb, size_t index, const json_t *exits)
{
	struct record_exit e;

	for (size_t i = 0; record_exit(exits, i, &e); i++) {
		strbuf_addf(sb, "%zu,", index);
		escape_text(sb, LANGUAGE_CSV, e.reason);
		strbuf_addc(sb, ',');
		escape_text(sb, LANGUAGE_CSV, e.key);
		strbuf_addf(sb, ",%.0f,%.0f,%.0f,%.0f,%.0f,%.0f,%.0f,%.0f\n", e.count, e.total_ns, e.p50_ns,
			    e.p99_ns, e.kvm_ns, e.user_ns, e.wait_ns, e.asleep_ns);
	}
}

static void csv_hist(struct strbuf *sb, size_t index, const json_t *json)
{
	struct hist *h = xcalloc(1, sizeof(*h));

	if (!hist_from_json(json, h))
		for (unsigned s = 0; s < HIST_SLOTS; s++)
			if (h->slots[s])
				strbuf_addf(sb, "%zu,%llu,%llu,%llu\n", index,
					    (unsigned long long)hist_slot_low(s),
					    (unsigned long long)hist_slot_high(s),
					    (unsigned long long)h->slots[s]);
	free(h);
}

static int write_named(const char *dir, const char *name, const struct strbuf *sb)
{
	char *path = xasprintf("%s/%s.csv", dir, name);
	int err = file_write_atomic(path, strbuf_str(sb), sb->len);

	free(path);
	return err;
}

static int write_hist(const char *run_dir, const json_t *samples, const char *name)
{
	char *file = xasprintf("hist-%s", name);
	struct strbuf sb = STRBUF_INIT;
	struct record_sample s;
	int err;

	strbuf_adds(&sb, "sample,low_ns,high_ns,count\n");
	for (size_t i = 0; record_sample(samples, i, &s); i++)
		csv_hist(&sb, i, json_object_get(s.hists, name));
	err = write_named(run_dir, file, &sb);
	strbuf_free(&sb);
	free(file);
	return err;
}

static int write_hists(const char *run_dir, const json_t *samples)
{
	struct strlist names = STRLIST_INIT;
	struct record_sample s;
	const char *name;
	json_t *v;
	int err = 0;

	for (size_t i = 0; record_sample(samples, i, &s); i++)
		json_object_foreach(s.hists, name, v)
			strlist_add_once(&names, name);
	for (size_t i = 0; i < names.n && !err; i++)
		err = write_hist(run_dir, samples, names.v[i]);
	strlist_free(&names);
	return err;
}

int run_write_csv(const char *run_dir, const json_t *record)
{
	const json_t *samples = record_of(record).samples;
	struct strbuf sb = STRBUF_INIT;
	struct record_sample s;
	int err;

	strbuf_adds(&sb, "sample,reason,key,count,total_ns,p50_ns,p99_ns,kvm_ns,user_ns,wait_ns,asleep_ns\n");
	for (size_t i = 0; record_sample(samples, i, &s); i++)
		csv_exits(&sb, i, s.exits);
	err = write_named(run_dir, "exits", &sb);
	strbuf_free(&sb);
	if (err)
		return err;
	return write_hists(run_dir, samples);
}

/* ---- comparison ---- */

static json_t *compare_metric(const json_t *base, const json_t *rec, const char *metric)
{
	size_t na, nb;
	double *a = record_values(base, metric, &na), *b = record_values(rec, metric, &nb);
	json_t *row = NULL;

	if (na && nb) {
		struct interval r = stats_ratio_ci(a, na, b, nb, 1);

		row = json_pack("{s:s, s:o, s:o, s:o, s:i}", "metric", metric, "ratio",
				json_real_or_null(r.point), "ci_low", json_real_or_null(r.low), "ci_high",
				json_real_or_null(r.high), "n", (int)MIN(na, nb));
	}
	free(a);
	free(b);
	return row;
}

json_t *run_comparison(const json_t *records)
{
	json_t *out = json_array(), *base = json_array_get(records, 0), *rec, *row;
	struct interval iv;
	const char *metric;
	size_t i;

	json_array_foreach(records, i, rec) {
		for (void *at = NULL; i && record_next_metric(rec, &at, &metric, &iv);) {
			row = compare_metric(base, rec, metric);
			if (!row)
				continue;
			json_object_set_new(row, "base", json_string(record_of(base).id));
			json_object_set_new(row, "new", json_string(record_of(rec).id));
			json_array_append_new(out, row);
		}
	}
	return out;
}
