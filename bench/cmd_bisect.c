// SPDX-License-Identifier: MIT
/* bench bisect: the first of many commits that makes our VMM worse. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/strbuf.h"
#include "base/table.h"
#include "bench/bench.h"
#include "bench/cli/bisect.h"
#include "bench/cli/commits.h"
#include "bench/host/paths.h"
#include "results/record.h"

#define AB_LIMIT_NS (12 * 3600 * NSEC_PER_SEC)
#define INTERRUPTED (128 + SIGINT)

/* ccache where it is there: most of two commits is the same. */
#define BUILD_COMMAND                                                                                        \
	"make -s -j$(nproc) CC=\"$(command -v ccache >/dev/null && echo 'ccache ')${CC:-gcc}\" build/vmm "     \
	"build/vhost-user-net $(grep -q vhost-user-blk Makefile && echo build/vhost-user-blk)"

struct bisect_args {
	const char *repo, *build;
	struct opt_list metric;
	uint64_t limit;
	bool json;
};

static const struct opt bisect_opts[] = {
	{"repo", 0, OPT_STR, offsetof(struct bisect_args, repo), "DIR",
	 "the checkout (default: where we are)"},
	{"build", 0, OPT_STR, offsetof(struct bisect_args, build), "CMD",
	 "what makes build/vmm in a checkout (default: make, with ccache if it is there)"},
	{"metric", 'm', OPT_LIST, offsetof(struct bisect_args, metric), "NAME",
	 "what became worse (default: what differs most between GOOD and BAD)"},
	{"limit", 'l', OPT_COUNT, offsetof(struct bisect_args, limit), "N",
	 "as of bench ab, for each commit"},
	{"json", 'j', OPT_FLAG, offsetof(struct bisect_args, json), NULL, "the commits as JSON"},
	OPT_END,
};

/* What was found out about a commit. */
struct finding {
	double good, value; /* of the metric; NAN: not measured */
	const char *why;    /* it was skipped */
};

struct hunt {
	struct bisect_args args;
	char **plan;           /* words behind "--" */
	struct commits commits;
	struct bisect search;
	struct finding *found; /* one per commit */
	char *metric;          /* what BAD is worse in */
	char *floors, *margin; /* half of that: a file, a percentage */
	unsigned deterministic; /* boots of each side; 0: it is not */
};

/* ---- one comparison ---- */

static struct strlist ab_words(const struct hunt *h)
{
	struct strlist w = STRLIST_INIT;

	strlist_add(&w, path_self());
	if (log_level() < LOG_INFO)
		strlist_add(&w, "-q");
	strlist_add(&w, "ab");
	strlist_add(&w, "--json");
	if (h->args.limit || h->deterministic)
		strlist_addf(&w, "--limit=%llu",
			     (unsigned long long)or_usual(h->args.limit, h->deterministic));
	for (size_t i = 0; !h->metric && i < h->args.metric.n; i++)
		strlist_addf(&w, "--metric=%s", h->args.metric.item[i]);
	if (h->metric) {
		strlist_addf(&w, "--metric=%s", h->metric);
		strlist_addf(&w, "--floors=%s", h->floors);
		if (!h->deterministic)
			strlist_addf(&w, "--margin=%s", h->margin);
	}
	strlist_addf(&w, "builtin:%s", h->commits.kept);
	strlist_addf(&w, "builtin:%s/build", h->commits.tree);
	strlist_add(&w, "--");
	for (char **p = h->plan; *p; p++)
		strlist_add(&w, *p);
	return w;
}

/* Exit status of bench ab, and what it said; *said may be NULL. */
static int compare_with_good(const struct hunt *h, json_t **said)
{
	struct strlist w = ab_words(h);
	struct strbuf out = STRBUF_INIT;
	int status = proc_run(w.v, &out, AB_LIMIT_NS);

	*said = json_loads(strbuf_str(&out), 0, NULL);
	if (status < 0)
		log_error("bench ab: %s", strerror(-status));
	strbuf_free(&out);
	strlist_free(&w);
	if (status < 0)
		return EXIT_CANNOT;
	return status;
}

static const json_t *row_of(const json_t *said, const char *metric)
{
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(said, "metrics"), i, row)
		if (!strcmp(record_str(row, "metric"), metric))
			return row;
	return NULL;
}

