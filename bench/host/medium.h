/* SPDX-License-Identifier: MIT */
/*
 * What a disk of a guest lies on (--medium): the same for all modes of a plan, made for each sample and gone
 * after it. A new kind: a row in medium.c.
 */
#ifndef BENCH_HOST_MEDIUM_H
#define BENCH_HOST_MEDIUM_H

#include "bench/host/kmod.h"

#define MEDIUM_DEFAULT "null"
#define MEDIUM_OF_DEVICE "disk"

struct medium {
	char *path;       /* as another process opens it; NULL: there is none */
	int fd;           /* of a file without a name; -1 */
	bool is_device;
	bool keeps;       /* what was written can be read again */
	struct kmod kmod;
};

#define MEDIUM_INIT {.fd = -1}

struct medium_want {
	const char *name; /* null, ram, file, disk or a path; NULL: MEDIUM_DEFAULT */
	unsigned unit, units; /* several VMs have one each; the first makes them all */
	bool overwrite;       /* although something seems to be on it */
	uint64_t request_us;  /* that a request takes, where medium_timed */
};

/* 0, or -EINVAL (logged) for a word that is no medium. */
int medium_check(const char *name);
/* enum workload_need of it. */
unsigned medium_needs(const char *name);
bool medium_keeps(const char *name);
/* How long a request takes can be said. */
bool medium_timed(const char *name);
/* The kernel module that makes it, or NULL. */
const char *medium_module(const char *name);
/* What the module is told; NULL: none makes it. Caller frees. */
char *medium_params(const struct medium_want *want);

/* 0 or -errno (logged). */
int medium_open(struct medium *m, const struct medium_want *want);
void medium_close(struct medium *m);

#endif
