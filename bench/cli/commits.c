// SPDX-License-Identifier: MIT
#include "bench/cli/commits.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/strbuf.h"
#include "bench/host/paths.h"

#define GIT_LIMIT_NS   (60 * NSEC_PER_SEC)
#define BUILD_LIMIT_NS (2 * 3600 * NSEC_PER_SEC)

/* ---- git ---- */

/* What git says, without its last newline, or NULL: it failed and has said why. Caller frees. */
static char *git_output(const char *repo, const char *const *words)
{
	struct strbuf out = STRBUF_INIT;
	struct strlist argv = STRLIST_INIT;
	char *text = NULL;
	int status;

	strlist_add(&argv, "git");
	strlist_add(&argv, "-C");
	strlist_add(&argv, repo);
	for (; *words; words++)
		strlist_add(&argv, *words);
	status = proc_run(argv.v, &out, GIT_LIMIT_NS);
	if (status < 0)
		log_error("git: %s", strerror(-status));
	if (!status) {
		text = strbuf_take(&out);
		if (*text && text[strlen(text) - 1] == '\n')
			text[strlen(text) - 1] = '\0';
	}
	strbuf_free(&out);
	strlist_free(&argv);
	return text;
}

static bool git_says_yes(const char *repo, const char *const *words)
{
	char *text = git_output(repo, words);
	bool yes = text;

	free(text);
	return yes;
}

static char *git_commit_of(const char *repo, const char *name)
{
	char *spec = xasprintf("%s^{commit}", name);
	char *id = git_output(repo, (const char *const[]){"rev-parse", "--verify", "-q", spec, NULL});

	if (!id)
		log_error("bisect: %s is no commit of %s", name, repo);
	free(spec);
	return id;
}

/* ---- the line of commits ---- */

static void add_commit(struct commits *c, const char *line)
{
	size_t len = strcspn(line, " ");

	c->v = xgrow(c->v, c->n, sizeof(*c->v));
	c->v[c->n++] = (struct commit){xasprintf("%.*s", (int)len, line),
				       xstrdup(line + MIN(len + 1, strlen(line)))};
}

static int list_commits(struct commits *c, const char *good, const char *bad)
{
	char *range = xasprintf("%s..%s", good, bad), *save = NULL, *text;

	text = git_output(c->repo, (const char *const[]){"log", "--first-parent", "--reverse",
							 "--format=%H %s", range, NULL});
	free(range);
	if (!text)
		return -EINVAL;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		add_commit(c, line);
	free(text);
	return c->n ? 0 : -EINVAL;
}

static int find_commits(struct commits *c, const char *good, const char *bad)
{
	char *last = NULL;
	int err = -EINVAL;

	c->good = git_commit_of(c->repo, good);
	if (c->good)
		last = git_commit_of(c->repo, bad);
	if (!last)
		return err;
	if (git_says_yes(c->repo, (const char *const[]){"merge-base", "--is-ancestor", c->good, last, NULL}))
		err = list_commits(c, c->good, last);
	if (err)
		log_error("bisect: %s is no ancestor of %s: nothing lies between them", good, bad);
	free(last);
	return err;
}

/* ---- the worktree ---- */

/* The journal's commands are split at blanks. */
static int check_path(const char *path)
{
	if (!strpbrk(path, " \t\n"))
		return 0;
	log_error("bisect: %s: not supported yet below a path with a blank in it", path);
	return -ENOTSUP;
}

static int make_worktree(struct commits *c)
{
	char *parent = xasprintf("%s/bisect", path_cache());
	char *make = NULL, *undo = NULL;
	int err = dir_make_all(parent);

	c->tree = xasprintf("%s/%d-%llu", parent, getpid(), (unsigned long long)clock_ns());
	c->kept = xasprintf("%s/build-good", c->tree);
	if (err)
		log_error("%s: %s", parent, strerror(-err));
	if (!err)
		err = check_path(c->repo);
	if (!err)
		err = check_path(c->tree);
	if (!err)
		err = journal_open(&c->journal);
	if (!err) {
		make = xasprintf("git -C %s worktree add -q --detach %s %s", c->repo, c->tree, c->good);
		undo = xasprintf("git -C %s worktree remove --force %s", c->repo, c->tree);
		err = journal_run(c->journal, make, undo);
	}
	free(make);
	free(undo);
	free(parent);
	return err;
}

int commits_open(struct commits *c, const char *repo, const char *good, const char *bad)
{
	*c = (struct commits){.repo = NULL};
	journal_recover();
	c->repo = git_output(repo, (const char *const[]){"rev-parse", "--show-toplevel", NULL});
	if (!c->repo) {
		log_error("bisect: %s is no git checkout; go there or say --repo=DIR", repo);
		return -EINVAL;
	}
	return find_commits(c, good, bad) ? -EINVAL : make_worktree(c);
}

void commits_close(struct commits *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].id);
		free(c->v[i].subject);
	}
	journal_close(c->journal);
	free(c->v);
	free(c->good);
	free(c->repo);
	free(c->tree);
	free(c->kept);
}

/* ---- builds ---- */

static char *log_path(const struct commits *c)
{
	return xasprintf("%s/build-good.log", c->tree);
}

char *commits_log(const struct commits *c)
{
	struct strbuf sb = STRBUF_INIT;
	char *path = log_path(c);

	file_read(path, &sb);
	free(path);
	return strbuf_take(&sb);
}

static int run_build(const struct commits *c, const char *command)
{
	char *path = log_path(c);
	char *line = xasprintf("cd %s && { %s\n} >%s 2>&1 </dev/null", c->tree, command, path);
	int status = proc_run((char *[]){(char *)"sh", (char *)"-c", line, NULL}, NULL, BUILD_LIMIT_NS);
	char *vmm = xasprintf("%s/build/vmm", c->tree);

	if (!status && access(vmm, X_OK))
		status = 1;
	free(vmm);
	free(line);
	free(path);
	if (status < 0)
		log_error("bisect: the build: %s", strerror(-status));
	if (status == 128 + SIGINT)
		return -EINTR;
	return status > 0 ? -ECANCELED : status;
}

/* Those of the last commit are none of this one. */
static void remove_builds(const struct commits *c)
{
	static const char *const program[] = {"vmm", "vhost-user-net", "vhost-user-blk"};

	for (size_t i = 0; i < ARRAY_SIZE(program); i++) {
		char *path = xasprintf("%s/build/%s", c->tree, program[i]);

		unlink(path);
		free(path);
	}
}

int commits_build(struct commits *c, const char *id, const char *command)
{
	bool out = git_says_yes(c->tree,
				(const char *const[]){"checkout", "-q", "--force", "--detach", id, NULL});

	remove_builds(c);
	if (out)
		return run_build(c, command);
	log_error("bisect: %s cannot be checked out in %s", id, c->tree);
	return -EIO;
}

int commits_keep(struct commits *c)
{
	char *line = xasprintf("mkdir -p %s && cp build/vmm %s/ && for f in build/vhost-user-*; do [ ! -x $f ] || cp $f %s/; done",
			       c->kept, c->kept, c->kept);
	char *there = xasprintf("cd %s && %s", c->tree, line);
	int status = proc_run((char *[]){(char *)"sh", (char *)"-c", there, NULL}, NULL, GIT_LIMIT_NS);

	free(there);
	free(line);
	if (!status)
		return 0;
	log_error("bisect: the good build could not be kept in %s", c->kept);
	return -EIO;
}