static double number_of(const json_t *row, const char *key)
{
	const json_t *v = json_object_get(row, key);

	return json_is_number(v) ? json_number_value(v) : NAN;
}

/* ---- what BAD is worse in ---- */

/* On the log scale; from nothing is the most. */
static double distance_of(const json_t *row)
{
	double a = number_of(row, "a"), b = number_of(row, "b");

	if (a == b)
		return 0;
	if (!(a > 0 && b > 0))
		return HUGE_VAL;
	return fabs(log(b / a));
}

static bool has_direction(const json_t *row)
{
	const struct metric_info *m = metric_find(record_str(row, "metric"));

	return m && m->better;
}

/* The largest change among what has become worse; what is good or bad goes before what is neither. */
static const json_t *most_changed(const json_t *said)
{
	const json_t *best = NULL;
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(said, "metrics"), i, row) {
		if (strcasecmp(record_str(row, "result"), "worse") != 0)
			continue;
		if (!best || has_direction(row) > has_direction(best) ||
		    (has_direction(row) == has_direction(best) && distance_of(row) > distance_of(best)))
			best = row;
	}
	return best;
}

/* Bad is what has more than half of the change, on the log scale: other changes are others' to find. */
static int choose_floors(struct hunt *h, const json_t *row)
{
	double a = number_of(row, "a"), b = number_of(row, "b"), half = 0, absolute = fabs(b - a) / 2;
	char *line;
	int err;

	if (a > 0 && b > 0) {
		half = fabs(sqrt(b / a) - 1);
		absolute = 0;
	}
	h->metric = xstrdup(record_str(row, "metric"));
	h->margin = xasprintf("%g%%", 100 * fmax(half, 0.01));
	h->floors = xasprintf("%s/build-good.floors", h->commits.tree);
	line = xasprintf("%s %.15g%% %.15g\n", h->metric, 100 * half, absolute);
	err = file_write_atomic(h->floors, line, strlen(line));
	if (err)
		log_error("%s: %s", h->floors, strerror(-err));
	free(line);
	return err;
}

static void note_values(struct hunt *h, size_t at, const json_t *said)
{
	const json_t *row = row_of(said, text_or(h->metric, ""));

	h->found[at].good = number_of(row, "a");
	h->found[at].value = number_of(row, "b");
}

/* ---- steps ---- */

static void skip(struct hunt *h, size_t at, const char *why)
{
	h->search.state[at] = BISECT_SKIPPED;
	h->found[at].why = why;
}

/* "bad", "skipped" ... */
static const char *state_word(const struct hunt *h, size_t at)
{
	static const char *const word[] = {"untried", "good", "bad", "skipped"};

	return word[h->search.state[at]];
}

static void say_step(const struct hunt *h, size_t at)
{
	const struct commit *c = &h->commits.v[at];
	const struct finding *f = &h->found[at];
	char why[128];

	if (f->why)
		snprintf(why, sizeof(why), "it %s", f->why);
	else
		snprintf(why, sizeof(why), "%s %s against %s", h->metric, metric_text(h->metric, f->value),
			 metric_text(h->metric, f->good));
	log_info("%.10s %s: %s (%s), at most %u steps left", c->id, c->subject, state_word(h, at), why,
		 bisect_steps(&h->search));
}

/* Exit status of what ends the hunt, or EXIT_OK. */
static int build_commit(struct hunt *h, size_t at)
{
	int err = commits_build(&h->commits, h->commits.v[at].id, text_or(h->args.build, BUILD_COMMAND));

	if (err == -ECANCELED)
		skip(h, at, "does not build");
	if (err == -EINTR)
		return INTERRUPTED;
	if (err && err != -ECANCELED)
		return EXIT_CANNOT;
	return EXIT_OK;
}

