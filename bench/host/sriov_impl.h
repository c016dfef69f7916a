/* SPDX-License-Identifier: MIT */
/* What the functions of network cards (sriov.c) and of NVMe controllers (nvme_vf.c) share. */
#ifndef BENCH_HOST_SRIOV_IMPL_H
#define BENCH_HOST_SRIOV_IMPL_H

#include "bench/host/sriov.h"

/* A file of a PCI device in sysfs. Caller frees. */
char *sriov_path(const char *addr, const char *file);
/* 0, or -errno (logged) where a device's interrupts could be forged and allow is off. */
int sriov_check_remapping(struct sriov *s, bool allow);
/*
 * Make functions of s->pf_addr, without a driver; s->vf_addr is the first. other_way: what else its user
 * could do when there are some, "... or ". 0 or -errno (logged).
 */
int sriov_enable(struct sriov *s, unsigned functions, const char *other_way);
/* Address of one of them, or NULL. Caller frees. */
char *sriov_function(const struct sriov *s, unsigned index);
/* s->vf_addr is vfio-pci's. 0 or -errno (logged). */
int sriov_bind(struct sriov *s);

#endif
