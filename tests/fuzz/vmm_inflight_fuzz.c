// SPDX-License-Identifier: MIT
/*
 * libFuzzer: an inflight region that a front-end hands over. 8 bytes of sizes, then what the file holds;
 * each queue that the region covers goes on where it says, in a ring of the guest.
 */
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/vhost/inflight.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE	 8
#define FEATURES (1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_RING_PACKED)

static struct gmem *gm;

static void go_on(const struct inflight *in, unsigned queue)
{
	const struct virtq_layout l = {.size = SIZE, .desc = 0x1000, .driver = 0x2000, .device = 0x3000};
	struct virtq_progress *p = inflight_progress(in, queue, SIZE);
	static struct virtq vq;
	struct virtq_chain c;
	struct iovec iov[SIZE];
	uint32_t base;

	if (!p)
		return;
	if (inflight_used(in, queue) && virtq_resume(gm, &l, p, &base))
		return;
	if (!inflight_used(in, queue))
		inflight_begin(in, queue, base = virtq_base_new(FEATURES));
	if (virtq_start(&vq, gm, &l, FEATURES, base))
		return;
	virtq_track(&vq, p);
	while (virtq_pop(&vq, &c, iov, SIZE) == 1) {
		virtq_push(&vq, &c, 0);
		virtq_publish(&vq);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vu_inflight d = {0};
	struct inflight in = {0};
	int fd;

	if (!gm) {
		log_init("fuzz", LOG_ERROR);
		if (gmem_create(&gm, MIB))
			abort();
	}
	if (size < 8)
		return 0;
	d.mmap_offset = data[0] * 32u;
	d.mmap_size = (uint64_t)(data[1] | data[2] << 8);
	d.queues = data[3];
	d.queue_size = (uint16_t)(data[4] | data[5] << 8);
	memset(gmem_ptr(gm, 0x1000, 0x3000), data[6], 0x3000);
	fd = memfd_create("inflight", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data + 8, size - 8) < 0)
		abort();
	if (!inflight_map(&in, &d, fd))
		for (unsigned q = 0; q < 4; q++)
			go_on(&in, q);
	inflight_unmap(&in);
	return 0;
}
