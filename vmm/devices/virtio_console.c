// SPDX-License-Identifier: MIT
/*
 * virtio-console (virtio 1.3, 5.3), one port: hvc0 in a Linux guest. A line costs one kick instead of an
 * exit for every character. Both queues are served on the device's own thread, which also owns the
 * channel's input.
 *
 * Keys: out=stdio|none|FILE|fd=N|unix:PATH (default none).
 */
#include <errno.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/core/evloop.h"
#include "vmm/virtq/iov.h"
#include "vmm/platform/channel.h"
#include "vmm/virtio/virtio.h"

#define RING_SIZE 128
#define RX 0
#define TX 1

struct port_queue {
	struct vcon *con;
	unsigned index;
	struct virtq vq;
	bool on;
};

struct vcon {
	struct virtio_dev vd;
	struct virtio_console_config config;
	struct evloop *loop;
	struct channel *ch;
	struct port_queue q[2];
};

static void finish_round(struct port_queue *q, int err)
{
	struct vcon *con = q->con;

	virtq_publish(&q->vq);
	if (virtq_should_call(&q->vq)) {
		stats_count(&con->vd.q[q->index].stats->interrupts, 1);
		virtio_call(&con->vd, q->index);
	}
	if (err < 0) {
		q->on = false;
		stats_count(&con->vd.q[q->index].stats->bad, 1);
		virtio_broken(&con->vd, q->index);
	}
}

static void put_output(struct vcon *con, const struct iovec *v)
{
	for (size_t i = 0; i < v->iov_len; i++)
		channel_put(con->ch, ((const uint8_t *)v->iov_base)[i]);
}

/* A request may be as long as guest memory: this much of one is printed. */
#define TX_BYTES (256 * KIB)

static void transmit_one(struct port_queue *q, const struct virtq_chain *c)
{
	struct stats_queue *s = q->con->vd.q[TX].stats;

	for (unsigned i = 0; i < c->n_out && c->out_len <= TX_BYTES; i++)
		put_output(q->con, &c->iov[i]);
	stats_count(&s->bad, c->out_len > TX_BYTES);
	stats_count(&s->bytes, c->out_len);
	stats_count(&s->descs, 1);
	virtq_push(&q->vq, c, 0);
}

/* Serves one ring's worth; for what is left the device kicks itself. */
static void transmit_ring(struct port_queue *q)
{
	struct iovec iov[RING_SIZE];
	struct virtq_chain c;
	uint64_t one = 1;
	unsigned n = 0;
	int r = 0;

	do {
		for (; n < RING_SIZE && (r = virtq_pop(&q->vq, &c, iov, RING_SIZE)) > 0; n++)
			transmit_one(q, &c);
	} while (r == 0 && virtq_kicks_on(&q->vq));
	finish_round(q, r);
	if (r > 0 && write(q->con->vd.q[TX].kick_fd, &one, sizeof(one)) < 0)
		log_guest("%s: lost a wake-up", q->con->vd.pci->name);
}

static size_t receive_input(void *arg, const uint8_t *buf, size_t n)
{
	struct vcon *con = arg;
	struct port_queue *q = &con->q[RX];
	struct iovec iov[RING_SIZE];
	struct virtq_chain c;
	size_t done = 0;
	int r = 0;

	while (q->on && done < n &&
	       ((r = virtq_pop(&q->vq, &c, iov, RING_SIZE)) > 0 ||
		(!r && virtq_kicks_on(&q->vq)))) {
		size_t part;

		if (!r)
			continue;
		part = iov_scatter(c.iov + c.n_out, c.n_in, 0, buf + done, n - done);
		virtq_push(&q->vq, &c, (uint32_t)part);
		done += part;
		stats_count(&con->vd.q[RX].stats->descs, 1);
		stats_count(&con->vd.q[RX].stats->bytes, part);
	}
	if (q->on)
		finish_round(q, r);
	/* A broken queue takes everything, so that the terminal still works. */
	if (!q->on && con->vd.started)
		return n;
	return done;
}

static void on_quit(void *arg)
{
	struct vcon *con = arg;

	vm_end(con->vd.pci->vm, VM_END_POWEROFF, 0);
}

