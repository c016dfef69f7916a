// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/journal.h"
#include "base/log.h"
#include "base/table.h"
#include "bench/deterministic.h"
#include "bench/environment.h"
#include "bench/lab.h"
#include "bench/paths.h"
#include "bench/progress.h"
#include "bench/run.h"
#include "bench/sample.h"
#include "bench/substrate.h"
#include "results/store.h"

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

static json_t *one_sample(const struct plan *p, const struct plan_step *step, const char *log_dir, const char *kernel_dir,
			  size_t index, struct progress *progress, bool *stop)
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
	noise_tags(&before, &after, tags);
	ok = json_is_true(json_object_get(sample, "ok"));
	if (!*stop)
		progress_done(progress, ok, ok ? headline(sample, want.cell->workload) : record_str(sample, "error"));
	return sample;
}

static int run_step(const struct plan *p, const struct plan_step *step, struct open_record *rec, const char *kernel_dir,
		    struct progress *progress, bool *stop)
{
	size_t index = json_array_size(rec->samples);
	char *dir = step->warmup ? xasprintf("%s/warm-up-%u", rec->dir, step->rep) : xasprintf("%s/sample-%zu", rec->dir, index);
	json_t *sample;

	if (mkdir(dir, 0755) && errno != EEXIST) {
		int err = -errno;

		log_error("%s: %s", dir, strerror(errno));
		free(dir);
		return err;
	}
	sample = one_sample(p, step, dir, kernel_dir, index, progress, stop);
	if (step->warmup || *stop)
		json_decref(sample);
	else
		json_array_append_new(rec->samples, sample);
	free(dir);
	return 0;
}

