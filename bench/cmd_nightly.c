// SPDX-License-Identifier: MIT
/* `bench nightly`: a job file's plans, some of them twice, and the dashboard of all nights. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analysis/dashboard.h"
#include "base/clock.h"
#include "base/proc.h"
#include "base/strbuf.h"
#include "bench/bench.h"
#include "bench/cli/runs.h"
#include "bench/fleet/slurm.h"
#include "bench/plan/jobfile.h"
#include "bench/host/paths.h"

#define INTERRUPTED (128 + SIGINT)
#define DOCTOR_NS   (60 * NSEC_PER_SEC)

struct nightly_args {
	const char *out, *store, *since, *executor, *campaign;
	uint64_t aa;
	bool no_run, dry_run, resume;
};

static const struct opt nightly_opts[] = {
	{"out", 'o', OPT_STR, offsetof(struct nightly_args, out), "DIR",
	 "folder of the dashboard (default: dashboard)"},
	{"store", 0, OPT_STR, offsetof(struct nightly_args, store), "DIR",
	 "where records are kept"},
	{"since", 0, OPT_STR, offsetof(struct nightly_args, since), "DATE",
	 "leave older runs out of the dashboard"},
	{"aa", 0, OPT_U64, offsetof(struct nightly_args, aa), "N",
	 "plans that run a second time, another one each night (default 1)"},
	{"no-run", 0, OPT_FLAG, offsetof(struct nightly_args, no_run), NULL,
	 "only check the file and build the dashboard"},
	{"dry-run", 0, OPT_FLAG, offsetof(struct nightly_args, dry_run), NULL,
	 "show every plan, or the scripts of the jobs, and stop"},
	{"executor", 0, OPT_STR, offsetof(struct nightly_args, executor), "slurm[:PARTITION]",
	 "each plan is a job of its own on a machine of a cluster; what runs twice does so in one job"},
	{"campaign", 0, OPT_STR, offsetof(struct nightly_args, campaign), "DIR",
	 "slurm: a directory that all its machines see (default: nightly-DATE)"},
	{"resume", 0, OPT_FLAG, offsetof(struct nightly_args, resume), NULL,
	 "slurm: go on with the night in that directory"},
	OPT_END,
};

static volatile sig_atomic_t interrupted;

/* Ctrl-C reaches the run as well, which ends cleanly; we stay to build the dashboard. */
static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* The last plan's typing error is found before the first one boots. */
static bool plans_are_sound(const struct jobfile *f, const struct nightly_args *a, const char *path)
{
	const struct job_how how = {.store = a->store, .dry_run = true, .silent = true};

	for (size_t i = 0; i < f->n; i++) {
		if (!job_run(&f->v[i], &how))
			continue;
		log_error("%s: [%s] is not a plan (see above); nothing was run", path,
			  f->v[i].name);
		return false;
	}
	return true;
}

/* The first of those that run twice tonight. */
static size_t tonights_turn(const struct jobfile *f)
{
	return (size_t)(time(NULL) / 86400) % f->n;
}

/* What bench doctor finds here, in the store for this machine's page. */
static void tell_of_machine(const struct nightly_args *a)
{
	char *argv[] = {(char *)path_self(), (char *)"doctor", NULL, NULL}, *word;
	struct strbuf said = STRBUF_INIT;
	struct store *store;

	if (store_open(&store, a->store))
		return;
	argv[2] = word = xasprintf("--store=%s", store_dir(store));
	store_close(store);
	if (proc_run(argv, &said, DOCTOR_NS))
		log_warn("what bench doctor finds is not kept (see above)");
	strbuf_free(&said);
	free(word);
}

/*
 * After all plans, the next `aa` of them in turn run again with nothing changed: an A/A experiment,
 * from which the dashboard tells its own false-alarm rate.
 */
