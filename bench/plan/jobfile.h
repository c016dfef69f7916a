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
 */
#ifndef BENCH_PLAN_JOBFILE_H
#define BENCH_PLAN_JOBFILE_H

#include "base/util.h"

struct job_experiment {
	char *name;  /* the section; with several workloads "section/workload" */
	char **argv; /* arguments of `bench run`, the workload first; NULL-terminated */
	size_t argc;
};

struct jobfile {
	struct job_experiment *v;
	size_t n;
};

/* 0, or -errno with FILE:LINE and what is wrong logged. Free with jobfile_free. */
int jobfile_read(struct jobfile *f, const char *path);
void jobfile_free(struct jobfile *f);

#endif
