/* SPDX-License-Identifier: MIT */
/*
 * `--set observer=life`: every step of the window (steps.bpf.c, and the exits) is kept until it is over, and
 * the life of one packet made of it (ladder.h). What does not fit into the ring is counted, and the packet is
 * one of those before.
 */
#ifndef PROBES_LIFE_H
#define PROBES_LIFE_H

#include "probes/probes.h"

int life_open(struct probes *p);
/* A new object, or NULL: nothing was asked for. */
json_t *life_to_json(struct probes *p);
void life_close(struct probes *p);

#endif
