// SPDX-License-Identifier: MIT
#include "bench/fleet/slurm.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/table.h"
#include "bench/fleet/needs.h"

#define STATUS_INTERRUPTED 130
#define ANSWER_NS	   (60 * NSEC_PER_SEC) /* of a command of Slurm's */
#define LOOK_EVERY_NS	   (2 * NSEC_PER_SEC)
#define MOST_ATTEMPTS	   5
/* A file system shared by machines shows a file some time after the job's end. */
#define MOST_UNSEEN 3
#define BY_SIGNAL   128 /* a status above it */

struct sweep {
	struct campaign c;
	const struct campaign_want *want;
	uint64_t began_ns;
	size_t over_before; /* plans that were over when we began */
	bool deaf;	    /* Slurm does not answer, which was said */
	bool interrupted;
	sigset_t ending;
	char *reason; /* why jobs wait, as it was last said */
};

/* ---- a job ---- */

/* Caller frees. */
static char *job_name(const struct sweep *s, const struct campaign_plan *p)
{
	return xasprintf("exitlab-%s-%s-%u", strrchr(s->c.dir, '/') + 1, strrchr(p->dir, '/') + 1,
			 p->attempt);
}

/* Of the newest attempt. */
static void write_script(const struct sweep *s, const struct campaign_plan *p, struct strbuf *sb)
{
	char *name = job_name(s, p), *out = campaign_file(p, "out"), *needs = needs_of(p->experiment);

	strbuf_adds(sb, "#!/bin/bash\n");
	strbuf_addf(sb, "#SBATCH --job-name=%s\n", name);
	strbuf_adds(sb, "#SBATCH --nodes=1 --exclusive --no-requeue\n");
	if (*s->want->partition)
		strbuf_addf(sb, "#SBATCH --partition=%s\n", s->want->partition);
	if (text_or(needs, NULL))
		strbuf_addf(sb, "#SBATCH --constraint=%s\n", needs);
	strbuf_addf(sb, "#SBATCH --output=%s\n", out);
	campaign_commands(p, s->want->reps, sb);
	free(name);
	free(out);
	free(needs);
}

static int submit(const struct sweep *s, struct campaign_plan *p)
{
	char *argv[] = {(char *)"sbatch", (char *)"--parsable", NULL, NULL};
	struct strbuf script = STRBUF_INIT, id = STRBUF_INIT;
	char *path, job[sizeof(p->job)];
	int err;

	p->attempt++;
	argv[2] = path = campaign_file(p, "script");
	write_script(s, p, &script);
	err = file_write_atomic(path, strbuf_str(&script), script.len);
	if (!err && proc_run(argv, &id, ANSWER_NS))
		err = -EIO;
	if (err)
		log_error("[%s]: sbatch does not take %s (see above)", p->experiment->name, path);
	snprintf(job, sizeof(job), "%.*s", (int)strcspn(strbuf_str(&id), ";\n"), strbuf_str(&id));
	if (!err)
		err = campaign_is_out(p, job);
	free(path);
	strbuf_free(&script);
	strbuf_free(&id);
	return err;
}

/* By name: a bench that was killed may not have learnt the number. */
static void cancel(const struct sweep *s, const struct campaign_plan *p)
{
	char *name = job_name(s, p), *word = xasprintf("--name=%s", name);
	char *argv[] = {(char *)"scancel", word, NULL};

	if (proc_run(argv, NULL, ANSWER_NS))
		log_warn("scancel %s failed", word);
	free(word);
	free(name);
}

/* ---- what Slurm knows ---- */

/* A job in one of these states may still end well. */
static bool is_alive(const char *state)
{
	static const char *const alive[] = {"PENDING",	 "CONFIGURING", "RUNNING",  "COMPLETING",
					    "SUSPENDED", "STOPPED",	"REQUEUED", "REQUEUE_HOLD",
					    "RESIZING",	 "SIGNALING",	"STAGE_OUT"};

	for (size_t i = 0; i < ARRAY_SIZE(alive); i++)
		if (!strcmp(state, alive[i]))
			return true;
	return false;
}

