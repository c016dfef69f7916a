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
	char id[32], *dir, *kernel_dir;
	json_t *samples;
};

/* A plan that is being carried out. */
struct running {
	const struct plan *plan;
	struct store *store;
	struct run_origin origin;
	struct open_record *rec; /* one per cell */
	struct progress progress;
	struct run_result *out;
};

#define KEY(name) MEMBER_KEY(struct record_sample, name)
#define RECORD_KEY(name) MEMBER_KEY(struct record, name)

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

static const char *headline(const struct record_sample *s, const struct workload *wl)
{
	static char text[96];
	char metric[48];
	double value;

	snprintf(metric, sizeof(metric), "%.*s", (int)strcspn(wl->metrics, " "), wl->metrics);
	if (!s->ok)
		return s->error;
	if (!record_value(s, metric, &value))
		return "ok";
	snprintf(text, sizeof(text), "%s %s", metric, metric_text(metric, value));
	return text;
}

static json_t *run_boot_of(struct running *r, const struct plan_step *step, const char *log_dir, size_t index)
{
	const struct plan *p = r->plan;
	struct sample_want want = {
		.cell = &p->cell[step->cell],
		.args = p->args,
		.kernel_dir = r->rec[step->cell].kernel_dir,
		.log_dir = log_dir,
		.index = (unsigned)index,
		.boot = step->rep,
		.progress = &r->progress,
		.real_wire = plan_real_wire(p),
	};
	struct noise before, after;
	struct record_sample s;
	json_t *sample;

	r->progress.label = want.cell->label;
	noise_read(&before);
	sample = sample_run(&want, &r->out->interrupted);
	noise_read(&after);
	s = record_sample_of(sample);
	json_object_set_new(sample, KEY(noise), noise_json(&before, &after, s.tags));
	if (!r->out->interrupted)
		progress_done(&r->progress, s.ok, headline(&s, want.cell->workload));
	return sample;
}

static int make_dir(const char *dir)
{
	int err = errno_if(mkdir(dir, 0755) && errno != EEXIST);

	if (err)
		log_error("%s: %s", dir, strerror(-err));
	return err;
}

/*
 * The lab's emulated processor loses a guest now and then, whichever VMM runs it (docs/lab.md). Such a boot
 * is made once more; its logs stay, the sample says so, and the table counts them.
 */
static json_t *repeat_lost(struct running *r, const struct plan_step *step, const char *dir, json_t *lost)
{
	char *kept = xasprintf("%s-lost", dir);
	struct record_sample s = record_sample_of(lost);
	json_t *sample;

	if (rename(dir, kept) || make_dir(dir)) {
		free(kept);
		return lost;
	}
	r->progress.total++;
	sample = run_boot_of(r, step, dir, (size_t)s.index);
	s = record_sample_of(sample);
	json_object_set_new(sample, KEY(repeated), json_true());
	json_array_append_new(s.tags, json_sprintf("repeated: the lab lost the first boot, its logs are in %s",
						   strrchr(kept, '/') + 1));
	json_decref(lost);
	free(kept);
	return sample;
}

static char *step_dir(const struct open_record *rec, const struct plan_step *step, size_t index)
{
	if (step->warmup)
		return xasprintf("%s/warm-up-%u", rec->dir, step->rep);
	return xasprintf("%s/sample-%zu", rec->dir, index);
}

static int run_step(struct running *r, const struct plan_step *step)
{
	struct open_record *rec = &r->rec[step->cell];
	size_t index = json_array_size(rec->samples);
	char *dir = step_dir(rec, step, index);
	json_t *sample;
	int err = make_dir(dir);

	if (err)
		goto out;
	sample = run_boot_of(r, step, dir, index);
	if (!r->out->interrupted && lab_inside() && record_sample_of(sample).lost)
		sample = repeat_lost(r, step, dir, sample);
	if (step->warmup || r->out->interrupted)
		json_decref(sample);
	else
		json_array_append_new(rec->samples, sample);
out:
	free(dir);
	return err;
}

static int commit_record(struct running *r, size_t cell)
{
	struct open_record *rec = &r->rec[cell];
	struct run_origin from = r->origin;
	json_t *record;
	int err;

	if (!json_array_size(rec->samples)) {
		store_abort(r->store, rec->id);
		return 0;
	}
	from.kernel_dir = rec->kernel_dir;
	record = run_record(r->plan, cell, rec->samples, &from);
	err = run_write_csv(rec->dir, record);
	if (err) {
		log_error("%s: %s", rec->dir, strerror(-err));
		goto out;
	}
	err = store_commit(r->store, rec->id, record);
out:
	if (err) {
		store_abort(r->store, rec->id);
		json_decref(record);
		return err;
	}
	r->out->ok &= record_of(record).ok;
	json_array_append_new(r->out->records, record);
	return 0;
}

