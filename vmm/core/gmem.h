/* SPDX-License-Identifier: MIT */
/*
 * Guest memory: RAM regions backed by one memfd (so that vhost-user and VFIO can share or map it),
 * with the hole below 4 GiB. This is the only way to reach it; every access is checked as a whole
 * and cannot wrap. It works without KVM, so unit tests put real rings in it.
 */
#ifndef VMM_CORE_GMEM_H
#define VMM_CORE_GMEM_H

#include "base/util.h"

typedef uint64_t gpa_t;

#define GMEM_HOLE_START 0xc0000000ull /* RAM below 3 GiB, the rest from 4 GiB up */
#define GMEM_HOLE_END   0x100000000ull

struct gmem_region {
	gpa_t gpa;
	uint64_t size;
	void *hva;
	uint64_t fd_offset; /* in gmem_fd() */
};

struct gmem;

/* 0 or -errno (message logged). size is a multiple of 4 KiB. */
int gmem_create(struct gmem **out, uint64_t size_bytes);
/* Memory that someone else owns and has mapped (the guest of a vhost-user front-end). It outlives
 * the gmem; there is no gmem_fd. -EINVAL: too many regions. */
#define GMEM_REGIONS_MAX 32
int gmem_adopt(struct gmem **out, const struct gmem_region *regions, size_t n);
/* Anonymous memory instead of a memfd: it can have huge pages, so that the guest's first touches
 * cause far fewer nested page faults; nothing can share it (gmem_fd is -1). */
int gmem_create_private(struct gmem **out, uint64_t size_bytes);
void gmem_destroy(struct gmem *gm);
int gmem_fd(const struct gmem *gm);
uint64_t gmem_size(const struct gmem *gm);
const struct gmem_region *gmem_regions(const struct gmem *gm, size_t *n);

/* The whole of [gpa, gpa+len) as one host pointer, or NULL if any byte is not RAM (or it crosses
 * regions). len 0: NULL. */
void *gmem_ptr(const struct gmem *gm, gpa_t gpa, uint64_t len);
/* 0 or -EFAULT; all or nothing. */
int gmem_read(const struct gmem *gm, gpa_t gpa, void *buf, uint64_t len);
int gmem_write(const struct gmem *gm, gpa_t gpa, const void *buf, uint64_t len);

#endif
