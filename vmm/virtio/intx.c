// SPDX-License-Identifier: MIT
#include "vmm/virtio/intx.h"

#include <sys/epoll.h>

#include "vmm/core/eventfd.h"

static void on_intx_fd(void *arg, uint32_t events)
{
	struct virtio_intx_watch *w = arg;

	(void)events;
	if (eventfd_drain(w->vd->q[w->queue].intx_fd))
		virtio_call(w->vd, w->queue);
}

int virtio_intx_open(struct virtio_intx *x, struct virtio_dev *vd, const char *thread)
{
	*x = (struct virtio_intx){.vd = vd};
	return evloop_create(&x->loop, vm_threads(vd->pci->vm), THREAD_IO, thread);
}

void virtio_intx_close(struct virtio_intx *x)
{
	evloop_destroy(x->loop);
	x->loop = NULL;
}

int virtio_intx_watch(struct virtio_intx *x, unsigned queue, int call_fd)
{
	struct virtio_intx_watch *w = &x->watch[queue];
	int err;

	if (!x->loop || call_fd != x->vd->q[queue].intx_fd || w->on)
		return 0;
	*w = (struct virtio_intx_watch){x->vd, queue, false};
	err = evloop_add(x->loop, call_fd, EPOLLIN, on_intx_fd, w);
	w->on = !err;
	return err;
}

void virtio_intx_unwatch(struct virtio_intx *x, unsigned queue)
{
	if (x->watch[queue].on)
		evloop_del(x->loop, x->vd->q[queue].intx_fd);
	x->watch[queue].on = false;
}
