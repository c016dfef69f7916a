// SPDX-License-Identifier: MIT
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "analysis/stats.h"
#include "base/clock.h"
#include "base/file.h"
#include "bench/host/environment.h"
#include "bench/host/substrate.h"
#include "bench/lab/lab.h"
#include "bench/sample/measure.h"
#include "bench/run/run.h"
#include "bench/host/tune.h"

static json_t *finite_or_null(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

/* ---- summary ---- */

static void summarise_metric(json_t *summary, const json_t *record, const char *metric)
{
	const struct metric_info *info = metric_find(metric);
	struct interval ci;
	size_t n;
	double *x = record_values(record, metric, &n);

	if (!n)
		return;
	ci = stats_median_ci(x, n);
	json_object_set_new(summary, metric,
			    json_pack("{s:o, s:o, s:o, s:i, s:s}", "median", finite_or_null(ci.point),
				      "ci_low", finite_or_null(ci.low), "ci_high", finite_or_null(ci.high),
				      "n", (int)n, "unit", info ? info->unit : ""));
	free(x);
}

static json_t *summarise(const json_t *record)
{
	json_t *summary = json_object(), *sample;
	size_t i;

	json_array_foreach(json_object_get(record, "samples"), i, sample) {
		const char *name;
		json_t *v;

		json_object_foreach(json_object_get(sample, "metrics"), name, v)
			if (!json_object_get(summary, name))
				summarise_metric(summary, record, name);
	}
	return summary;
}

/* ---- exits over all samples ---- */

static double number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static int by_total(const void *a, const void *b)
{
	double x = number(*(json_t *const *)a, "total_ns"), y = number(*(json_t *const *)b, "total_ns");

	return (x < y) - (x > y);
}

/* Counts and times are means per sample; percentiles come from the merged histograms. */
static json_t *exits_of(const json_t *record)
{
	json_t *all = json_array(), *out = json_array(), *merged, *sample, *row, **rows;
	size_t i, ok = 0, n;

	json_array_foreach(json_object_get(record, "samples"), i, sample) {
		if (!json_is_true(json_object_get(sample, "ok")))
			continue;
		ok++;
		json_array_extend(all, json_object_get(sample, "exits"));
	}
	merged = measure_merge_exits(all);
	measure_exits_per_sample(merged, ok);
	n = json_array_size(merged);
	rows = xcalloc(n, sizeof(*rows));
	json_array_foreach(merged, i, row)
		rows[i] = row;
	qsort(rows, n, sizeof(*rows), by_total);
	for (i = 0; i < n; i++)
		json_array_append(out, rows[i]);
	free(rows);
	json_decref(merged);
	json_decref(all);
	return out;
}

/* ---- checks ---- */

/* A check of the run holds when it holds in every sample; the first that does not gives the detail. */
static json_t *checks_of(const json_t *record)
{
	json_t *by_name = json_object(), *out = json_array(), *sample, *check, *old;
	const char *name;
	size_t i, k;

	json_array_foreach(json_object_get(record, "samples"), i, sample) {
		json_array_foreach(json_object_get(sample, "checks"), k, check) {
			name = record_str(check, "name");
			old = json_object_get(by_name, name);
			if (!old || (json_is_true(json_object_get(old, "ok")) &&
				     !json_is_true(json_object_get(check, "ok"))))
				json_object_set(by_name, name, check);
		}
	}
	json_object_foreach(by_name, name, check)
		json_array_append(out, check);
	json_decref(by_name);
	return out;
}

static bool all_ok(const json_t *array)
{
	json_t *v;
	size_t i;

	json_array_foreach(array, i, v)
		if (!json_is_true(json_object_get(v, "ok")))
			return false;
	return json_array_size(array) > 0;
}

/* ---- the record ---- */

static json_t *plan_json(const struct plan *p, size_t cell)
{
	json_t *order = json_array();

	for (size_t i = 0; i < p->n_steps; i++)
		json_array_append_new(order,
				      json_sprintf("%s/%u%s", p->cell[p->step[i].cell].label, p->step[i].rep,
						   p->step[i].warmup ? " warm-up" : ""));
	return json_pack("{s:I, s:o, s:i, s:i, s:s}", "seed", (json_int_t)p->seed, "order", order, "reps",
			 (int)p->reps, "warmup", (int)p->args->warmup, "cell", p->cell[cell].label);
}

static json_t *knobs_json(const struct cell *c)
{
	json_t *knobs = json_object();

	for (size_t i = 0; i < c->knobs.n; i++)
		json_object_set_new(knobs, c->knobs.k[i].name, json_string(c->knobs.k[i].value));
	return knobs;
}

/* What was asked for and shapes the run: `bench rerun` and `bench gate` ask for it again. */
static void add_asked(json_t *params, const struct run_args *a)
{
	const struct {
		const char *name, *value;
	} words[] = {{"kernel", a->kernel}, {"nic", a->nic}, {"vf", a->vf}, {"peer", a->peer}};
	const struct {
		const char *name;
		bool set;
	} flags[] = {{"tune", a->tune},
		     {"no_probes", a->no_probes},
		     {"unsafe_interrupts", a->unsafe_interrupts}};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i].value)
			json_object_set_new(params, words[i].name, json_string(words[i].value));
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].set)
			json_object_set_new(params, flags[i].name, json_true());
}