struct job_view {
	char id[24], state[24], node[64], reason[64];
};

static bool parse_view(const char *line, struct job_view *v)
{
	*v = (struct job_view){.id = ""};
	return sscanf(line, "%23[^|]|%23[^|]|%63[^ |] |%63[^|\n]", v->id, v->state, v->node, v->reason) >= 2;
}

/* The line of squeue for a job. */
static bool view_of(const char *jobs, const char *id, struct job_view *v)
{
	for (const char *line = jobs; *line && *id; line += strcspn(line, "\n"), line += *line == '\n')
		if (parse_view(line, v) && !strcmp(v->id, id))
			return true;
	*v = (struct job_view){.id = ""};
	return false;
}

/* False (said once) when Slurm does not answer: jobs go on without it. */
static bool list_jobs(struct sweep *s, struct strbuf *jobs)
{
	char *argv[] = {(char *)"squeue",
			(char *)"--noheader",
			(char *)"--me",
			(char *)"--states=all",
			(char *)"--format=%i|%T|%N |%r",
			NULL};
	bool heard = !proc_run(argv, jobs, ANSWER_NS);

	if (!heard && !s->deaf)
		log_warn("squeue: no answer from Slurm; waiting for it");
	if (heard && s->deaf)
		log_info("Slurm answers again");
	s->deaf = !heard;
	return heard;
}

/* ---- progress ---- */

static size_t plans_in(const struct sweep *s, enum plan_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < s->c.n; i++)
		n += s->c.v[i].state == state;
	return n;
}

static size_t plans_running(const struct sweep *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->c.n; i++)
		n += s->c.v[i].runs;
	return n;
}

static void say_over(const struct sweep *s, const struct campaign_plan *p)
{
	size_t over = plans_in(s, PLAN_OVER), now = over - s->over_before;
	double left = 0;

	if (now)
		left = (double)(clock_ns() - s->began_ns) / 1e9 * (double)(s->c.n - over) / (double)now;
	log_info("[%zu/%zu] %s: ended with status %d on %s (%zu running, %.0f s left)", over, s->c.n,
		 p->experiment->name, p->status, p->node, plans_running(s), left);
}

/* Nothing runs, and Slurm says why. */
static void say_waiting(struct sweep *s, const struct job_view *v)
{
	if (!strcmp(v->reason, "None") || !*v->reason || (s->reason && !strcmp(s->reason, v->reason)))
		return;
	free(s->reason);
	s->reason = xstrdup(v->reason);
	log_info("jobs wait: %s", s->reason);
}

/* ---- one plan ---- */

/* One that is given up is not over for a later --resume. */
static void lost(const struct sweep *s, struct campaign_plan *p, const struct job_view *v)
{
	const char *name = p->experiment->name, *state = text_or(v->state, "gone");

	cancel(s, p);
	if (p->attempt < MOST_ATTEMPTS) {
		log_warn("[%s]: job %s was lost (%s %s); once more", name, p->job, state, v->node);
		campaign_again(p);
		return;
	}
	log_error("[%s]: job %s was lost (%s %s), the %u. time; given up", name, p->job, state, v->node,
		  p->attempt);
	p->state = PLAN_OVER;
	p->status = EXIT_CANNOT;
}

/* jobs: what squeue says. */
static int attend(struct sweep *s, struct campaign_plan *p, const char *jobs)
{
	struct job_view v;
	bool known;
	int err;

	if (p->state == PLAN_WAITS)
		return submit(s, p);
	if (p->state == PLAN_OVER)
		return 0;
	known = view_of(jobs, p->job, &v);
	if (campaign_has_ended(p) && p->status <= BY_SIGNAL) {
		err = campaign_take_in(&s->c, p);
		if (!err)
			say_over(s, p);
		return err;
	}
	p->runs = known && !strcmp(v.state, "RUNNING");
	if (known && is_alive(v.state) && p->status <= BY_SIGNAL) {
		p->unseen = 0;
		if (!plans_running(s))
			say_waiting(s, &v);
		return 0;
	}
	if (p->status > BY_SIGNAL || ++p->unseen >= MOST_UNSEEN)
		lost(s, p, &v);
	return 0;
}

