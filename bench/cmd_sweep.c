// SPDX-License-Identifier: MIT
/* `bench sweep`: the experiments of a job file in turn, and the claims that they judge. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/claims.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/table.h"
#include "bench/bench.h"
#include "bench/cli/evolution_table.h"
#include "bench/cli/vendors_table.h"
#include "bench/cli/vmms_table.h"
#include "bench/plan/jobfile.h"
#include "bench/fleet/slurm.h"
#include "bench/host/paths.h"
#include "results/query.h"

#define CLAIMS_LOOK_BACK   300 /* newest runs that claims are judged by */
#define STATUS_INTERRUPTED 130

struct sweep_args {
	const char *store, *only, *reps, *executor, *campaign;
	bool dry_run, judge, resume;
};

static const struct opt sweep_opts[] = {
	{"dry-run", 0, OPT_FLAG, offsetof(struct sweep_args, dry_run), NULL,
	 "show every plan and stop"},
	{"only", 0, OPT_STR, offsetof(struct sweep_args, only), "SECTION",
	 "run this section alone"},
	{"reps", 'n', OPT_STR, offsetof(struct sweep_args, reps), "N",
	 "boots per cell, whatever the file says"},
	{"judge", 0, OPT_FLAG, offsetof(struct sweep_args, judge), NULL,
	 "claims, hardware, vmms, evolution, firecracker-spec: no boots, only the table from the newest stored runs"},
	{"store", 0, OPT_STR, offsetof(struct sweep_args, store), "DIR", "where records are kept"},
	{"executor", 0, OPT_STR, offsetof(struct sweep_args, executor), "slurm[:PARTITION]",
	 "each plan is a job of its own on a machine of a cluster"},
	{"campaign", 0, OPT_STR, offsetof(struct sweep_args, campaign), "DIR",
	 "slurm: a directory that all its machines see (default: sweep-FILE)"},
	{"resume", 0, OPT_FLAG, offsetof(struct sweep_args, resume), NULL,
	 "slurm: go on with the sweep in that directory"},
	OPT_END,
};

/* "claims" is experiments/claims.ini of the checkout, or of what is installed. */
static char *find_file(const char *name)
{
	const char *root = path_checkout();
	char *path, *slash;

	if (strchr(name, '/') || strchr(name, '.'))
		return xstrdup(name);
	if (root)
		return xasprintf("%s/experiments/%s.ini", root, name);
	path = xstrdup(path_self());
	slash = strrchr(path, '/');
	if (slash)
		*slash = '\0';
	slash = xasprintf("%s/../share/exitlab/experiments/%s.ini", path, name);
	free(path);
	return slash;
}

static void let_the_child_end(int sig)
{
	(void)sig;
}

static const char *outcome(int status)
{
	switch (status) {
	case EXIT_OK:
		return "done";
	case EXIT_FAILED:
		return "a boot or check failed";
	case EXIT_USAGE:
		return "not a valid plan";
	case EXIT_CANNOT:
		return "cannot be measured here";
	case STATUS_INTERRUPTED:
		return "interrupted";
	default:
		return "ended abnormally";
	}
}

static bool has_section(const struct jobfile *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(name, f->v[i].name))
			return true;
	log_error("sweep: no section %s in it", name);
	return false;
}

/* Every section, though one of them fails: a night's run is worth what it could measure. */
static int run_all(const struct jobfile *f, const struct sweep_args *a)
{
	const struct job_how how = {.store = a->store, .reps = a->reps, .dry_run = a->dry_run};
	struct table *t = table_new(2, "experiment:", "outcome:");
	int worst = EXIT_OK, status = EXIT_OK;
	size_t ran = 0;

	for (size_t i = 0; i < f->n && status != STATUS_INTERRUPTED; i++) {
		if (a->only && strcmp(a->only, f->v[i].name) != 0)
			continue;
		printf("%s[%s]\n", text_if(ran++, "\n"), f->v[i].name);
		fflush(stdout);
		status = job_run(&f->v[i], &how);
		table_cell(t, "%s", f->v[i].name);
		table_cell(t, "%s", outcome(status));
		if (status == STATUS_INTERRUPTED)
			worst = status;
		else if (status)
			worst = EXIT_FAILED;
	}
	printf("\n");
	table_print(t, stdout);
	return worst;
}

static void claims_section(json_t *const *rec, size_t n, enum claim_section section)
{
	struct table *t = table_new(5, "claim:", "published:", "ours:", "holds:", "why:");
	struct claim_result *r;
	size_t claims = claims_judge(rec, n, section, &r);

	for (size_t i = 0; i < claims; i++) {
		table_cell(t, "%s", r[i].claim);
		table_cell(t, "%s", r[i].published);
		table_cell(t, "%s", text_or(r[i].ours, "-"));
		table_cell(t, "%s", claim_state_text(r[i].state));
		table_cell(t, "%s", r[i].why);
	}
	table_print(t, stdout);
	free(r);
}

static int judge_newest(const struct sweep_args *a, void (*print)(json_t *const *rec, size_t n))
{
	struct run_filter newest = {.last = CLAIMS_LOOK_BACK};
	struct run_row *rows;
	struct store *store;
	json_t **rec;
	size_t n;

	if (store_open(&store, a->store))
		return EXIT_CANNOT;
	if (store_list(store, &newest, &rows, &n)) {
		store_close(store);
		return EXIT_CANNOT;
	}
	rec = xcalloc(n, sizeof(json_t *));
	for (size_t i = 0; i < n; i++)
		rec[i] = store_load(store, rows[i].id);
	print(rec, n);
	for (size_t i = 0; i < n; i++)
		json_decref(rec[i]);
	free(rec);
	run_rows_free(rows, n);
	store_close(store);
	return EXIT_OK;
}