/* The record's directory has its final name only once it is committed: say that one where a message names a log. */
static int commit(const struct plan *p, size_t cell, struct store *store, struct open_record *rec, const char *plan_id,
		  const char *started, const char *kernel_dir, int argc, char **argv, struct run_result *out)
{
	json_t *record;
	int err;

	if (!json_array_size(rec->samples)) {
		store_abort(store, rec->id);
		return 0;
	}
	record = run_record(p, cell, rec->samples, plan_id, started, kernel_dir, argc, argv);
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

int run_plan(const struct plan *p, struct store *store, int argc, char **argv, struct run_result *out)
{
	struct open_record *rec = xcalloc(p->n_cells, sizeof(*rec));
	const char *inherited = getenv("EXITLAB_PLAN_ID");
	char *kernel_dir = path_kernel(p->args->kernel ? p->args->kernel : "default", "");
	char plan_id[32], started[32];
	struct progress progress;
	int err = kernel_dir ? 0 : -ENOENT;

	*out = (struct run_result){.records = json_array(), .ok = true};
	clock_iso8601(time(NULL), started, sizeof(started));
	for (size_t i = 0; i < p->n_cells && !err; i++) {
		rec[i].samples = json_array();
		err = store_begin(store, rec[i].id, &rec[i].dir);
	}
	snprintf(plan_id, sizeof(plan_id), "%s", inherited ? inherited : rec[0].id);
	catch_interrupts();
	progress_start(&progress, p->n_steps);
	for (size_t i = 0; i < p->n_steps && !err && !out->interrupted; i++)
		err = run_step(p, &p->step[i], &rec[p->step[i].cell], kernel_dir, &progress, &out->interrupted);
	progress_end(&progress);
	for (size_t i = 0; i < p->n_cells; i++) {
		int e = rec[i].dir ? commit(p, i, store, &rec[i], plan_id, started, kernel_dir, argc, argv, out) : 0;

		err = err ? err : e;
		json_decref(rec[i].samples);
		free(rec[i].dir);
	}
	free(rec);
	free(kernel_dir);
	return err;
}

/* ---- in the lab ---- */

char **run_inner_argv(const struct plan *p, const char *workload, const char *out_dir)
{
	const struct run_args *a = p->args;
	struct arglist l = {NULL, 0, 0};

	arglist_add(&l, "%s", path_self());
	if (log_level() < LOG_INFO)
		arglist_add(&l, "-q");
	arglist_add(&l, "run");
	arglist_add(&l, "%s", workload);
	arglist_add(&l, "--on=host");
	arglist_add(&l, "--store=%s", out_dir);
	arglist_add(&l, "--seed=%llu", (unsigned long long)p->seed);
	arglist_add(&l, "--reps=%u", p->reps);
	arglist_add(&l, "--warmup=%llu", (unsigned long long)a->warmup);
	if (a->modes)
		arglist_add(&l, "--mode=%s", a->modes);
	if (a->vmms)
		arglist_add(&l, "--vmm=%s", a->vmms);
	if (a->guest)
		arglist_add(&l, "--guest=%s", a->guest);
	if (a->tool)
		arglist_add(&l, "--tool=%s", a->tool);
	if (a->topology)
		arglist_add(&l, "--topology=%s", a->topology);
	if (a->nic)
		arglist_add(&l, "--nic=%s", a->nic);
	if (a->kernel)
		arglist_add(&l, "--kernel=%s", a->kernel);
	if (a->duration_ns)
		arglist_add(&l, "--duration=%lluns", (unsigned long long)a->duration_ns);
	if (a->work)
		arglist_add(&l, "--work=%llu", (unsigned long long)a->work);
	if (a->no_probes)
		arglist_add(&l, "--no-probes");
	if (a->ipv6)
		arglist_add(&l, "--ipv6");
	for (size_t i = 0; i < a->set.n; i++)
		arglist_add(&l, "--set=%s", a->set.item[i]);
	return l.v;
}

/* What the inner bench could not know: how we were called, and on what the lab itself ran. */
void run_complete_record(json_t *rec, int argc, char **argv)
{
	json_t *args = json_array(), *env = json_object_get(rec, "environment"), *host = environment_json();

	for (int i = 0; i < argc; i++)
		json_array_append_new(args, json_string(argv[i]));
	json_object_set_new(rec, "argv", args);
	json_object_set_new(env, "lab", json_pack("{s:O, s:O, s:O}", "qemu", json_object_get(host, "qemu"), "host_kernel",
						  json_object_get(host, "kernel"), "host_cpu", json_object_get(host, "cpu")));
	json_decref(host);
}

static int adopt_run(struct store *store, const char *dir, int argc, char **argv, struct run_result *out)
{
	char *path = xasprintf("%s/record.json", dir);
	json_t *rec = record_read(path);
	int err = rec ? 0 : -EIO;

	free(path);
	if (err)
		return err;
	run_complete_record(rec, argc, argv);
	err = store_import_dir(store, dir, rec);
	if (err) {
		json_decref(rec);
		return err;
	}
	out->ok &= json_is_true(json_object_get(rec, "ok"));
	json_array_append_new(out->records, rec);
	return 0;
}

/* Cells commit in order, and IDs of one second are told apart at random: sort by .order, not by name. */
static int by_order(const void *a, const void *b)
{
	json_int_t x = json_integer_value(json_object_get(*(json_t *const *)a, "order"));
	json_int_t y = json_integer_value(json_object_get(*(json_t *const *)b, "order"));

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

static int adopt_runs(struct store *store, const char *out_dir, int argc, char **argv, struct run_result *out)
{
	char *runs = xasprintf("%s/runs", out_dir);
	DIR *d = opendir(runs);
	struct dirent *e;
	int err = 0;

	while (d && (e = readdir(d))) {
		char *dir = xasprintf("%s/%s", runs, e->d_name);
		char *record = xasprintf("%s/record.json", dir);

		if (e->d_name[0] != '.' && file_exists(record)) {
			int one = adopt_run(store, dir, argc, argv, out);

			err = err ? err : one;
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

/* Generous: it is for a lab that hangs, not for one that is slow. */
static uint64_t lab_limit(const struct plan *p)
{
	uint64_t window = p->args->duration_ns ? p->args->duration_ns : 10 * NSEC_PER_SEC;

	return 120 * NSEC_PER_SEC + p->n_steps * (90 * NSEC_PER_SEC + 2 * window);
}

int run_plan_in_lab(const struct plan *p, const char *workload, struct store *store, int argc, char **argv,
		    struct run_result *out)
{
	struct lab_spec spec = {.timeout_ns = p->args->timeout_ns ? p->args->timeout_ns : lab_limit(p)};
	char *out_dir = xasprintf("%s/lab/out.XXXXXX", path_cache()), *parent = xasprintf("%s/lab", path_cache());
	int status, err = dir_make_all(parent);

	*out = (struct run_result){.records = json_array(), .ok = true};
	free(parent);
	if (err || !mkdtemp(out_dir)) {
		log_error("%s: %s", out_dir, strerror(err ? -err : errno));
		free(out_dir);
		return -EIO;
	}
	spec.out_dir = out_dir;
	spec.argv = run_inner_argv(p, workload, out_dir);
	spec.kernel = NULL;
	setenv("EXITLAB_INNER", progress_terminal() ? "terminal" : "1", 1);
	if (progress_terminal() && log_level() >= LOG_INFO)
		fputs("booting the lab...", stderr);
	err = lab_run(&spec, &status);
	unsetenv("EXITLAB_INNER");
	if (!err && status > EXIT_FAILED && status != 128 + SIGINT)
		err = -EIO; /* it said why */
	out->interrupted = status == 128 + SIGINT;
	status = adopt_runs(store, out_dir, argc, argv, out);
	dir_remove_all(out_dir);
	free(out_dir);
	return err ? err : status;
}

/* ---- the command ---- */

static bool wants_lab(const struct run_args *args, unsigned lacks)
{
	const char *on = args->on ? args->on : "auto";

	return args->deterministic || !strcmp(on, "lab") || (!strcmp(on, "auto") && lacks);
}

/*
 * Ten boots give an interval worth printing; in the lab, where each takes seven seconds, the six that give one at all, so
 * that one path is measured within a minute. Runs that agree to the last digit need two to show that they do.
 */
static unsigned default_reps(const struct run_args *args, bool lab)
{
	return args->deterministic ? 2 : lab ? 6 : 10;
}

/* 0, or -ENOTSUP (logged): neither this machine nor its lab can run the plan. */
static int check_substrate(const struct run_args *args, bool lab, const char *why)
{
	char *no_lab;

	if (lab && lab_inside()) {
		log_error("this lab cannot: %s", why ? why : "already inside one");
		return -ENOTSUP;
	}
	if (!lab && why) {
		log_error("this host cannot: %s; use --on=lab", why);
		return -ENOTSUP;
	}
	if (!lab)
		return 0;
	no_lab = lab_missing(NULL);
	if (no_lab) {
		log_error("%s%sthere can be no lab: %s", why ? why : "", why ? " here, and " : "", no_lab);
		free(no_lab);
		return -ENOTSUP;
	}
	if (!args->on || !strcmp(args->on, "auto"))
		log_info("running in the lab: this host cannot do it (%s)", why ? why : "--deterministic");
	return 0;
}

static void print_result(const struct plan *p, const struct run_result *r)
{
	json_t *all;

	if (getenv("EXITLAB_INNER"))
		return;
	if (!p->args->json) {
		if (json_array_size(r->records))
			run_print_table(r->records, p->cell[0].workload);
		return;
	}
	if (json_array_size(r->records) == 1) {
		all = json_incref(json_array_get(r->records, 0));
	} else {
		all = json_pack("{s:O, s:o}", "records", r->records, "comparison", run_comparison(r->records));
	}
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
}

static int run_somewhere(const struct plan *p, const char *workload, bool lab, struct store *store, int argc, char **argv,
			 struct run_result *result)
{
	if (p->args->deterministic)
		return run_plan_deterministic(p, workload, store, argc, argv, result);
	if (lab)
		return run_plan_in_lab(p, workload, store, argc, argv, result);
	return run_plan(p, store, argc, argv, result);
}

static int exit_status(int err, const struct run_result *r)
{
	if (r->interrupted)
		return 128 + SIGINT;
	if (err)
		return EXIT_CANNOT;
	return r->ok && json_array_size(r->records) ? EXIT_OK : EXIT_FAILED;
}

static int run_stored(const struct plan *p, const char *workload, bool lab, int argc, char **argv)
{
	struct run_result result = {NULL, false, false};
	struct store *store = NULL;
	int status, err;

	journal_recover();
	err = store_open(&store, p->args->store);
	if (!err)
		err = run_somewhere(p, workload, lab, store, argc, argv, &result);
	if (result.records)
		print_result(p, &result);
	status = exit_status(err, &result);
	json_decref(result.records);
	store_close(store);
	return status;
}

int run_workload(const char *workload, const struct run_args *args, int argc, char **argv)
{
	char *why = NULL;
	struct plan plan;
	int status, err = plan_make(&plan, workload, args);
	bool lab;

	if (err)
		return err == -ENOTSUP ? EXIT_CANNOT : EXIT_USAGE;
	lab = wants_lab(args, host_lacks(plan_needs(&plan), &why));
	plan_order(&plan, args->reps ? (unsigned)args->reps : default_reps(args, lab));
	if (args->dry_run) {
		plan_print(&plan, stdout);
		status = EXIT_OK;
	} else {
		status = check_substrate(args, lab, why) ? EXIT_CANNOT : run_stored(&plan, workload, lab, argc, argv);
	}
	free(why);
	plan_free(&plan);
	return status;
}