static int try_commit(struct hunt *h, size_t at)
{
	json_t *said = NULL;
	int status;

	log_info("%zu of %zu: %.10s %s", at + 1, h->commits.n, h->commits.v[at].id, h->commits.v[at].subject);
	status = build_commit(h, at);
	if (status || h->search.state[at] == BISECT_SKIPPED)
		goto out;
	status = compare_with_good(h, &said);
	note_values(h, at, said);
	if (status == EXIT_OK)
		h->search.state[at] = BISECT_GOOD;
	else if (status == EXIT_FAILED)
		h->search.state[at] = BISECT_BAD;
	else if (status == EXIT_UNDECIDED)
		skip(h, at, "could not be decided");
	if (h->search.state[at] != BISECT_UNTRIED)
		status = EXIT_OK;
out:
	if (!status)
		say_step(h, at);
	json_decref(said);
	return status;
}

/* The build to hold all others against. */
static int build_good(struct hunt *h)
{
	int err = commits_build(&h->commits, h->commits.good, text_or(h->args.build, BUILD_COMMAND));

	if (err == -EINTR)
		return INTERRUPTED;
	if (err == -ECANCELED) {
		char *log = commits_log(&h->commits);

		fputs(log, stderr);
		log_error("bisect: GOOD does not build; see above, or say how with --build");
		free(log);
	}
	if (err || commits_keep(&h->commits))
		return EXIT_CANNOT;
	return EXIT_OK;
}

/* The end that is known, which says what to look for. */
static int try_bad(struct hunt *h)
{
	size_t last = h->commits.n - 1;
	const json_t *worst;
	json_t *said = NULL;
	int status;

	log_info("BAD: %.10s %s", h->commits.v[last].id, h->commits.v[last].subject);
	status = build_commit(h, last);
	if (!status && h->search.state[last] == BISECT_SKIPPED) {
		log_error("bisect: BAD does not build");
		status = EXIT_CANNOT;
	}
	if (status)
		return status;
	status = compare_with_good(h, &said);
	worst = most_changed(said);
	if (status == EXIT_OK || (status == EXIT_FAILED && !worst)) {
		log_error("bisect: nothing shows that BAD is worse than GOOD; more pairs (--limit) or another plan may");
		status = EXIT_UNDECIDED;
	} else if (status == EXIT_FAILED) {
		status = choose_floors(h, worst) ? EXIT_CANNOT : EXIT_OK;
		h->search.state[last] = BISECT_BAD;
		note_values(h, last, said);
		say_step(h, last);
	}
	json_decref(said);
	return status;
}

/* ---- what it says ---- */

static bool is_found(const struct hunt *h, size_t *bad)
{
	size_t good;

	bisect_bounds(&h->search, &good, bad);
	return *bad == good + 1;
}

static void value_cell(struct table *t, const struct hunt *h, double v)
{
	if (isnan(v))
		table_cell(t, "-");
	else
		table_cell(t, "%s", metric_text(h->metric, v));
}

static void print_table(const struct hunt *h)
{
	char *head = xasprintf(":%s", h->metric);
	struct table *t = table_new(6, ":no", "commit:", head, ":of GOOD", "is:", "subject:");

	for (size_t i = 0; i < h->commits.n; i++) {
		const struct finding *f = &h->found[i];

		if (h->search.state[i] == BISECT_UNTRIED)
			continue;
		table_cell(t, "%zu", i + 1);
		table_cell(t, "%.10s", h->commits.v[i].id);
		value_cell(t, h, f->value);
		value_cell(t, h, f->good);
		table_cell(t, "%s%s%s", state_word(h, i), text_if(f->why, ": "), text_or(f->why, ""));
		table_cell(t, "%s", h->commits.v[i].subject);
	}
	table_print(t, stdout);
	free(head);
}

static void print_result(const struct hunt *h)
{
	size_t bad;

	print_table(h);
	if (is_found(h, &bad)) {
		print_plain(stdout, "\nfirst bad commit: %s %s\n", h->commits.v[bad].id,
			    h->commits.v[bad].subject);
		return;
	}
	printf("\nnot found: those before %.10s were skipped; it is that or one of them\n", h->commits.v[bad].id);
}

static json_t *commit_json(const struct hunt *h, size_t at)
{
	const struct commit *c = &h->commits.v[at];
	const struct finding *f = &h->found[at];

	return json_pack("{s:s, s:s, s:s, s:o, s:o}", "id", c->id, "subject", c->subject, "state",
			 state_word(h, at), "value", json_real_or_null(f->value), "of_good",
			 json_real_or_null(f->good));
}