static void on_kick(void *arg, uint32_t events)
{
	struct port_queue *q = arg;
	const struct virtio_queue *vq = &q->con->vd.q[q->index];
	uint64_t n;

	(void)events;
	if (read(vq->kick_fd, &n, sizeof(n)) != sizeof(n) || !q->on)
		return;
	stats_count(&vq->stats->kicks, n);
	if (q->index == TX)
		transmit_ring(q);
	else
		channel_resume(q->con->ch);
}

/* ---- start and stop ---- */

static int vcon_queue_start(struct virtio_dev *vd, unsigned i)
{
	struct vcon *con = vd->priv;
	struct port_queue *q = &con->q[i];
	int err = virtq_start(&q->vq, vd->pci->gm, &vd->q[i].layout, vd->features,
			      virtq_base_new(vd->features));

	if (err) {
		virtio_broken(vd, i);
		return 0;
	}
	q->on = true;
	return evloop_add(con->loop, vd->q[i].kick_fd, EPOLLIN, on_kick, q);
}

static int vcon_start(struct virtio_dev *vd)
{
	int err = 0;

	for (unsigned i = 0; i < vd->n_queues && !err; i++)
		if (vd->q[i].enabled)
			err = vcon_queue_start(vd, i);
	return err;
}

static void switch_off(void *arg)
{
	struct port_queue *q = arg;

	q->on = false;
}

static void vcon_queue_stop(struct virtio_dev *vd, unsigned i)
{
	struct vcon *con = vd->priv;

	evloop_del(con->loop, vd->q[i].kick_fd);
	evloop_call(con->loop, switch_off, &con->q[i]);
}

static void vcon_stop(struct virtio_dev *vd)
{
	for (unsigned i = 0; i < vd->n_queues; i++)
		vcon_queue_stop(vd, i);
}

/* Emergency write (5.3.4): a character without queues, for a kernel that is dying. */
static void vcon_config_write(struct virtio_dev *vd, unsigned reg, unsigned len, uint64_t val)
{
	struct vcon *con = vd->priv;

	if (reg == offsetof(struct virtio_console_config, emerg_wr) && len == 4)
		channel_put(con->ch, (uint8_t)val);
}

static const struct virtio_ops vcon_ops = {
	.id = VIRTIO_ID_CONSOLE,
	.pci_class = 0x078000,
	.start = vcon_start,
	.stop = vcon_stop,
	.queue_start = vcon_queue_start,
	.queue_stop = vcon_queue_stop,
	.config_write = vcon_config_write,
};

static int vcon_init(struct pci_dev *pci, const struct dev_opts *opts)
{
	struct vcon *con = calloc(1, sizeof(*con));
	int err;

	if (!con)
		return -ENOMEM;
	pci->priv = con;
	_Static_assert(offsetof(struct vcon, vd) == 0,
		       "the transport finds its device through pci->priv");
	con->vd.priv = con;
	con->vd.ops = &vcon_ops;
	con->vd.n_queues = 2;
	con->vd.q[RX] = (struct virtio_queue){
		.max_size = RING_SIZE, .name = "rx", .kick_fd = -1, .intx_fd = -1};
	con->vd.q[TX] = (struct virtio_queue){
		.max_size = RING_SIZE, .name = "tx", .kick_fd = -1, .intx_fd = -1};
	con->vd.offered = VIRTIO_RING_BITS | VIRTIO_BIT(VIRTIO_CONSOLE_F_EMERG_WRITE);
	con->vd.config = &con->config;
	con->vd.config_len = sizeof(con->config);
	for (unsigned i = 0; i < 2; i++)
		con->q[i] = (struct port_queue){.con = con, .index = i};
	err = evloop_create(&con->loop, vm_threads(pci->vm), THREAD_IO, pci->name);
	if (!err)
		err = channel_open(&con->ch, con->loop, pci->name,
				   dev_opts_str(opts, "out", "none"));
	if (!err)
		err = virtio_init(&con->vd, pci, opts);
	if (!err)
		channel_on_input(con->ch, receive_input, on_quit, con);
	return err;
}

static void vcon_exit(struct pci_dev *pci)
{
	struct vcon *con = pci->priv;

	if (!con)
		return;
	virtio_exit(&con->vd);
	channel_close(con->ch);
	evloop_destroy(con->loop);
	free(con);
	pci->priv = NULL;
}

const struct pci_ops virtio_console_ops = {
	.name = "virtio-console",
	.init = vcon_init,
	.exit = vcon_exit,
	VIRTIO_PCI_OPS,
};