static void claims_of_guests(json_t *const *rec, size_t n)
{
	claims_section(rec, n, CLAIMS_GUESTS);
}

static void claims_of_hardware(json_t *const *rec, size_t n)
{
	vendors_table_print(rec, n);
	claims_section(rec, n, CLAIMS_HARDWARE);
}

static void claims_of_firecracker(json_t *const *rec, size_t n)
{
	claims_section(rec, n, CLAIMS_FIRECRACKER);
}

static int print_claims(const struct sweep_args *a)
{
	return judge_newest(a, claims_of_guests);
}

static int print_hardware(const struct sweep_args *a)
{
	return judge_newest(a, claims_of_hardware);
}

static int print_firecracker(const struct sweep_args *a)
{
	return judge_newest(a, claims_of_firecracker);
}

static int print_vmms(const struct sweep_args *a)
{
	return vmms_table_print(a->store);
}

static int print_evolution(const struct sweep_args *a)
{
	return evolution_table_print(a->store);
}

/* What one of ours says of all its experiments, or NULL. */
static int (*sweep_summary(const char *name))(const struct sweep_args *a)
{
	static const struct {
		const char *name;
		int (*print)(const struct sweep_args *a);
	} ours[] = {{"claims", print_claims},	      {"hardware", print_hardware},
		    {"vmms", print_vmms},	      {"evolution", print_evolution},
		    {"firecracker-spec", print_firecracker}};

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (!strcmp(name, ours[i].name))
			return ours[i].print;
	return NULL;
}

/* sweep-FILE, without folder and ending. Caller frees. */
static char *campaign_dir(const char *file)
{
	const char *slash = strrchr(file, '/');

	if (slash)
		file = slash + 1;
	return xasprintf("sweep-%.*s", (int)strcspn(file, "."), file);
}

static int run_elsewhere(const struct jobfile *f, const char *file, const struct sweep_args *a)
{
	char *dir = campaign_dir(file);
	const struct campaign_want want = {
		.partition = slurm_partition("sweep", a->executor),
		.dir = text_or(a->campaign, dir),
		.store = a->store,
		.reps = a->reps,
		.only = a->only,
		.resume = a->resume,
		.dry_run = a->dry_run,
	};
	int status = slurm_sweep(f, &want);

	free(dir);
	return status;
}

static int sweep_file(const char *name, const struct sweep_args *a)
{
	struct sigaction wait = {.sa_handler = let_the_child_end};
	int (*summary)(const struct sweep_args *a) = sweep_summary(name);
	struct jobfile f;
	char *path;
	int status, err;

	if (a->judge)
		return summary(a);
	path = find_file(name);
	err = jobfile_read(&f, path);
	free(path);
	if (err)
		return EXIT_USAGE;
	if (a->only && !has_section(&f, a->only)) {
		jobfile_free(&f);
		return EXIT_USAGE;
	}
	sigaction(SIGINT, &wait, NULL);
	if (a->executor)
		status = run_elsewhere(&f, name, a);
	else
		status = run_all(&f, a);
	jobfile_free(&f);
	if (summary && !a->dry_run && status != STATUS_INTERRUPTED) {
		printf("\n");
		err = summary(a);
		if (!status)
			status = err;
	}
	return status;
}

static int sweep_main(int argc, char **argv)
{
	struct sweep_args a = {0};
	int status;

	if (!bench_parse(&cmd_sweep, &argc, argv, &a, &status))
		return status;
	if (argc != 2) {
		log_error("sweep: expected one job file or the name of one in experiments/");
		return EXIT_USAGE;
	}
	if (a.judge && !sweep_summary(argv[1])) {
		log_error("sweep: --judge is for claims, hardware, vmms, evolution and firecracker-spec");
		return EXIT_USAGE;
	}
	if (a.executor && !slurm_partition("sweep", a.executor))
		return EXIT_USAGE;
	if (!a.executor && (a.campaign || a.resume)) {
		log_error("sweep: --campaign and --resume are for --executor=slurm");
		return EXIT_USAGE;
	}
	return sweep_file(argv[1], &a);
}

const struct command cmd_sweep = {
	.name = "sweep",
	.args = "FILE.ini | NAME",
	.summary = "run the experiments of a job file; `claims` judges published figures, `hardware` what VT-x and SVM do, `vmms` compares VMMs, `evolution` ways of virtualising, `firecracker-spec` Firecracker with its promises",
	.details =
		"A job file has a section per experiment, [global] for what they share, and the options of\n"
		"bench run as keys (flags are on or off); any other key is a --set. kernel is the knob,\n"
		"guest_kernel the option, probes=off is --no-probes. Lists are a matrix, measured interleaved.\n"
		"A NAME without dot or slash is experiments/NAME.ini.",
	.examples = "bench sweep claims --dry-run\nbench sweep claims --judge\n"
		    "bench sweep vmms --reps=3\n"
		    "bench sweep hardware --judge\n"
		    "bench sweep firecracker-spec\n"
		    "bench sweep evolution\n"
		    "bench sweep experiments/knobs.ini --only=rings --reps=7\n"
		    "bench sweep nightly --executor=slurm:metal --campaign=/shared/tonight\n"
		    "bench sweep nightly --executor=slurm:metal --campaign=/shared/tonight --resume",
	.opts = sweep_opts,
	.run = sweep_main,
};