static void print_json(const struct hunt *h)
{
	json_t *list = json_array(), *first = json_null(), *out;
	size_t bad;

	for (size_t i = 0; i < h->commits.n; i++)
		json_array_append_new(list, commit_json(h, i));
	if (is_found(h, &bad))
		first = json_string(h->commits.v[bad].id);
	out = json_pack("{s:s, s:s, s:o, s:o}", "good", h->commits.good, "metric", h->metric, "commits", list,
			"first_bad", first);
	json_print(out, stdout, JSON_INDENT(2));
	json_decref(out);
}

/* ---- the command ---- */

static int search_commits(struct hunt *h)
{
	int status = build_good(h);
	size_t at, bad;

	if (!status)
		status = try_bad(h);
	while (!status && (at = bisect_next(&h->search)) != SIZE_MAX)
		status = try_commit(h, at);
	if (status)
		return status;
	if (h->args.json)
		print_json(h);
	else
		print_result(h);
	return is_found(h, &bad) ? EXIT_OK : EXIT_UNDECIDED;
}

static int hunt_commits(struct hunt *h, const char *good, const char *bad)
{
	int status = EXIT_CANNOT, err = commits_open(&h->commits, text_or(h->args.repo, "."), good, bad);

	if (err == -EINVAL)
		status = EXIT_USAGE;
	if (!err) {
		h->search = (struct bisect){xcalloc(h->commits.n, sizeof(*h->search.state)), h->commits.n};
		h->found = xcalloc(h->commits.n, sizeof(*h->found));
		for (size_t i = 0; i < h->commits.n; i++)
			h->found[i].good = h->found[i].value = NAN;
		status = search_commits(h);
	}
	commits_close(&h->commits);
	free(h->search.state);
	free(h->found);
	free(h->metric);
	free(h->floors);
	free(h->margin);
	return status;
}

/* It reaches the child as well, which ends; we stay to undo. */
static void leave_it_to_the_child(int sig)
{
	(void)sig;
}

static int split_at_dashes(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--"))
			return i;
	return argc;
}

static int bisect_main(int argc, char **argv)
{
	int at = split_at_dashes(argc, argv), own = at, status;
	struct hunt h = {.plan = argv + at + 1};

	if (at < argc)
		argv[at] = NULL;
	if (!bench_parse(&cmd_bisect, &own, argv, &h.args, &status))
		return status;
	if (own != 3 || at + 1 >= argc) {
		log_error("bisect: expected GOOD BAD -- WORKLOAD [options of bench run]; see bench bisect --help");
		return EXIT_USAGE;
	}
	for (char **p = h.plan; *p; p++)
		if (!strcmp(*p, "--deterministic"))
			h.deterministic = 1; /* equal boots need no second one */
	sigaction(SIGINT, &(struct sigaction){.sa_handler = leave_it_to_the_child}, NULL);
	return hunt_commits(&h, argv[1], argv[2]);
}

const struct command cmd_bisect = {
	.name = "bisect",
	.args = "GOOD BAD -- WORKLOAD [options of bench run]",
	.summary = "the first commit that makes our VMM worse: checked out, built and held against GOOD one by one",
	.details =
		"Builds the VMM of commits between GOOD and BAD (first parents) in a worktree of its own and runs bench ab of\n"
		"each against GOOD's, with the guest, the probes and the peer of this bench. BAD against GOOD comes first and\n"
		"says what became worse; a commit is bad when it has more than half of that change. What does not build or\n"
		"cannot be decided is skipped. With --deterministic counts are exact, and a boot of each side is enough.\n"
		"The worktree goes at the end, after Ctrl-C too, and after a kill at the next start or by bench recover.\n"
		"Exit status: 0 found, 125 not found, 2 usage, 3 GOOD or BAD cannot be built.",
	.examples = "bench bisect v1.0 HEAD -- net-throughput --guest=micro\n"
		    "bench bisect v1.0 HEAD -- net-throughput --mode=virtio --deterministic --work=1M\n"
		    "bench bisect v1.0 HEAD --metric=exits_per_packet --limit=20 -- net-throughput --mode=e1000\n"
		    "bench bisect HEAD~64 HEAD --build='make -s build/vmm WERROR=0' -- exit-cost",
	.opts = bisect_opts,
	.run = bisect_main,
};
