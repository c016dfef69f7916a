// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/memfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/core/gmem.h"

struct gmem {
	uint64_t size;
	int fd;
	void *base; /* one mapping; the regions are parts of it. MAP_FAILED: adopted ones, not ours
		       to unmap */
	struct gmem_region region[GMEM_REGIONS_MAX];
	size_t n;
};

#define HUGE (2 * MIB)

/* Address space that is aligned as the guest sees it, else no huge page of ours is one of the guest's. */
static char *reserve_space(uint64_t size)
{
	char *p = mmap(NULL, size + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		       -1, 0);
	char *base = (char *)align_up((uintptr_t)p, HUGE);

	if (p == MAP_FAILED)
		return NULL;
	if (base > p)
		munmap(p, (size_t)(base - p));
	munmap(base + size, (size_t)(p + HUGE - base));
	return base;
}

/* Maps over what was reserved. */
static int map_at(struct gmem *gm, int flags, int fd)
{
	char *base = reserve_space(gm->size);

	if (!base)
		return -errno;
	gm->base = mmap(base, gm->size, PROT_READ | PROT_WRITE, MAP_FIXED | flags, fd, 0);
	if (gm->base == MAP_FAILED) {
		int err = -errno;

		munmap(base, gm->size);
		return err;
	}
	return 0;
}

static int map_private(struct gmem *gm)
{
	int err = map_at(gm, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);

	/* A kernel without huge pages refuses, and small ones are used. */
	if (!err)
		madvise(gm->base, gm->size, MADV_HUGEPAGE);
	return err;
}

static int map_memfd(struct gmem *gm, unsigned memfd_flags, int map_flags)
{
	int err;

	gm->fd = memfd_create("guest-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING | memfd_flags);
	if (gm->fd < 0 || ftruncate(gm->fd, (off_t)gm->size) < 0)
		err = -errno;
	/* Whoever is given the fd (vhost-user) must not be able to shorten it: our next access would be a
	 * SIGBUS. */
	else if (fcntl(gm->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		err = -errno;
	else
		err = map_at(gm, MAP_SHARED | map_flags, gm->fd);
	if (err)
		close_fd(&gm->fd);
	return err;
}

/*
 * Huge pages that the administrator has set aside, if there are enough (the mapping reserves them
 * all, or fails); else small ones, which the kernel may still collapse where
 * /sys/kernel/mm/transparent_hugepage/shmem_enabled is "advise".
 */
static int map_shared(struct gmem *gm)
{
	int err;

	if (gm->size % HUGE == 0 && !map_memfd(gm, MFD_HUGETLB | MFD_HUGE_2MB, 0))
		return 0;
	err = map_memfd(gm, 0, MAP_NORESERVE);
	if (!err)
		madvise(gm->base, gm->size, MADV_HUGEPAGE);
	return err;
}

static void gmem_split(struct gmem *gm)
{
	uint64_t low = MIN(gm->size, GMEM_HOLE_START);

	gm->region[gm->n++] = (struct gmem_region){0, low, gm->base, 0};
	if (gm->size > low)
		gm->region[gm->n++] = (struct gmem_region){GMEM_HOLE_END, gm->size - low,
							   (char *)gm->base + low, low};
}

static int create_memory(struct gmem **out, uint64_t size_bytes, int (*map)(struct gmem *gm))
{
	struct gmem *gm;
	int err;

	if (!size_bytes || size_bytes & 4095) {
		log_error("guest memory of %" PRIu64 " bytes: want a multiple of 4 KiB",
			  size_bytes);
		return -EINVAL;
	}
	gm = calloc(1, sizeof(*gm));
	if (!gm)
		return -ENOMEM;
	gm->size = size_bytes;
	gm->fd = -1;
	gm->base = MAP_FAILED;
	err = map(gm);
	if (err) {
		log_error("guest memory of %" PRIu64 " MiB: %s", size_bytes / MIB, strerror(-err));
		gmem_destroy(gm);
		return err;
	}
	gmem_split(gm);
	*out = gm;
	return 0;
}

int gmem_adopt(struct gmem **out, const struct gmem_region *regions, size_t n)
{
	struct gmem *gm;

	if (n > GMEM_REGIONS_MAX)
		return -EINVAL;
	gm = calloc(1, sizeof(*gm));
	if (!gm)
		return -ENOMEM;
	gm->fd = -1;
	gm->base = MAP_FAILED;
	gm->n = n;
	for (size_t i = 0; i < n; i++) {
		gm->region[i] = regions[i];
		gm->size += regions[i].size;
	}
	*out = gm;
	return 0;
}

int gmem_create(struct gmem **out, uint64_t size_bytes)
{
	return create_memory(out, size_bytes, map_shared);
}

int gmem_create_private(struct gmem **out, uint64_t size_bytes)
{
	return create_memory(out, size_bytes, map_private);
}

void gmem_destroy(struct gmem *gm)
{
	if (!gm)
		return;
	if (gm->base != MAP_FAILED)
		munmap(gm->base, gm->size);
	close_fd(&gm->fd);
	free(gm);
}

int gmem_fd(const struct gmem *gm)
{
	return gm->fd;
}

uint64_t gmem_size(const struct gmem *gm)
{
	return gm->size;
}

const struct gmem_region *gmem_regions(const struct gmem *gm, size_t *n)
{
	*n = gm->n;
	return gm->region;
}

void *gmem_ptr(const struct gmem *gm, gpa_t gpa, uint64_t len)
{
	for (size_t i = 0; len && i < gm->n; i++) {
		const struct gmem_region *r = &gm->region[i];

		if (gpa >= r->gpa && range_ok(gpa - r->gpa, len, r->size))
			return (char *)r->hva + (gpa - r->gpa);
	}
	return NULL;
}

int gmem_read(const struct gmem *gm, gpa_t gpa, void *buf, uint64_t len)
{
	const void *p = gmem_ptr(gm, gpa, len);

	if (!p)
		return len ? -EFAULT : 0;
	memcpy(buf, p, len);
	return 0;
}

int gmem_write(const struct gmem *gm, gpa_t gpa, const void *buf, uint64_t len)
{
	void *p = gmem_ptr(gm, gpa, len);

	if (!p)
		return len ? -EFAULT : 0;
	memcpy(p, buf, len);
	return 0;
}