static int run_night(const struct jobfile *f, const struct nightly_args *a)
{
	size_t first = tonights_turn(f), total = f->n + MIN(a->aa, f->n);
	const struct job_how how = {.store = a->store, .dry_run = a->dry_run};
	int worst = EXIT_OK;

	for (size_t i = 0; i < total; i++) {
		const struct job_experiment *e = &f->v[i < f->n ? i : (first + i - f->n) % f->n];
		int status;

		log_info("[%s]%s, %zu of %zu", e->name, text_if(i >= f->n, " again (A/A)"), i + 1, total);
		status = job_run(e, &how);
		worst = MAX(worst, status);
		if (status == INTERRUPTED || interrupted)
			break;
	}
	return worst;
}

/* The same on machines of a cluster. */
static int run_night_elsewhere(const struct jobfile *f, const struct nightly_args *a)
{
	struct campaign_want want = {
		.partition = slurm_partition("nightly", a->executor),
		.dir = a->campaign,
		.store = a->store,
		.again_from = tonights_turn(f),
		.again = MIN(a->aa, f->n),
		.resume = a->resume,
		.dry_run = a->dry_run,
	};
	char date[32], *dir;
	int status;

	clock_iso8601(time(NULL), date, sizeof(date));
	dir = xasprintf("nightly-%.10s", date);
	if (!want.dir)
		want.dir = dir;
	status = slurm_sweep(f, &want);
	free(dir);
	return status;
}

static int run_plans(const struct jobfile *f, const struct nightly_args *a)
{
	if (a->executor)
		return run_night_elsewhere(f, a);
	if (!a->dry_run)
		tell_of_machine(a);
	return run_night(f, a);
}

static int build_dashboard(const struct nightly_args *a)
{
	struct dashboard_opts opts = {.out_dir = text_or(a->out, "dashboard"),
				      .since = a->since,
				      .headline = workload_headline};
	struct dashboard_stats stats;
	struct store *store;
	int err = store_open(&store, a->store);

	if (err)
		return EXIT_CANNOT;
	err = dashboard_build(store, &opts, &stats);
	store_close(store);
	if (!err)
		log_info("%s/index.html: %zu series, %zu points of %zu runs", opts.out_dir,
			 stats.series, stats.points, stats.runs);
	return status_of(err);
}

static int nightly_main(int argc, char **argv)
{
	struct nightly_args a = {.aa = 1};
	struct jobfile f;
	int status, built;

	if (!bench_parse(&cmd_nightly, &argc, argv, &a, &status))
		return status;
	if (argc != 2) {
		log_error(
			"nightly: expected one job file; see bench nightly --help and "
			"docs/examples/nightly.ini");
		return EXIT_USAGE;
	}
	if (a.executor && !slurm_partition("nightly", a.executor))
		return EXIT_USAGE;
	if (!a.executor && (a.campaign || a.resume)) {
		log_error("nightly: --campaign and --resume are for --executor=slurm");
		return EXIT_USAGE;
	}
	if (jobfile_read(&f, argv[1]))
		return EXIT_USAGE;
	status = EXIT_USAGE;
	if (plans_are_sound(&f, &a, argv[1])) {
		sigaction(SIGINT, &(struct sigaction){.sa_handler = on_interrupt}, NULL);
		status = EXIT_OK;
		if (!a.no_run)
			status = run_plans(&f, &a);
		built = EXIT_OK;
		/* Whatever failed tonight, the page shows what there is. */
		if (!a.dry_run)
			built = build_dashboard(&a);
		status = MAX(status, built);
	}
	jobfile_free(&f);
	return status;
}

const struct command cmd_nightly = {
	.name = "nightly",
	.args = "FILE.ini",
	.summary = "a night's sweep, A/A runs included, and the dashboard of all nights",
	.details =
		"A job file as for bench sweep: a section is a plan. All are checked before the "
		"first one boots; a plan that\n"
		"fails does not stop the others. docs/examples has a job file, a systemd timer and "
		"a CI workflow. Exit\n"
		"status: the worst of the plans.",
	.examples =
		"bench nightly docs/examples/nightly.ini\n"
		"bench nightly nightly.ini --store /var/lib/exitlab/store --out /var/www/exitlab\n"
		"bench nightly nightly.ini --executor=slurm:metal --store /shared/store --out /var/www/exitlab",
	.opts = nightly_opts,
	.run = nightly_main,
};
