/* SPDX-License-Identifier: MIT */
/* What the kernel lets us know of the IOMMU: whether it remaps interrupts, and which accesses of a device it
 * stopped. */
#ifndef BASE_IOMMU_H
#define BASE_IOMMU_H

#include "base/util.h"

/* Interrupts go through the IOMMU, so that a device can raise none but its own. Known on x86 only; elsewhere
 * true, and VFIO itself refuses. */
bool iommu_remaps_interrupts(void);
/* The module parameters by which VFIO assigns devices without that: through groups, and through iommufd. */
#define IOMMU_UNSAFE_TYPE1   "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"
#define IOMMU_UNSAFE_IOMMUFD "/sys/module/iommufd/parameters/allow_unsafe_interrupts"
/* Those of them that this kernel has, ended by NULL; one static array. */
const char *const *iommu_unsafe_parameters(void);

/* True when this line of the kernel's log says that the IOMMU stopped DMA of the PCI device addr
 * (0000:01:10.0); *at is where it went. Intel's (DMAR), AMD's (IO_PAGE_FAULT) words, with and without the
 * domain. */
bool iommu_fault_parse(const char *line, const char *addr, uint64_t *at);

/*
 * The faults of one device from now on. The kernel limits how many it prints (10 in 5 seconds), so more than
 * none is certain and the number is a lower bound.
 */
struct iommu_watch {
	int fd; /* readable when the kernel has said something; -1: not allowed to read its log */
	char addr[16];
	uint64_t faults, first; /* how many, where the first went */
};

#define IOMMU_WATCH_INIT {.fd = -1}

/* 0 or -errno: EPERM without the right to read the kernel's log. */
int iommu_watch_open(struct iommu_watch *w, const char *addr);
/* Read what is there; how many new faults. */
uint64_t iommu_watch_read(struct iommu_watch *w);
void iommu_watch_close(struct iommu_watch *w);

#endif
