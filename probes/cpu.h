/* SPDX-License-Identifier: MIT */
/* CPU time of the threads that serve the VM: cpu.bpf.c */
#ifndef PROBES_CPU_H
#define PROBES_CPU_H

#include "probes/probes.h"

void cpu_choose(struct probes *p);
json_t *cpu_to_json(struct probes *p);
/* A vCPU's thread has ended, or when there are many whichever have: their time is a row's for their role. */
void cpu_give_up(struct probes *p, uint32_t tgid, uint32_t tid);
void cpu_prune(struct probes *p);

#endif
