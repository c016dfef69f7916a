// SPDX-License-Identifier: MIT
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/table.h"
#include "bench/host/outer.h"
#include "bench/host/environment.h"
#include "bench/lab/lab.h"
#include "bench/host/paths.h"
#include "bench/host/pin.h"
#include "bench/sample/progress.h"
#include "bench/run/run.h"
#include "bench/sample/sample.h"
#include "bench/host/tune.h"

/* One cell's record while its samples are made. */
struct open_record {
	char id[32], *dir;
	json_t *samples;
};

static void on_interrupt(int sig)
{
	(void)sig;
	sample_interrupt();
}

static void catch_interrupts(void)
{
	struct sigaction sa = {.sa_handler = on_interrupt, .sa_flags = SA_RESETHAND};

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

static const char *headline(const json_t *sample, const struct workload *wl)
{
	static char text[96];
	char metric[48];
	const struct metric_info *info;
	json_t *v;

	snprintf(metric, sizeof(metric), "%.*s", (int)strcspn(wl->metrics, " "), wl->metrics);
	info = metric_find(metric);
	v = json_object_get(json_object_get(sample, "metrics"), metric);
	if (!v)
		return "ok";
	if (info && !strcmp(info->unit, "ns"))
		snprintf(text, sizeof(text), "%s %s", metric, fmt_ns(json_number_value(v)));
	else
		snprintf(text, sizeof(text), "%s %s", metric, fmt_si(json_number_value(v)));
	return text;
}

static json_t *one_sample(const struct plan *p, const struct plan_step *step, const char *log_dir,
			  const char *kernel_dir, size_t index, struct progress *progress, bool *stop)
{
	struct sample_want want = {
		.cell = &p->cell[step->cell],
		.args = p->args,
		.kernel_dir = kernel_dir,
		.log_dir = log_dir,
		.index = (unsigned)index,
		.boot = step->rep,
		.progress = progress,
		.real_wire = plan_real_wire(p),
	};
	struct noise before, after;
	json_t *sample, *tags;
	bool ok;

	progress->label = want.cell->label;
	noise_read(&before);
	sample = sample_run(&want, stop);
	noise_read(&after);
	tags = json_object_get(sample, "tags");
	json_object_set_new(sample, "noise", noise_json(&before, &after, tags));
	ok = json_is_true(json_object_get(sample, "ok"));
	if (!*stop)
		progress_done(progress, ok,
			      ok ? headline(sample, want.cell->workload) : record_str(sample, "error"));
	return sample;
}

static int make_dir(const char *dir)
{
	int err = mkdir(dir, 0755) && errno != EEXIST ? -errno : 0;

	if (err)
		log_error("%s: %s", dir, strerror(-err));
	return err;
}

/*
 * The lab's emulated processor loses a guest now and then, whichever VMM runs it (docs/lab.md). Such a boot
 * is made once more; its logs stay, the sample says so, and the table counts them.
 */
static json_t *repeat_lost(const struct plan *p, const struct plan_step *step, const char *dir,
			   const char *kernel_dir, size_t index, struct progress *progress, bool *stop,
			   json_t *lost)
{
	char *kept = xasprintf("%s-lost", dir);
	json_t *sample;

	if (rename(dir, kept) || make_dir(dir)) {
		free(kept);
		return lost;
	}
	progress->total++;
	sample = one_sample(p, step, dir, kernel_dir, index, progress, stop);
	json_object_set_new(sample, "repeated", json_true());
	json_array_append_new(json_object_get(sample, "tags"),
			      json_sprintf("repeated: the lab lost the first boot, its logs are in %s", strrchr(kept, '/') + 1));
	json_decref(lost);
	free(kept);
	return sample;
}

static int run_step(const struct plan *p, const struct plan_step *step, struct open_record *rec,
		    const char *kernel_dir, struct progress *progress, bool *stop)
{
	size_t index = json_array_size(rec->samples);
	char *dir = step->warmup ? xasprintf("%s/warm-up-%u", rec->dir, step->rep)
				 : xasprintf("%s/sample-%zu", rec->dir, index);
	json_t *sample;
	int err = make_dir(dir);

	if (err) {
		free(dir);
		return err;
	}
	sample = one_sample(p, step, dir, kernel_dir, index, progress, stop);
	if (!*stop && lab_inside() && json_is_true(json_object_get(sample, "lost")))
		sample = repeat_lost(p, step, dir, kernel_dir, index, progress, stop, sample);
	if (step->warmup || *stop)
		json_decref(sample);
	else
		json_array_append_new(rec->samples, sample);
	free(dir);
	return 0;
}

static int commit(const struct plan *p, size_t cell, struct store *store, struct open_record *rec,
		  const struct run_origin *origin, struct run_result *out)
{
	json_t *record;
	int err;

	if (!json_array_size(rec->samples)) {
		store_abort(store, rec->id);
		return 0;
	}
	record = run_record(p, cell, rec->samples, origin);
	err = run_write_csv(rec->dir, record);
	if (err)
		log_error("%s: %s", rec->dir, strerror(-err));
	err = err ? err : store_commit(store, rec->id, record);
	if (err) {
		store_abort(store, rec->id);
		json_decref(record);
		return err;
	}
	out->ok &= json_is_true(json_object_get(record, "ok"));
	json_array_append_new(out->records, record);
	return 0;
}

/* Refused before the first boot, not by every sample. */
static int check_pins(const struct plan *p)
{
	struct pin pin;
	int err = 0;

	for (size_t i = 0; i < p->n_cells && !err; i++)
		err = cell_pin(&p->cell[i], p->args, &pin);
	return err;
}

static int open_records(const struct plan *p, struct store *store, struct open_record *rec)
{
	int err = 0;

	for (size_t i = 0; i < p->n_cells && !err; i++) {
		rec[i].samples = json_array();
		err = store_begin(store, rec[i].id, &rec[i].dir);
	}
	return err;
}

static int run_steps(const struct plan *p, struct open_record *rec, const char *kernel_dir,
		     struct run_result *out)
{
	struct progress progress;
	int err = 0;

	catch_interrupts();
	progress_start(&progress, p->n_steps);
	for (size_t i = 0; i < p->n_steps && !err && !out->interrupted; i++)
		err = run_step(p, &p->step[i], &rec[p->step[i].cell], kernel_dir, &progress,
			       &out->interrupted);
	progress_end(&progress);
	return err;
}

int run_plan(const struct plan *p, struct store *store, const struct run_call *call, struct run_result *out)
{
	struct open_record *rec = xcalloc(p->n_cells, sizeof(*rec));
	const char *inherited = outer_told().plan_id;
	struct run_origin origin = {.call = call};
	struct tune *tune = NULL;
	int err = check_pins(p);

	*out = (struct run_result){.records = json_array(), .ok = true};
	origin.kernel_dir = err ? NULL : path_kernel(p->args->kernel ? p->args->kernel : "default", "");
	clock_iso8601(time(NULL), origin.started, sizeof(origin.started));
	err = err ? err : origin.kernel_dir ? open_records(p, store, rec) : -ENOENT;
	snprintf(origin.plan_id, sizeof(origin.plan_id), "%s", inherited ? inherited : rec[0].id);
	if (!err && p->args->tune)
		err = tune_apply(&tune);
	else if (!err)
		tune_warn();
	origin.tune = tune;
	err = err ? err : run_steps(p, rec, origin.kernel_dir, out);
	for (size_t i = 0; i < p->n_cells; i++) {
		int e = rec[i].dir ? commit(p, i, store, &rec[i], &origin, out) : 0;

		err = err ? err : e;
		json_decref(rec[i].samples);
		free(rec[i].dir);
	}
	tune_undo(tune);
	free(rec);
	free(origin.kernel_dir);
	return err;
}
