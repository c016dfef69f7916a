/* SPDX-License-Identifier: MIT */
/*
 * A line of commits and a worktree of our own in which they are built. The worktree stands in the journal of
 * host changes: it goes at the end, or at the next start when we were killed.
 */
#ifndef BENCH_CLI_COMMITS_H
#define BENCH_CLI_COMMITS_H

#include "base/journal.h"
#include "base/strlist.h"

struct commit {
	char *id, *subject; /* full hash, first line */
};

struct commits {
	struct commit *v; /* behind good, up to bad, the oldest first; merges count as one */
	size_t n;
	char *good;         /* full hash */
	char *repo, *tree;  /* where it is, and our worktree */
	char *kept;         /* within it: the build of good */
	struct journal *journal;
};

/* 0, or -errno (logged): no such commits, good is no ancestor of bad, no worktree. Close in any case. */
int commits_open(struct commits *c, const char *repo, const char *good, const char *bad);
/*
 * Checks a commit out and runs the build command there, which is to make build/vmm: 0, -ECANCELED when it
 * does not build (its output is in commits_log), -EINTR after Ctrl-C, or -errno (logged).
 */
int commits_build(struct commits *c, const char *id, const char *command);
/* What was built now is the good one's: it stays beside the others. 0 or -errno (logged). */
int commits_keep(struct commits *c);
/* The output of the last build. Caller frees. */
char *commits_log(const struct commits *c);
void commits_close(struct commits *c);

#endif
