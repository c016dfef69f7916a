/* SPDX-License-Identifier: MIT */
/*
 * An NVMe controller with SR-IOV: its namespace as a medium, and a virtual function of it for a sample. A
 * function has its queues and interrupts from those that the controller can share out (NVMe 1.4, 8.5
 * Virtualization Enhancements), which the primary controller gives up for as long as there are functions.
 * Everything is journalled; undone in this order, which is the reverse of how it was done:
 *
 *   off vfio-pci, number of functions, the primary's queues and interrupts, its reset
 */
#ifndef BENCH_HOST_NVME_VF_H
#define BENCH_HOST_NVME_VF_H

#include "bench/host/sriov.h"

/* The first controller that has functions to give ("nvme0"), or NULL. Caller frees. */
char *nvme_vf_find(void);
/* The device of its first namespace ("/dev/nvme0n1"), or NULL. Caller frees. */
char *nvme_vf_disk(const char *controller);
/* Its first function, online and bound to vfio-pci. 0 or -errno (logged); sriov_undo in both cases. */
int nvme_vf_setup(struct sriov *s, bool unsafe_interrupts);

#endif
