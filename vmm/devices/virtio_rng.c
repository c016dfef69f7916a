// SPDX-License-Identifier: MIT
/* virtio-rng (virtio 1.3, 5.4): fills buffers from the host's generator, on the vCPU that asked. */
#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"
#include "vmm/virtio/virtio.h"
#include "vmm/virtq/iov.h"

#define RING_SIZE   64
#define REQUEST_MAX 4096 /* bytes for one request: a driver that wants more asks again */

struct vrng {
	struct virtio_dev vd;
	struct virtq vq;
};

static int serve_request(struct vrng *rng, const struct virtq_chain *c)
{
	uint8_t buf[REQUEST_MAX];
	ssize_t n;

	if (c->n_out || !c->n_in) /* 5.4.6: device-writable buffers only */
		return -EBADMSG;
	n = getrandom(buf, MIN(c->in_len, sizeof(buf)), 0);
	if (n < 0)
		n = 0;
	virtq_push(&rng->vq, c, (uint32_t)iov_scatter(c->iov, c->n_in, 0, buf, (size_t)n));
	return 0;
}

static void vrng_notify(struct virtio_dev *vd, unsigned q)
{
	struct vrng *rng = vd->priv;
	struct iovec iov[RING_SIZE];
	struct virtq_chain c;
	unsigned n = 0;
	int r = 0;

	/* The driver's own CPU does this work, so a driver that still adds after a ring's worth must kick
	 * again. */
	do {
		while (n < RING_SIZE && (r = virtq_pop(&rng->vq, &c, iov, RING_SIZE)) > 0 &&
		       !(r = serve_request(rng, &c)))
			n++;
	} while (r == 0 && virtq_kicks_on(&rng->vq) && n < RING_SIZE);
	virtq_publish(&rng->vq);
	if (virtq_should_call(&rng->vq))
		virtio_call(vd, q);
	if (r < 0) {
		rng->vq.broken = true;
		virtio_broken(vd, q);
	}
}

static int vrng_start(struct virtio_dev *vd)
{
	struct vrng *rng = vd->priv;

	vd->sync_queue = 0;
	if (vd->q[0].enabled && virtq_start(&rng->vq, vd->pci->gm, &vd->q[0].layout, vd->features,
					    virtq_base_new(vd->features)))
		virtio_broken(vd, 0);
	return 0;
}

static int vrng_queue_start(struct virtio_dev *vd, unsigned q)
{
	(void)q;
	return vrng_start(vd);
}

static void vrng_stop(struct virtio_dev *vd)
{
	struct vrng *rng = vd->priv;

	rng->vq.broken = true; /* no ring may be served until the next start */
}

static void vrng_queue_stop(struct virtio_dev *vd, unsigned q)
{
	(void)q;
	vrng_stop(vd);
}

static const struct virtio_ops vrng_ops = {
	.id = VIRTIO_ID_RNG,
	.pci_class = 0x00ff00,
	.start = vrng_start,
	.stop = vrng_stop,
	.queue_start = vrng_queue_start,
	.queue_stop = vrng_queue_stop,
	.notify = vrng_notify,
};

static int vrng_init(struct pci_dev *pci, const struct dev_opts *opts)
{
	struct vrng *rng = calloc(1, sizeof(*rng));

	if (!rng)
		return -ENOMEM;
	pci->priv = rng;
	_Static_assert(offsetof(struct vrng, vd) == 0,
		       "the transport finds its device through pci->priv");
	rng->vd.priv = rng;
	rng->vd.ops = &vrng_ops;
	rng->vd.n_queues = 1;
	rng->vd.q[0] = (struct virtio_queue){.max_size = RING_SIZE, .name = "req"};
	rng->vd.offered = VIRTIO_RING_BITS;
	return virtio_init(&rng->vd, pci, opts);
}

static void vrng_exit(struct pci_dev *pci)
{
	struct vrng *rng = pci->priv;

	if (!rng)
		return;
	virtio_exit(&rng->vd);
	free(rng);
	pci->priv = NULL;
}

const struct pci_ops virtio_rng_ops = {
	.name = "virtio-rng",
	.init = vrng_init,
	.exit = vrng_exit,
	VIRTIO_PCI_OPS,
};
