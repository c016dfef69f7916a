// SPDX-License-Identifier: MIT
#include "bench/host/outer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAB          "EXITLAB_LAB"
#define VIRTUAL_TIME "EXITLAB_VIRTUAL_TIME"
#define INNER        "EXITLAB_INNER"
#define PLAN_ID      "EXITLAB_PLAN_ID"
#define TERMINAL     "terminal" /* INNER's value when there is one */

struct outer outer_told(void)
{
	const char *inner = getenv(INNER);

	return (struct outer){
		.lab = getenv(LAB),
		.virtual_time = getenv(VIRTUAL_TIME),
		.inner = inner,
		.terminal = inner && !strcmp(inner, TERMINAL),
		.plan_id = getenv(PLAN_ID),
	};
}

void outer_tell(const struct outer *o, void (*add)(void *ctx, const char *pair), void *ctx)
{
	char pair[128];

	if (o->lab) {
		snprintf(pair, sizeof(pair), LAB "=%s", o->lab);
		add(ctx, pair);
	}
	if (o->virtual_time)
		add(ctx, VIRTUAL_TIME "=1");
	if (o->inner && o->terminal)
		add(ctx, INNER "=" TERMINAL);
	else if (o->inner)
		add(ctx, INNER "=1");
	if (o->plan_id) {
		snprintf(pair, sizeof(pair), PLAN_ID "=%s", o->plan_id);
		add(ctx, pair);
	}
}

bool lab_inside(void)
{
	return outer_told().lab;
}