/* Signals that end a sweep are blocked, and looked for here. */
static void pause_sweep(struct sweep *s)
{
	const struct timespec t = {LOOK_EVERY_NS / NSEC_PER_SEC, 0};

	s->interrupted = sigtimedwait(&s->ending, NULL, &t) > 0;
}

static int attend_all(struct sweep *s)
{
	struct strbuf jobs = STRBUF_INIT;
	int err = 0;

	if (list_jobs(s, &jobs))
		for (size_t i = 0; i < s->c.n && !err; i++)
			err = attend(s, &s->c.v[i], strbuf_str(&jobs));
	strbuf_free(&jobs);
	return err;
}

/* ---- the sweep ---- */

static void cancel_all(const struct sweep *s)
{
	for (size_t i = 0; i < s->c.n; i++)
		if (s->c.v[i].state == PLAN_IS_OUT)
			cancel(s, &s->c.v[i]);
	log_info("cancelled what was out; go on by --resume --campaign=%s", s->c.dir);
}

static int print_outcomes(const struct sweep *s)
{
	struct table *t = table_new(4, "experiment:", ":attempts", "node:", ":status");
	int worst = EXIT_OK;

	for (size_t i = 0; i < s->c.n; i++) {
		const struct campaign_plan *p = &s->c.v[i];

		table_cell(t, "%s", p->experiment->name);
		table_cell(t, "%u", p->attempt);
		table_cell(t, "%s", text_or(p->node, "-"));
		table_cell(t, "%d", p->status);
		if (p->status || p->state != PLAN_OVER)
			worst = EXIT_FAILED;
	}
	table_print(t, stdout);
	return worst;
}

static int run_sweep(struct sweep *s)
{
	int err = 0;

	s->began_ns = clock_ns();
	s->over_before = plans_in(s, PLAN_OVER);
	while (!err && !s->interrupted && plans_in(s, PLAN_OVER) < s->c.n) {
		err = attend_all(s);
		if (!err && plans_in(s, PLAN_OVER) < s->c.n)
			pause_sweep(s);
	}
	if (s->interrupted || err)
		cancel_all(s);
	if (s->interrupted)
		return STATUS_INTERRUPTED;
	return print_outcomes(s);
}

static int print_scripts(struct sweep *s)
{
	for (size_t i = 0; i < s->c.n; i++) {
		struct strbuf script = STRBUF_INIT;

		s->c.v[i].attempt++;
		write_script(s, &s->c.v[i], &script);
		printf("# [%s]\n%s\n", s->c.v[i].experiment->name, strbuf_str(&script));
		strbuf_free(&script);
	}
	return EXIT_OK;
}

/* The last plan's typing error is found before the first one is out. */
static bool all_are_plans(const struct jobfile *f)
{
	bool sound = true;

	for (size_t i = 0; i < f->n && sound; i++) {
		char *needs = needs_of(&f->v[i]);

		sound = needs;
		free(needs);
	}
	return sound;
}

const char *slurm_partition(const char *who, const char *executor)
{
	if (!strcmp(executor, "slurm"))
		return "";
	if (!strncmp(executor, "slurm:", 6))
		return executor + 6;
	log_error("%s: --executor=%s: it is slurm or slurm:PARTITION", who, executor);
	return NULL;
}

int slurm_sweep(const struct jobfile *f, const struct campaign_want *want)
{
	struct sweep s = {.want = want};
	int status = EXIT_USAGE, err;

	if (!all_are_plans(f))
		return EXIT_USAGE;
	err = campaign_open(&s.c, f, want);
	sigemptyset(&s.ending);
	sigaddset(&s.ending, SIGINT);
	sigaddset(&s.ending, SIGTERM);
	sigprocmask(SIG_BLOCK, &s.ending, NULL);
	if (!err && want->dry_run)
		status = print_scripts(&s);
	else if (!err)
		status = run_sweep(&s);
	free(s.reason);
	campaign_free(&s.c);
	return status;
}