/* A --pin that does not fit is refused before the first boot, not by every sample. */
static int check_pins(const struct plan *p)
{
	struct pin pin;
	int err = 0;

	for (size_t i = 0; i < p->n_cells && !err; i++)
		err = cell_pin(&p->cell[i], p->args, &pin);
	return err;
}

/* The micro guest and this machine itself need no unpacked kernel. */
static int find_kernel(const struct running *r, const struct cell *c, char **dir)
{
	if (!c->vmm || !strcmp(c->guest, "micro"))
		return 0;
	*dir = path_kernel(cell_kernel(c, r->plan->args), "");
	if (!*dir)
		return -ENOENT;
	return 0;
}

static int open_records(struct running *r)
{
	int err = 0;

	for (size_t i = 0; i < r->plan->n_cells && !err; i++) {
		r->rec[i].samples = json_array();
		err = find_kernel(r, &r->plan->cell[i], &r->rec[i].kernel_dir);
		if (!err)
			err = store_begin(r->store, r->rec[i].id, &r->rec[i].dir);
	}
	return err;
}

/* Rounds of the next look at the pairs; 0: enough. */
static unsigned look_at_pairs(struct running *r, unsigned rounds)
{
	const struct plan_pairs *pairs = r->plan->pairs;
	json_t *a = json_pack("{s:O}", RECORD_KEY(samples), r->rec[0].samples),
	       *b = json_pack("{s:O}", RECORD_KEY(samples), r->rec[1].samples);
	unsigned next = pairs->look(pairs->ctx, a, b, rounds);

	json_decref(a);
	json_decref(b);
	return next;
}

/* The last boot of a round. */
static bool ends_round(const struct plan *p, size_t step)
{
	return step + 1 == p->n_steps || p->step[step + 1].rep != p->step[step].rep;
}

/* Steps that are not carried out leave the plan. */
static int run_steps(struct running *r, struct plan *p)
{
	unsigned look = p->pairs ? look_at_pairs(r, 0) : 0;
	size_t done = 0;
	int err = 0;

	catch_interrupts();
	progress_start(&r->progress, p->n_steps);
	for (; done < p->n_steps && !err && !r->out->interrupted; done++) {
		const struct plan_step *step = &p->step[done];

		err = run_step(r, step);
		if (step->warmup || step->rep + 1 != look || !ends_round(p, done) || r->out->interrupted)
			continue;
		look = look_at_pairs(r, look);
		if (look)
			continue;
		p->reps = step->rep + 1;
		p->n_steps = done + 1;
	}
	progress_end(&r->progress);
	return err;
}

/* Whatever was finished is kept, though a later step failed. */
static int commit_records(struct running *r)
{
	int err = 0;

	for (size_t i = 0; i < r->plan->n_cells; i++) {
		int one = 0;

		if (r->rec[i].dir)
			one = commit_record(r, i);
		if (!err)
			err = one;
		json_decref(r->rec[i].samples);
		free(r->rec[i].kernel_dir);
		free(r->rec[i].dir);
	}
	return err;
}

static int begin_plan(struct running *r, struct tune **tune)
{
	const struct run_args *a = r->plan->args;
	const char *inherited = outer_told().plan_id;
	int err = check_pins(r->plan);

	if (err)
		return err;
	clock_iso8601(time(NULL), r->origin.started, sizeof(r->origin.started));
	err = open_records(r);
	if (err)
		return err;
	snprintf(r->origin.plan_id, sizeof(r->origin.plan_id), "%s", text_or(inherited, r->rec[0].id));
	if (a->tune)
		return tune_apply(tune);
	tune_warn();
	return 0;
}

int run_plan(const struct plan *plan, struct store *store, const struct run_call *call,
	     struct run_result *out)
{
	struct plan p = *plan;
	struct running r = {.plan = &p, .store = store, .origin = {.call = call}, .out = out};
	struct tune *tune = NULL;
	int err, kept;

	*out = (struct run_result){.records = json_array(), .ok = true};
	r.rec = xcalloc(p.n_cells, sizeof(*r.rec));
	err = begin_plan(&r, &tune);
	r.origin.tune = tune;
	if (!err)
		err = run_steps(&r, &p);
	kept = commit_records(&r);
	tune_undo(tune);
	free(r.rec);
	if (!err)
		err = kept;
	return err;
}
