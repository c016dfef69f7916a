/* SPDX-License-Identifier: MIT */
/*
 * What a lab's start and the bench outside tell the bench inside, in environment variables. Their names
 * stand in outer.c and nowhere else; they are no interface for people.
 */
#ifndef BENCH_HOST_OUTER_H
#define BENCH_HOST_OUTER_H

#include "base/util.h"

struct outer {
	const char *lab;     /* the machine that this lab is; NULL: no lab */
	bool virtual_time;   /* the lab's clock counts instructions */
	bool inner;          /* a bench outside has made the plan, and shows the results */
	bool terminal;       /* stderr of the bench outside is a terminal */
	const char *plan_id; /* the plan ID of the records; NULL: the bench makes a new one */
};

/* What we were told; its texts live as long as the environment. */
struct outer outer_told(void);
/* Calls add with a "NAME=value" for each that is to be told. */
void outer_tell(const struct outer *o, void (*add)(void *ctx, const char *pair), void *ctx);

/* True inside a lab. */
bool lab_inside(void);

#endif
