/* SPDX-License-Identifier: MIT */
/* Kicks, interrupts, halts: notify.bpf.c */
#ifndef PROBES_NOTIFY_H
#define PROBES_NOTIFY_H

#include "probes/probes.h"

void notify_choose(struct probes *p);
json_t *notify_to_json(struct probes *p);

#endif
