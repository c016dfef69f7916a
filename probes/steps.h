/* SPDX-License-Identifier: MIT */
/* The steps between the exits (steps.bpf.c): which programs are loaded for them, and their names. */
#ifndef PROBES_STEPS_H
#define PROBES_STEPS_H

#include "probes/probes.h"

/* Before the object is loaded: for a trace of one process and for its life. */
void steps_choose(struct probes *p);
/* "writev"; of one without a name its number, in buf. */
const char *step_syscall_name(uint64_t nr, char *buf, size_t size);

#endif