static json_t *params_json(const struct plan *p, const struct cell *c)
{
	uint64_t duration = cell_duration_ns(c, p->args);
	json_t *params = json_pack("{s:I, s:I, s:i, s:I, s:I, s:s, s:b, s:s, s:s}", "duration_ns",
				   (json_int_t)duration,
				   "work", (json_int_t)p->args->work, "reps", (int)p->reps, "cpus",
				   (json_int_t)cell_cpus(c), "mem_bytes", (json_int_t)cell_mem(c), "tool",
				   knobs_get(&c->knobs, "tool", "engine"), "ipv6", p->args->ipv6, "topology",
				   !cell_has_net(c)    ? ""
				   : plan_real_wire(p) ? "wire"
						       : "local",
				   "pin", p->args->pin ? p->args->pin : "auto");

	add_asked(params, p->args);
	return params;
}

static json_t *argv_json(int argc, char **argv)
{
	json_t *a = json_array();

	for (int i = 0; i < argc; i++)
		json_array_append_new(a, json_string(argv[i]));
	return a;
}

static json_t *vmm_name(const struct cell *c)
{
	if (!c->vmm)
		return json_string("");
	return *c->variant ? json_sprintf("%s:%s", c->vmm->name, c->variant) : json_string(c->vmm->name);
}

void run_refresh_record(json_t *rec)
{
	json_t *overhead, *samples = json_object_get(rec, "samples");

	json_object_set_new(rec, "summary", summarise(rec));
	json_object_set_new(rec, "exits", exits_of(rec));
	json_object_set_new(rec, "checks", checks_of(rec));
	overhead =
		json_object_get(json_object_get(json_object_get(rec, "summary"), "overhead_pct"), "median");
	json_object_set(rec, "overhead_pct", overhead ? overhead : json_null());
	json_object_set_new(rec, "ok", json_boolean(all_ok(samples) &&
						    (!json_array_size(json_object_get(rec, "checks")) ||
						     all_ok(json_object_get(rec, "checks")))));
}

json_t *run_record(const struct plan *p, size_t cell, json_t *samples, const struct run_origin *from)
{
	const struct cell *c = &p->cell[cell];
	const char *virtual_time = getenv("EXITLAB_VIRTUAL_TIME");
	char now[32];
	json_t *rec, *env = environment_json();

	clock_iso8601(time(NULL), now, sizeof(now));
	rec = json_pack("{s:i, s:s, s:s, s:s, s:o, s:s, s:s, s:o, s:s, s:s, s:s}", "schema", RECORD_SCHEMA,
			"plan_id", from->plan_id, "started", from->started, "finished", now, "argv",
			argv_json(from->argc, from->argv), "workload", c->workload->name, "mode",
			c->mode->name,
			"vmm", vmm_name(c), "guest", c->guest, "substrate", lab_substrate(),
			"time_base",
			virtual_time   ? "virtual"
			: lab_inside() ? "emulated"
				       : "real");
	json_object_set_new(rec, "knobs", knobs_json(c));
	json_object_set_new(rec, "params", params_json(p, c));
	json_object_set_new(rec, "plan", plan_json(p, cell));
	json_object_set_new(env, "tune", tune_json(from->tune));
	json_object_set_new(rec, "environment", env);
	json_object_set_new(rec, "inputs", run_inputs(c, from->kernel_dir));
	json_object_set(rec, "samples", samples);
	run_refresh_record(rec);
	return rec;
}

