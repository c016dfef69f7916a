/* SPDX-License-Identifier: MIT */
/*
 * Job files in fio's dialect: a section per experiment, [global] for what all of them share.
 *
 *   [global]
 *   reps=10
 *   duration=2s
 *   [ring-layouts]
 *   workload=net-throughput
 *   mode=virtio,vhost        ; a list is a matrix, measured interleaved in one plan
 *   ring=split,packed        ; whatever is no option of `bench run` is a --set
 *
 * A key is called as the option (flags are on or off), except guest_kernel for --kernel, since kernel is a
 * knob, and probes=off for --no-probes.
 */
#ifndef BENCH_PLAN_JOBFILE_H
#define BENCH_PLAN_JOBFILE_H

#include "base/strlist.h"

struct job_experiment {
	char *name;          /* the section; with several workloads "section/workload" */
	struct strlist args; /* of `bench run`, the workload first */
};

struct jobfile {
	struct job_experiment *v;
	size_t n;
};

/* 0, or -errno with FILE:LINE and what is wrong logged. Free with jobfile_free. */
int jobfile_read(struct jobfile *f, const char *path);
void jobfile_free(struct jobfile *f);

struct job_how {
	const char *store, *reps; /* NULL: as the experiment says */
	bool dry_run;             /* check the plan, boot nothing */
	bool silent;              /* throw away what it prints */
};
/* The words of `bench run ...` of one experiment. The caller frees them. */
struct strlist job_command(const struct job_experiment *e, const struct job_how *how);
/*
 * `bench run ...` of one experiment, in a process of its own: whatever happens to it, we go on. Its exit
 * status, EXIT_CANNOT (logged) when there is none.
 */
int job_run(const struct job_experiment *e, const struct job_how *how);

#endif
