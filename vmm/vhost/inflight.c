// SPDX-License-Identifier: MIT
#include "vmm/vhost/inflight.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERSION_AT  8
#define PROGRESS_AT 16
#define HEADER      32
#define ENTRY       sizeof(struct virtq_saved)
#define ALIGN       64
#define VERSION     1

static uint64_t region_size(unsigned entries)
{
	return align_up(HEADER + ENTRY * (uint64_t)entries, ALIGN);
}

static bool sizes_ok(const struct vu_inflight *d)
{
	return d->queues && d->queues <= VU_RINGS_MAX && d->queue_size &&
	       d->queue_size <= VIRTQ_SIZE_MAX;
}

int inflight_create(struct vu_inflight *d)
{
	int fd;

	if (!sizes_ok(d))
		return -EINVAL;
	d->mmap_size = d->queues * region_size(d->queue_size);
	d->mmap_offset = 0;
	fd = memfd_create("vhost-inflight", MFD_CLOEXEC);
	if (fd >= 0 && ftruncate(fd, (off_t)d->mmap_size) < 0)
		close_fd(&fd);
	return fd < 0 ? -errno : fd;
}

int inflight_map(struct inflight *in, const struct vu_inflight *d, int fd)
{
	uint64_t need = d->queues * region_size(d->queue_size);
	struct stat st;
	void *map = MAP_FAILED;
	int err = -EINVAL;

	inflight_unmap(in);
	if (sizes_ok(d) && need <= d->mmap_size && !(d->mmap_offset & (ALIGN - 1)) && fstat(fd, &st) == 0 &&
	    S_ISREG(st.st_mode) && st.st_size >= 0 &&
	    range_ok(d->mmap_offset, d->mmap_size, (uint64_t)st.st_size)) {
		map = mmap(NULL, d->mmap_offset + need, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		err = errno_if(map == MAP_FAILED);
	}
	close_fd(&fd);
	if (!err)
		*in = (struct inflight){map, d->mmap_offset + need, d->mmap_offset, d->queues,
					d->queue_size};
	return err;
}

void inflight_unmap(struct inflight *in)
{
	if (in->map)
		munmap(in->map, in->map_len);
	*in = (struct inflight){0};
}

static uint8_t *queue_region(const struct inflight *in, unsigned queue)
{
	if (!in->map || queue >= in->queues)
		return NULL;
	return in->map + in->offset + queue * region_size(in->entries);
}

struct virtq_progress *inflight_progress(const struct inflight *in, unsigned queue,
					 unsigned entries)
{
	uint8_t *r = queue_region(in, queue);

	if (!r || entries > in->entries)
		return NULL;
	return (struct virtq_progress *)(r + PROGRESS_AT);
}

bool inflight_used(const struct inflight *in, unsigned queue)
{
	uint8_t *r = queue_region(in, queue);

	return r && __atomic_load_n((uint16_t *)(r + VERSION_AT), __ATOMIC_ACQUIRE) == VERSION;
}

void inflight_begin(const struct inflight *in, unsigned queue, uint32_t base)
{
	struct virtq_progress *p = inflight_progress(in, queue, 0);

	if (!p)
		return;
	p->used = p->old_used = base >> 16 & 0x7fff;
	p->used_wrap = p->old_used_wrap = (uint8_t)(base >> 31);
	__atomic_store_n((uint16_t *)(queue_region(in, queue) + VERSION_AT), VERSION, __ATOMIC_RELEASE);
}
