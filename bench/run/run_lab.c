// SPDX-License-Identifier: MIT
/* A plan carried out inside one lab, whose records land in our store. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "bench/host/environment.h"
#include "bench/lab/lab.h"
#include "bench/lab/lab_cache.h"
#include "bench/lab/lab_erratum.h"
#include "bench/lab/machine.h"
#include "bench/host/paths.h"
#include "bench/sample/progress.h"
#include "bench/run/run.h"

static void add_pairs(struct strlist *l, const struct plan *p)
{
	const struct strlist *words = p->pairs->words;

	for (size_t i = 0; i < words->n; i++)
		strlist_add(l, words->v[i]);
	strlist_addf(l, "--limit=%u", p->reps);
	strlist_add(l, "--");
}

char **run_inner_argv(const struct plan *p, const char *out_dir)
{
	struct run_args inner = run_args_inner(p->args);
	struct strlist l = STRLIST_INIT;

	inner.on = "host";
	inner.store = out_dir;
	if (!p->pairs) /* which have a limit instead */
		inner.reps = p->reps;
	inner.seed = p->seed;
	strlist_add(&l, path_self());
	if (log_level() < LOG_INFO)
		strlist_add(&l, "-q");
	if (p->pairs)
		add_pairs(&l, p);
	else
		strlist_add(&l, "run");
	strlist_add(&l, p->cell[0].workload->name);
	run_args_words(&inner, &l);
	return l.v;
}

static bool is_qemu(const struct machine *m)
{
	return !strcmp(m->emulator, "QEMU");
}

/* What the inner bench could not know: how we were called, and on what the lab itself ran. */
void run_complete_record(json_t *rec, const struct machine *machine, const struct run_call *call,
			 unsigned labs_lost)
{
	json_t *host = environment_json();
	char *version = NULL, *emulator;
	struct record_environment e;
	struct record_lab lab;

	free(machine->missing(&version));
	if (!version)
		version = xstrdup("");
	emulator = xasprintf("%s %s", machine->emulator, version);
	members_read(&environment_members, host, &e);
	lab = (struct record_lab){
		.emulator = emulator,
		.qemu = is_qemu(machine) ? version : NULL,
		.mended = lab_erratum_mended(),
		.host_machine = e.machine,
		.host_kernel = e.kernel,
		.host_cpu = e.cpu,
		.host_calibration_ns = e.calibration_ns,
		.lost = labs_lost,
	};
	json_object_set(rec, MEMBER_KEY(struct record, argv), call->argv);
	json_object_set(rec, MEMBER_KEY(struct record, options), call->options);
	json_object_set_new(record_of(rec).environment, MEMBER_KEY(struct record_environment, lab),
			    members_write(&lab_members, &lab));
	json_decref(host);
	free(emulator);
	free(version);
}

static int adopt_run(struct store *store, const char *dir, const struct machine *machine,
		     const struct run_call *call, struct run_result *out)
{
	char *path = xasprintf("%s/record.json", dir);
	json_t *rec = record_read(path);
	int err;

	free(path);
	if (!rec)
		return -EIO;
	run_complete_record(rec, machine, call, out->labs_lost);
	err = store_import_dir(store, dir, rec);
	if (err) {
		json_decref(rec);
		return err;
	}
	out->ok &= record_of(rec).ok;
	json_array_append_new(out->records, rec);
	return 0;
}

/* Cells commit in order, and IDs of one second are told apart at random: sort by .order, not by name. */
static int by_order(const void *a, const void *b)
{
	int64_t x = record_of(*(json_t *const *)a).order, y = record_of(*(json_t *const *)b).order;

	return (x > y) - (x < y);
}

static void sort_records(json_t *records)
{
	size_t n = json_array_size(records), i;
	json_t **v = xcalloc(n, sizeof(*v));

	for (i = 0; i < n; i++)
		v[i] = json_incref(json_array_get(records, i));
	qsort(v, n, sizeof(*v), by_order);
	json_array_clear(records);
	for (i = 0; i < n; i++)
		json_array_append_new(records, v[i]);
	free(v);
}

static int adopt_runs(struct store *store, const char *out_dir, const struct machine *machine,
		      const struct run_call *call, struct run_result *out)
{
	char *runs = xasprintf("%s/runs", out_dir);
	DIR *d = opendir(runs);
	struct dirent *e;
	int err = 0;

	while (d && (e = readdir(d))) {
		char *dir = xasprintf("%s/%s", runs, e->d_name);
		char *record = xasprintf("%s/record.json", dir);

		if (e->d_name[0] != '.' && file_exists(record)) {
			int one = adopt_run(store, dir, machine, call, out);

			if (!err)
				err = one;
		}
		free(record);
		free(dir);
	}
	if (d)
		closedir(d);
	free(runs);
	sort_records(out->records);
	return err;
}

/* The limit is generous, because it is meant for a lab that hangs, not for one that is slow. */
static uint64_t lab_limit(const struct plan *p)
{
	uint64_t window = or_usual(p->args->duration_ns, 10 * NSEC_PER_SEC);

	return 120 * NSEC_PER_SEC + p->n_steps * (90 * NSEC_PER_SEC + 2 * window);
}

static int run_in_one_lab(const struct plan *p, struct store *store, const struct run_call *call,
			  struct run_result *out)
{
	struct lab_spec spec = {.machine = machine_find(p->args->lab),
				.timeout_ns = or_usual(p->args->timeout_ns, lab_limit(p)),
				.kernel = plan_lab_kernel(p)};
	struct lab_out dir;
	int status, adopted = 0, err = lab_out_make(&dir);

	if (err)
		return err;
	spec.out_dir = dir.path;
	spec.argv = run_inner_argv(p, dir.path);
	spec.tell = (struct outer){.inner = true, .terminal = progress_terminal()};
	if (progress_terminal() && log_level() >= LOG_INFO)
		fputs("booting the lab...", stderr);
	err = lab_run(&spec, &status);
	if (!err && status > EXIT_FAILED && status != 128 + SIGINT)
		err = status == EXIT_USAGE ? -EINVAL : -EIO; /* it said why */
	out->interrupted = status == 128 + SIGINT;
	/* What a lab that is lost has committed is kept, unless all of it is made once more. */
	if (err != -EHOSTDOWN || out->labs_lost)
		adopted = adopt_runs(store, dir.path, spec.machine, call, out);
	lab_out_remove(&dir);
	if (!err)
		err = adopted;
	return err;
}

int run_plan_in_lab(const struct plan *p, struct store *store, const struct run_call *call,
		    struct run_result *out)
{
	int err;

	*out = (struct run_result){.records = json_array(), .ok = true};
	err = run_in_one_lab(p, store, call, out);
	if (err != -EHOSTDOWN)
		return err;
	out->labs_lost++;
	log_warn("lab: the plan begins again in another one, once");
	return run_in_one_lab(p, store, call, out);
}