/* ---- files beside it ---- */

static void csv_exits(struct strbuf *sb, size_t index, const json_t *sample)
{
	static const char *const cols[] = {"count", "total_ns", "p50_ns", "p99_ns", "kvm_ns", "user_ns"};
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(sample, "exits"), i, row) {
		strbuf_addf(sb, "%zu,%s,%s", index, record_str(row, "reason"), record_str(row, "key"));
		for (size_t k = 0; k < ARRAY_SIZE(cols); k++)
			strbuf_addf(sb, ",%.0f", number(row, cols[k]));
		strbuf_addc(sb, '\n');
	}
}

static void csv_hist(struct strbuf *sb, size_t index, const json_t *hist)
{
	json_t *slot;
	size_t i;

	json_array_foreach(json_object_get(hist, "slots"), i, slot) {
		unsigned s = (unsigned)json_integer_value(json_array_get(slot, 0));

		strbuf_addf(sb, "%zu,%llu,%llu,%lld\n", index, (unsigned long long)hist_slot_low(s),
			    (unsigned long long)hist_slot_high(s),
			    (long long)json_integer_value(json_array_get(slot, 1)));
	}
}

static int write_named(const char *dir, const char *name, const struct strbuf *sb)
{
	char *path = xasprintf("%s/%s.csv", dir, name);
	int err = file_write_atomic(path, strbuf_str(sb), sb->len);

	free(path);
	return err;
}

static int write_hists(const char *run_dir, const json_t *samples)
{
	json_t *files = json_object(), *sample, *hist;
	const char *name;
	int err = 0;
	size_t i;

	json_array_foreach(samples, i, sample)
		json_object_foreach(json_object_get(sample, "hists"), name, hist)
			json_object_set_new(files, name, json_true());
	json_object_foreach(files, name, hist) {
		struct strbuf sb = STRBUF_INIT;
		char *file = xasprintf("hist-%s", name);

		strbuf_adds(&sb, "sample,low_ns,high_ns,count\n");
		json_array_foreach(samples, i, sample)
			csv_hist(&sb, i, json_object_get(json_object_get(sample, "hists"), name));
		err = err ? err : write_named(run_dir, file, &sb);
		free(file);
		strbuf_free(&sb);
	}
	json_decref(files);
	return err;
}

int run_write_csv(const char *run_dir, const json_t *record)
{
	json_t *samples = json_object_get(record, "samples"), *sample;
	struct strbuf sb = STRBUF_INIT;
	size_t i;
	int err;

	strbuf_adds(&sb, "sample,reason,key,count,total_ns,p50_ns,p99_ns,kvm_ns,user_ns\n");
	json_array_foreach(samples, i, sample)
		csv_exits(&sb, i, sample);
	err = write_named(run_dir, "exits", &sb);
	strbuf_free(&sb);
	return err ? err : write_hists(run_dir, samples);
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
				finite_or_null(r.point), "ci_low", finite_or_null(r.low), "ci_high",
				finite_or_null(r.high), "n", (int)MIN(na, nb));
	}
	free(a);
	free(b);
	return row;
}

json_t *run_comparison(const json_t *records)
{
	json_t *out = json_array(), *rec, *base = json_array_get(records, 0), *v;
	const char *metric;
	size_t i;

	json_array_foreach(records, i, rec) {
		if (!i)
			continue;
		json_object_foreach(json_object_get(rec, "summary"), metric, v) {
			json_t *row = compare_metric(base, rec, metric);

			if (!row)
				continue;
			json_object_set(row, "base", json_object_get(base, "id"));
			json_object_set(row, "new", json_object_get(rec, "id"));
			json_array_append_new(out, row);
		}
	}
	return out;
}
