// SPDX-License-Identifier: MIT
#include "bench/fleet/campaign.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/strbuf.h"
#include "bench/host/paths.h"

#define IMPORT_LIMIT_NS (600 * NSEC_PER_SEC)

/* ---- the directory ---- */

char *campaign_file(const struct campaign_plan *p, const char *name)
{
	return xasprintf("%s/%s-%u", p->dir, name, p->attempt);
}

static int write_word(const char *path, const char *word)
{
	int err = file_write_atomic(path, word, strlen(word));

	if (err)
		log_error("%s: %s", path, strerror(-err));
	return err;
}

/* "STATUS NODE" of a file; false when there is none, or another text. */
static bool read_end(struct campaign_plan *p, const char *path)
{
	char *line = file_read_line(path);
	bool whole = sscanf(line, "%d %63s", &p->status, p->node) == 2;

	free(line);
	return whole;
}

/* What a bench before us has left of this plan. */
static void take_up(struct campaign_plan *p)
{
	char *over = xasprintf("%s/over", p->dir), *file, *job;
	bool there = true;

	if (read_end(p, over))
		p->state = PLAN_OVER;
	free(over);
	while (there && p->attempt < UINT_MAX) {
		p->attempt++;
		file = campaign_file(p, "script");
		there = file_exists(file);
		free(file);
	}
	p->attempt--;
	if (!p->attempt || p->state == PLAN_OVER)
		return;
	file = campaign_file(p, "job");
	job = file_read_line(file);
	snprintf(p->job, sizeof(p->job), "%s", job);
	p->state = PLAN_IS_OUT;
	free(job);
	free(file);
}

static void describe(const struct campaign *c, struct strbuf *sb)
{
	for (size_t i = 0; i < c->n; i++) {
		strbuf_addf(sb, "[%s]", c->v[i].experiment->name);
		for (size_t k = 0; k < c->v[i].experiment->args.n; k++)
			strbuf_addf(sb, " %s", c->v[i].experiment->args.v[k]);
		strbuf_addc(sb, '\n');
	}
}

/* DIR/plans says which plans the directory is of. */
static int claim(const struct campaign *c, bool resume)
{
	char *path = xasprintf("%s/plans", c->dir);
	struct strbuf ours = STRBUF_INIT, theirs = STRBUF_INIT;
	bool there = !file_read(path, &theirs);
	int err = 0;

	describe(c, &ours);
	if (there && !resume) {
		log_error(
			"%s: a sweep has begun there; go on with it by --resume, or name another by --campaign",
			c->dir);
		err = -EEXIST;
	} else if (there && strcmp(strbuf_str(&ours), strbuf_str(&theirs)) != 0) {
		log_error("%s: the sweep that has begun there has other plans; name another by --campaign",
			  c->dir);
		err = -EINVAL;
	} else if (!there) {
		err = write_word(path, strbuf_str(&ours));
	}
	strbuf_free(&ours);
	strbuf_free(&theirs);
	free(path);
	return err;
}

/* Slurm reads names of files as patterns, and blanks as their end. */
static bool is_plain(const char *path)
{
	return !path[strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._+-")];
}

static int find_dir(struct campaign *c, const struct campaign_want *want)
{
	char cwd[PATH_MAX];
	int err = 0;

	if (want->dir[0] == '/' || !getcwd(cwd, sizeof(cwd)))
		c->dir = xstrdup(want->dir);
	else
		c->dir = xasprintf("%s/%s", cwd, want->dir);
	if (!is_plain(c->dir)) {
		log_error("%s: letters, digits and . _ + - only, please; name another by --campaign", c->dir);
		return -EINVAL;
	}
	if (!want->dry_run)
		err = dir_make_all(c->dir);
	if (err)
		log_error("%s: %s", c->dir, strerror(-err));
	return err;
}

static void add_plan(struct campaign *c, const struct job_experiment *e, bool again)
{
	struct campaign_plan *p;

	c->v = xgrow(c->v, c->n, sizeof(*c->v));
	p = &c->v[c->n++];
	*p = (struct campaign_plan){.experiment = e, .again = again};
	p->dir = xasprintf("%s/%03zu", c->dir, c->n);
}

int campaign_open(struct campaign *c, const struct jobfile *f, const struct campaign_want *want)
{
	int err;

	*c = (struct campaign){.store = want->store};
	err = find_dir(c, want);
	for (size_t i = 0; i < f->n; i++)
		if (!want->only || !strcmp(want->only, f->v[i].name))
			add_plan(c, &f->v[i], (i + f->n - want->again_from) % f->n < want->again);
	if (err || want->dry_run)
		return err;
	err = claim(c, want->resume);
	for (size_t i = 0; i < c->n && !err; i++) {
		err = dir_make_all(c->v[i].dir);
		take_up(&c->v[i]);
	}
	return err;
}

void campaign_free(struct campaign *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->v[i].dir);
	free(c->v);
	free(c->dir);
	*c = (struct campaign){.n = 0};
}

