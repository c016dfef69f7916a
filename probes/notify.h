/* SPDX-License-Identifier: MIT */
/* Kicks, interrupts, halts: notify.bpf.c */
#ifndef PROBES_NOTIFY_H
#define PROBES_NOTIFY_H

#include "probes/probes.h"

void notify_choose(struct probes *p);
json_t *notify_to_json(struct probes *p);
struct exit_row;
/* Kicks among what a row has counted. */
uint64_t notify_kicks_of(struct probes *p, const struct exit_row *row);

#endif
