/* SPDX-License-Identifier: MIT */
/* Nested or shadow paging, a parameter that kvm_amd reads when it is loaded: knob npt=, in the lab only. */
#ifndef BENCH_HOST_PAGING_H
#define BENCH_HOST_PAGING_H

#include "base/util.h"

struct paging {
	bool changed, was_on;
};

/* The module, NULL-terminated, for a lab that has to carry it. */
extern const char *const paging_modules[];

/* want: "on", "off", or NULL for as it is. Loads kvm_amd anew when it must. 0 or -errno (logged). */
int paging_set(struct paging *p, const char *want);
void paging_undo(struct paging *p);

#endif
