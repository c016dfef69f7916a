/* SPDX-License-Identifier: MIT */
/*
 * The plans of a job file as jobs of a cluster, in a directory that all its machines see:
 *
 *   DIR/007/script-2   what the second attempt runs
 *   DIR/007/job-2      the cluster's number of it, from the moment that it is known
 *   DIR/007/store-2    its records
 *   DIR/007/status-2   "STATUS NODE" once it has ended, of its own accord
 *   DIR/007/over       the same, once its records are in our store
 *
 * An attempt that was lost with its machine has a successor, and only the newest attempt is ever
 * listened to: what comes back from the dead is not counted twice. Whoever reads the directory anew
 * knows all that there is to know.
 */
#ifndef BENCH_FLEET_CAMPAIGN_H
#define BENCH_FLEET_CAMPAIGN_H

#include "base/strbuf.h"
#include "bench/plan/jobfile.h"

struct campaign_want {
	const char *partition;		 /* "": the cluster's own choice */
	const char *dir;		 /* that all machines see */
	const char *store, *reps, *only; /* NULL: the usual one, as the file says, all */
	size_t again_from, again; /* so many plans from this one on run a second time, an A/A experiment */
	bool resume, dry_run;		 /* dry_run: nothing is made */
};

enum plan_state { PLAN_WAITS, PLAN_IS_OUT, PLAN_OVER };

struct campaign_plan {
	const struct job_experiment *experiment;
	char *dir;
	enum plan_state state;
	bool again;	  /* runs twice, in one job: on one machine */
	unsigned attempt; /* the newest, from 1; 0: none yet */
	char job[24];	  /* the cluster's number of it; "": not known */
	unsigned unseen;  /* looks in a row at which neither cluster nor directory knew of its end */
	bool runs;
	int status; /* of a plan that is over */
	char node[64];
};

struct campaign {
	char *dir;
	const char *store; /* NULL: the usual one */
	struct campaign_plan *v;
	size_t n;
};

/*
 * Makes the directory, or with resume takes up what is in it. 0, -EEXIST (logged) for one in use
 * without resume, -EINVAL (logged) for a plan that cannot be or another job file, or -errno (logged).
 */
int campaign_open(struct campaign *c, const struct jobfile *f, const struct campaign_want *want);
void campaign_free(struct campaign *c);
/* The commands of the newest attempt, for a shell. */
void campaign_commands(const struct campaign_plan *p, const char *reps, struct strbuf *sb);
/* DIR/007/NAME-ATTEMPT. Caller frees. */
char *campaign_file(const struct campaign_plan *p, const char *name);
/* The newest attempt has this number in the cluster; kept on disk. 0 or -errno (logged). */
int campaign_is_out(struct campaign_plan *p, const char *job);
/* True once the newest attempt has ended of its own accord, with p->status and p->node as it said. */
bool campaign_has_ended(struct campaign_plan *p);
/* Takes the records of an ended attempt into the store, once: 0 or -errno (logged). */
int campaign_take_in(const struct campaign *c, struct campaign_plan *p);
/* The next attempt is to be made. */
void campaign_again(struct campaign_plan *p);

#endif
