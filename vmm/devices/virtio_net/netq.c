// SPDX-License-Identifier: MIT
#include "vmm/devices/virtio_net/netq.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"

/*
 * The guest gets what was sent back while we go on, after so many buffers or so many bytes. TCP's small-
 * queue limit lets a sender have as few as two segmentation requests out: it makes the next one while we
 * send the second only if the first came back by itself. A sender that waits is not limited by its
 * congestion window, which then does not grow, and the limit stays where it is.
 */
#define GIVE_BACK_EVERY 16
#define GIVE_BACK_BYTES (16u << 10)

int netq_init(struct netq *q)
{
	q->r.bounce = malloc(NET_FRAME_MAX);
	return q->r.bounce ? 0 : -ENOMEM;
}

void netq_free(struct netq *q)
{
	free(q->r.bounce);
	q->r.bounce = NULL;
}

int netq_start(struct netq *q, bool tx, const struct gmem *gm, const struct virtq_layout *l,
	       uint32_t base)
{
	struct virtq *vq = netq_ring(q, tx);
	int err = virtq_start(vq, gm, l, q->features, base);

	if (err)
		return err;
	if (tx) {
		q->tx_on = q->tx_armed = true;
		q->tx_held = false;
		q->tx_owed = 0;
	} else {
		q->r = (struct netq_rx){.bounce = q->r.bounce, .win = q->r.slot};
		q->rx_on = q->rx_armed = true;
	}
	return 0;
}

uint32_t netq_stop(struct netq *q, bool tx)
{
	if (tx) {
		netq_flush(q);
		q->tx_on = false;
		return virtq_base(&q->tx);
	}
	if (q->rx_on)
		netq_rx_drop_window(q);
	q->rx_on = false;
	return virtq_base(&q->rx);
}

static void count_batch(struct stats_queue *s, unsigned n)
{
	unsigned bucket = 31 - (unsigned)__builtin_clz(n | 1);

	stats_count(&s->batch[MIN(bucket, STATS_BATCH - 1u)], 1);
}

void netq_call(struct netq *q, bool tx)
{
	struct virtq *vq = netq_ring(q, tx);
	struct stats_queue *s = tx ? q->tx_stats : q->rx_stats;

	virtq_publish(vq);
	if (!vq->unseen)
		return;
	if (virtq_should_call(vq)) {
		stats_count(&s->interrupts, 1);
		q->call(q->arg, tx);
	} else {
		stats_count(&s->suppressed, 1);
	}
}

/* ---- transmit ---- */

/* What is checked before it is sent. */
struct tx_head {
	struct virtio_net_hdr_mrg_rxbuf hdr;
	uint8_t frame[NET_HEAD_LEN];
};

/*
 * Build the vector for writev: the checked private header, then the frame where it lies; of a segmentation
 * request the frame's own headers too are the copy that was checked, for another vCPU may change them
 * meanwhile. The chain's segments start at tx_iov[1], and the header ends at or before one of them, so
 * there is always a slot for ours. NULL: not fit to send.
 */
