/* SPDX-License-Identifier: MIT */
/* CPU time of the threads that serve the VM: cpu.bpf.c */
#ifndef PROBES_CPU_H
#define PROBES_CPU_H

#include "probes/probes.h"

void cpu_choose(struct probes *p);
json_t *cpu_to_json(struct probes *p);

#endif
