/* SPDX-License-Identifier: MIT */
/*
 * Who looks at the guest while it runs (--set observer=...): our probes, nobody, or one of the tools that
 * ours are compared with. A foreign tool only records; its data is thrown away, because its cost is what is
 * asked.
 */
#ifndef BENCH_SAMPLE_OBSERVER_H
#define BENCH_SAMPLE_OBSERVER_H

#include "base/proc.h"
#include "bench/modes/knobs.h"

struct observer {
	struct proc tool;
	int hold_fd; /* the tool records until this is closed; -1: no tool runs */
	char *data;  /* the file that the tool writes */
};

/* The probes, attached and taken off again before the guest runs: what "probes off" leaves behind. */
#define OBSERVER_DETACHED "detached"
/* OBSERVER_LIFE: the probes, and every step of the window besides. */

#define OBSERVER_INIT {PROC_INIT, -1, NULL}

/* The words of --set observer=, in the order of the table; NULL-terminated. */
#define OBSERVERS 6
extern const char *const observer_names[OBSERVERS + 1];
/* What is missing on this machine for it ("perf is not installed"), or NULL. */
const char *observer_missing(const char *name);
/* The tool's program, or NULL: "off" and the probes need none. Its command runs under OBSERVER_SHELL. */
const char *observer_program(const char *name);
#define OBSERVER_SHELL "/bin/sh"
/* The name means our own probes, which need no process of their own. */
bool observer_is_probes(const char *name);
/*
 * Returns when the tool records. "off" and the probes start nothing. dir holds its messages
 * (observer.log) and, until observer_stop, its data. 0 or -errno (logged).
 */
int observer_start(struct observer *o, const char *name, const char *dir);
/* Lets the tool finish its file, and removes the file. Does nothing when no tool runs. */
void observer_stop(struct observer *o);

/* ---- bench run --overhead ---- */

struct run_args;
/* Add --set observer= with every observer that this machine has; -EINVAL (logged) if that is set already. */
int overhead_expand(struct run_args *args);
/* The table: each kind of exit bare, and what each observer adds to it. */
struct json_t;
void overhead_print(const struct json_t *records);

#endif
