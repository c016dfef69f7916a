/* SPDX-License-Identifier: MIT */
/*
 * The front-end's guest memory in the back-end: mapped regions, translation of the front-end's virtual
 * addresses, and the whole as a struct gmem. Nothing of what the front-end says about a region is believed:
 * sizes are held against the file, sums against wrapping, regions against one another.
 */
#ifndef VMM_VHOST_USER_MEM_H
#define VMM_VHOST_USER_MEM_H

#include "vmm/core/gmem.h"
#include "vmm/vhost/user_msg.h"

#define VU_SLOTS GMEM_REGIONS_MAX

struct vu_slot {
	struct vu_region r;
	void *map; /* of the file's first map_len bytes: huge pages allow no other offset */
	uint64_t map_len;
};

struct vu_mem {
	unsigned n;
	struct vu_slot slot[VU_SLOTS];
};

/* Takes fd over in any case. 0, -EINVAL (logged), -ENOSPC (no slot left) or mmap's errno. */
int vu_mem_add(struct vu_mem *mem, const struct vu_region *r, int fd);
/* The region with these three values; -ENOENT. */
int vu_mem_del(struct vu_mem *mem, const struct vu_region *r);
void vu_mem_clear(struct vu_mem *mem);
/* Guest-physical address of [user_addr, user_addr + len), which lies in one region. */
int vu_mem_translate(const struct vu_mem *mem, uint64_t user_addr, uint64_t len, gpa_t *gpa);
/* A view that holds until the next change. */
int vu_mem_gmem(const struct vu_mem *mem, struct gmem **out);

#endif
