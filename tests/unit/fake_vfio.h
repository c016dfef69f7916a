/* SPDX-License-Identifier: MIT */
/* For programs with one assigned device, which is a file in memory in the place of VFIO's. */
#ifndef TESTS_UNIT_FAKE_VFIO_H
#define TESTS_UNIT_FAKE_VFIO_H

#include <errno.h>
#include <unistd.h>

#include "vmm/devices/vfio/vfio.h"

#define BAR0      0x10000
#define BAR3      0x4000
#define BAR3_AT   MIB /* in the file, as the configuration space */
#define CONFIG_AT (2 * MIB)

static int vfio_file = -1;

/* In the place of container.c. */
int vfio_open(struct vfio_device *d, struct vm *vm, bool unsafe)
{
	(void)vm;
	(void)unsafe;
	d->fd = dup(vfio_file);
	return d->fd < 0 ? -errno : 0;
}

void vfio_close(struct vfio_device *d)
{
	close_fd(&d->fd);
}

static int fake_vfio_region(struct vfio_region_info *r)
{
	static const struct {
		uint64_t size, offset;
	} regions[] = {{BAR0, 0}, {0, 0}, {0, 0}, {BAR3, BAR3_AT}, {0, 0}, {0, 0}, {0, 0}, {256, CONFIG_AT}};

	r->size = regions[r->index % ARRAY_SIZE(regions)].size;
	r->offset = regions[r->index % ARRAY_SIZE(regions)].offset;
	r->flags = r->index < 6 ? VFIO_REGION_INFO_FLAG_MMAP : 0;
	return 0;
}

#endif
