/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of queues that others serve, while there is no MSI-X vector: nothing in the kernel turns the
 * eventfd that they write into an interrupt, so a thread of ours does.
 */
#ifndef VMM_VIRTIO_INTX_H
#define VMM_VIRTIO_INTX_H

#include "vmm/core/evloop.h"
#include "vmm/virtio/virtio.h"

struct virtio_intx {
	struct virtio_dev *vd;
	struct evloop *loop;
	struct virtio_intx_watch {
		struct virtio_dev *vd;
		unsigned queue;
		bool on;
	} watch[VIRTIO_QUEUES_MAX];
};

/* 0 or -errno (logged). */
int virtio_intx_open(struct virtio_intx *x, struct virtio_dev *vd, const char *thread);
void virtio_intx_close(struct virtio_intx *x);
/* The queue's eventfd is about to be used, if call_fd is that. 0 or -errno. */
int virtio_intx_watch(struct virtio_intx *x, unsigned queue, int call_fd);
void virtio_intx_unwatch(struct virtio_intx *x, unsigned queue);

#endif