static struct iovec *tx_frame(struct netq *q, const struct virtq_chain *c, struct tx_head *h,
			      int *n)
{
	size_t len = c->out_len, have, skip = NET_HDR_LEN;
	struct iovec *v = c->iov;
	unsigned left = c->n_out;

	_Static_assert(offsetof(struct tx_head, frame) == NET_HDR_LEN, "sent as one piece");
	if (len < NET_HDR_LEN)
		return NULL;
	len -= NET_HDR_LEN;
	iov_gather(v, left, 0, &h->hdr, NET_HDR_LEN);
	have = iov_gather(v, left, NET_HDR_LEN, h->frame, MIN(len, sizeof(h->frame)));
	if (!net_hdr_check(&h->hdr, h->frame, have, len, q->features))
		return NULL;
	if (h->hdr.hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		skip += have;
	len = skip;
	while (left && skip >= v->iov_len) {
		skip -= v->iov_len;
		v++;
		left--;
	}
	if (left) {
		v->iov_base = (char *)v->iov_base + skip;
		v->iov_len -= skip;
	}
	v--;
	*v = (struct iovec){h, len};
	*n = (int)left + 1;
	return *n > IOV_MAX ? NULL : v;
}

/* 0 sent, dropped or refused; -EAGAIN. */
static int tx_one(struct netq *q, const struct virtq_chain *c)
{
	struct tx_head h;
	struct iovec *v;
	int n;

	v = tx_frame(q, c, &h, &n);
	if (!v) {
		stats_count(&q->tx_stats->bad, 1);
		log_guest(
			"virtio-net: dropped a frame of %u bytes with a header that does not fit it",
			c->out_len);
		return 0;
	}
	if (writev(q->fd, v, n) >= 0)
		stats_count(&q->tx_stats->bytes, c->out_len - NET_HDR_LEN);
	else if (errno == EAGAIN)
		return -EAGAIN;
	return 0; /* a link that is down or a kernel that refuses loses the frame, as a wire would */
}

void netq_flush(struct netq *q)
{
	if (q->tx_held)
		netq_call(q, true);
	q->tx_held = false;
}

/*
 * Sent buffers go back at once; the interrupt for them may wait unless the guest could wait for it: with the
 * event index it says itself when it wants more than a few back.
 */
static void tx_give_back(struct netq *q)
{
	unsigned few = q->tx.event_idx ? GIVE_BACK_EVERY : q->tx.map.size / 2;
	unsigned n = q->tx.unseen + q->tx.batch_n;

	q->tx_held = q->hold && !q->fd_blocked && n && n < few && q->tx_owed < GIVE_BACK_BYTES;
	if (q->tx_held) {
		virtq_publish(&q->tx);
		return;
	}
	netq_call(q, true);
	q->tx_owed = 0;
}

static bool tx_due(const struct netq *q)
{
	return q->tx.batch_n >= GIVE_BACK_EVERY || q->tx_owed >= GIVE_BACK_BYTES;
}

static int netq_tx(struct netq *q, unsigned budget, bool *more)
{
	struct virtq_chain c;
	unsigned n = 0;
	size_t bytes = 0;
	int r = 0;

	while (n < budget && bytes < NET_TX_TURN &&
	       (r = virtq_pop(&q->tx, &c, q->tx_iov + 1, VIRTQ_SIZE_MAX)) > 0) {
		if (tx_one(q, &c) < 0) {
			virtq_unpop(&q->tx, &c);
			q->fd_blocked = true;
			stats_count(&q->tx_stats->stops, 1);
			break;
		}
		virtq_push(&q->tx, &c, 0);
		bytes += c.out_len;
		q->tx_owed += c.out_len;
		n++;
		if (tx_due(q))
			tx_give_back(q);
	}
	if (n) {
		q->sent += n;
		stats_count(&q->tx_stats->descs, n);
		count_batch(q->tx_stats, n);
		tx_give_back(q);
	}
	*more = r > 0 && !q->fd_blocked;
	return r < 0 ? r : (int)n;
}

/* ---- both ---- */

static bool rx_starved(const struct netq *q)
{
	return q->rx_on && (q->r.waiting || !q->r.n_win);
}

/* Tell the guest where we want a kick. True when something came meanwhile. */
static bool arm_kicks(struct netq *q)
{
	bool more = false;

	if (q->tx_on && !q->fd_blocked) {
		more |= virtq_kicks_on(&q->tx);
		q->tx_armed = true;
	}
	if (rx_starved(q) && (q->fd_readable || q->r.waiting)) {
		more |= virtq_kicks_on(&q->rx);
		q->rx_armed = true;
	}
	return more;
}

static void disarm_queue(struct virtq *vq, bool *armed)
{
	if (*armed)
		virtq_kicks_off(vq);
	*armed = false;
}

static int run_tx(struct netq *q, unsigned budget, bool *more)
{
	int n;

	if (NETQ_SUPPRESS_KICKS)
		disarm_queue(&q->tx, &q->tx_armed);
	n = netq_tx(q, budget, more);
	if (n < 0)
		stats_count(&q->tx_stats->bad, 1);
	return n;
}

static int run_rx(struct netq *q, unsigned budget, bool *more)
{
	int n;

	disarm_queue(&q->rx, &q->rx_armed);
	n = netq_rx(q, budget, more);
	if (n < 0)
		stats_count(&q->rx_stats->bad, 1);
	else if (n)
		count_batch(q->rx_stats, (unsigned)n);
	return n;
}

int netq_run(struct netq *q, unsigned budget, bool arm)
{
	bool tx_more = false, rx_more = false;
	int r = 0;

	if (q->tx_on && !q->fd_blocked)
		r = run_tx(q, budget, &tx_more);
	if (r >= 0 && q->rx_on && (q->fd_readable || q->r.waiting || q->rx_armed))
		r = run_rx(q, budget, &rx_more);
	if (r < 0)
		return r;
	if (tx_more || rx_more)
		return 1;
	return arm && arm_kicks(q);
}
