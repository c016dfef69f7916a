/* SPDX-License-Identifier: MIT */
/* Page faults and page tables of the guest's memory: mmu.bpf.c */
#ifndef PROBES_MMU_H
#define PROBES_MMU_H

#include "probes/probes.h"

void mmu_choose(struct probes *p);
/*
 * {"faults", "not_present", "write_protected", "exec", "mmio", "fast", "map_4k", "map_2m", "map_1g",
 * "page_alloc", ...}
 */
json_t *mmu_to_json(struct probes *p);

#endif
