/* SPDX-License-Identifier: MIT */
/*
 * A KVM guest of four instructions that reads CR3. Under shadow paging CR3 holds KVM's page table, and
 * a guest that asks is answered through an intercept. QEMU's emulated SVM from 9.1 on (10.0 still)
 * takes `mov` from any control register for one from CR0: KVM stops to intercept that once the guest's
 * CR0 is its own, and from there on the guest sees KVM's table. Linux compares CR3 with its own early
 * in the boot, and is lost.
 */
#ifndef BENCH_HOST_CR3_PROBE_H
#define BENCH_HOST_CR3_PROBE_H

#include "base/util.h"

/* *ours: the guest read what it was given. 0 or -errno: there was no asking. */
int cr3_probe(bool *ours);

#endif