/* ---- an attempt ---- */

/* A word for a shell. */
static void add_quoted(struct strbuf *sb, const char *word)
{
	strbuf_adds(sb, "'");
	for (const char *s = word; *s; s++) {
		if (*s == '\'')
			strbuf_adds(sb, "'\\''");
		else
			strbuf_addc(sb, *s);
	}
	strbuf_adds(sb, "' ");
}

static void add_command(struct strbuf *sb, const struct strlist *words, const char *rest)
{
	for (size_t i = 0; i < words->n; i++)
		add_quoted(sb, words->v[i]);
	strbuf_adds(sb, rest);
}

/* What bench doctor finds there is for the dashboard alone. */
static void add_doctor(struct strbuf *sb, const char *bench, const char *store)
{
	struct strlist words = STRLIST_INIT;

	strlist_add(&words, bench);
	strlist_add(&words, "doctor");
	strlist_addf(&words, "--store=%s", store);
	add_command(sb, &words, ">/dev/null\n");
	strlist_free(&words);
}

void campaign_commands(const struct campaign_plan *p, const char *reps, struct strbuf *sb)
{
	char *store = campaign_file(p, "store"), *status = campaign_file(p, "status");
	const struct job_how how = {.store = store, .reps = reps};
	struct strlist words = job_command(p->experiment, &how);

	strbuf_adds(sb, "node=${SLURMD_NODENAME:-$(hostname)}\nexport EXITLAB_MACHINE=\"${EXITLAB_MACHINE:-$node}\"\n");
	add_doctor(sb, words.v[0], store);
	add_command(sb, &words, "\nstatus=$?\n");
	if (p->again)
		add_command(sb, &words, "\nagain=$?\n[ $status -ne 0 ] || status=$again\n");
	strbuf_addf(sb, "echo \"$status $node\" >%s.new\nmv %s.new %s\n", status, status, status);
	strlist_free(&words);
	free(store);
	free(status);
}

int campaign_is_out(struct campaign_plan *p, const char *job)
{
	char *path = campaign_file(p, "job");
	int err;

	snprintf(p->job, sizeof(p->job), "%s", job);
	p->state = PLAN_IS_OUT;
	p->unseen = 0;
	err = write_word(path, p->job);
	free(path);
	return err;
}

bool campaign_has_ended(struct campaign_plan *p)
{
	char *path = campaign_file(p, "status");
	bool ended = read_end(p, path);

	free(path);
	return ended;
}

static int import_records(const struct campaign *c, const char *from)
{
	char *argv[] = {(char *)path_self(), (char *)"import", (char *)from, NULL, NULL}, *store = NULL;
	struct strbuf said = STRBUF_INIT;
	int status;

	if (c->store)
		argv[3] = store = xasprintf("--store=%s", c->store);
	status = proc_run(argv, &said, IMPORT_LIMIT_NS);
	strbuf_free(&said);
	free(store);
	if (!status)
		return 0;
	log_error("%s: its records were not taken into the store", from);
	return -EIO;
}

int campaign_take_in(const struct campaign *c, struct campaign_plan *p)
{
	char *store = campaign_file(p, "store"), *runs = xasprintf("%s/runs", store);
	char *over = xasprintf("%s/over", p->dir), *line = xasprintf("%d %s\n", p->status, p->node);
	int err = 0;

	if (file_exists(runs))
		err = import_records(c, store);
	if (!err)
		err = write_word(over, line);
	if (!err)
		p->state = PLAN_OVER;
	p->runs = false;
	free(line);
	free(over);
	free(runs);
	free(store);
	return err;
}

void campaign_again(struct campaign_plan *p)
{
	p->state = PLAN_WAITS;
	p->runs = false;
	p->job[0] = '\0';
	p->status = 0;
}
