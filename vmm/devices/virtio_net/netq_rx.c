// SPDX-License-Identifier: MIT
/* The receive half of netq.h: frames from the file descriptor into the buffers that the guest has given. */
#include "vmm/devices/virtio_net/netq.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define ETH_HDR 14

static bool mergeable(const struct netq *q)
{
	return q->features >> VIRTIO_NET_F_MRG_RXBUF & 1;
}

/* Keep room behind the window for one more chain of any length. */
static void make_room(struct netq_rx *r)
{
	unsigned n = r->iov_end - r->iov_first;

	if (r->win + r->n_win == r->slot + ARRAY_SIZE(r->slot))
		r->win = memmove(r->slot, r->win, r->n_win * sizeof(*r->win));
	if (NETQ_POOL - r->iov_end >= VIRTQ_SIZE_MAX || !r->iov_first)
		return;
	memmove(r->pool, r->pool + r->iov_first, n * sizeof(*r->pool));
	for (unsigned i = 0; i < r->n_win; i++)
		r->win[i].iov -= r->iov_first;
	r->iov_first = 0;
	r->iov_end = n;
}

/* Pop buffers until want bytes are at hand, or there are no more. 0 or -EBADMSG. */
static int fill_window(struct netq *q, size_t want)
{
	struct netq_rx *r = &q->r;
	struct virtq_chain *c;
	int n;

	while (r->win_bytes < want && r->n_win < NETQ_WINDOW) {
		make_room(r);
		if (NETQ_POOL - r->iov_end < VIRTQ_SIZE_MAX)
			return 0;
		c = &r->win[r->n_win];
		n = virtq_pop(&q->rx, c, r->pool + r->iov_end, VIRTQ_SIZE_MAX);
		if (n <= 0)
			return n;
		/* 5.1.6.3.1: at least the header, all of it writable. */
		if (c->n_out || c->in_len < NET_HDR_LEN) {
			q->rx.broken = true;
			return -EBADMSG;
		}
		r->iov_end += c->n_in;
		r->win_bytes += c->in_len;
		r->n_win++;
	}
	return 0;
}

void netq_rx_drop_window(struct netq *q)
{
	struct netq_rx *r = &q->r;

	while (r->n_win)
		virtq_unpop(&q->rx, &r->win[--r->n_win]);
	r->win = r->slot;
	r->win_bytes = 0;
	r->iov_first = r->iov_end = 0;
	r->waiting = 0;
}

/* Take the first n chains, which hold len bytes of a frame, out of the window and give them to the guest. */
static void complete_chains(struct netq *q, unsigned n, size_t len)
{
	struct netq_rx *r = &q->r;
	uint16_t num = (uint16_t)n;

	iov_scatter(r->win[0].iov, r->win[0].n_in,
		    offsetof(struct virtio_net_hdr_mrg_rxbuf, num_buffers), &num, sizeof(num));
	stats_count(&q->rx_stats->bytes, len - NET_HDR_LEN);
	stats_count(&q->rx_stats->descs, n);
	for (unsigned i = 0; i < n; i++) {
		const struct virtq_chain *c = &r->win[i];
		uint32_t part = (uint32_t)MIN(len, (size_t)c->in_len);

		virtq_push(&q->rx, c, part);
		len -= part;
		r->win_bytes -= c->in_len;
		r->iov_first += c->n_in;
	}
	r->win += n;
	r->n_win -= n;
	virtq_publish(&q->rx); /* all buffers of a frame at once (5.1.6.4) */
}

/* How many chains of the window hold len bytes; 0: they do not. */
static unsigned chains_for(const struct netq *q, size_t len)
{
	const struct netq_rx *r = &q->r;
	size_t sum = 0;

	if (!mergeable(q))
		return r->n_win && r->win[0].in_len >= len ? 1 : 0;
	for (unsigned i = 0; i < r->n_win; i++) {
		sum += r->win[i].in_len;
		if (sum >= len)
			return i + 1;
	}
	return 0;
}

/* Can more buffers ever make it fit? */
static bool may_fit_later(const struct netq *q, size_t len)
{
	const struct netq_rx *r = &q->r;

	if (!r->n_win)
		return true;
	return mergeable(q) && r->n_win < NETQ_WINDOW && r->n_win < q->rx.map.size &&
	       r->win_bytes < len && NETQ_POOL - (r->iov_end - r->iov_first) >= VIRTQ_SIZE_MAX;
}

/* The frame in the bounce buffer: 1 delivered or dropped, 0 it must wait, -EBADMSG. */
static int deliver_waiting(struct netq *q)
{
	struct netq_rx *r = &q->r;
	unsigned n;

	if (fill_window(q, mergeable(q) ? r->waiting : 1))
		return -EBADMSG;
	n = chains_for(q, r->waiting);
	if (!n && may_fit_later(q, r->waiting))
		return 0;
	if (n) {
		iov_scatter(r->pool + r->iov_first, r->iov_end - r->iov_first, 0, r->bounce,
			    r->waiting);
		complete_chains(q, n, r->waiting);
	} else {
		stats_count(&q->rx_stats->bad, 1);
	}
	r->waiting = 0;
	return 1;
}

static bool frame_wanted(const struct netq *q, const struct iovec *v, unsigned n, size_t len)
{
	uint8_t head[16];

	if (len < NET_HDR_LEN + ETH_HDR)
		return false;
	if (!q->filter || q->filter->promisc)
		return true;
	return net_filter_pass(q->filter, head, iov_gather(v, n, NET_HDR_LEN, head, sizeof(head)));
}

/*
 * Read one frame into the window, what does not fit into the bounce buffer. 1 or 0 (nothing to read, or no
 * buffers).
 */
static int rx_one(struct netq *q)
{
	struct netq_rx *r = &q->r;
	struct iovec *v = r->pool + r->iov_first, spare;
	unsigned n_iov = MIN(r->iov_end - r->iov_first, IOV_MAX - 1u), n;
	size_t room = 0;
	ssize_t len;

	if (!mergeable(q))
		n_iov = MIN(n_iov, (unsigned)r->win[0].n_in);
	for (unsigned i = 0; i < n_iov && room < NET_FRAME_MAX; i++)
		room += v[i].iov_len;
	/*
	 * The vector's end is always the bounce buffer: no frame is cut. The slot is another chain's or free.
	 */
	spare = v[n_iov];
	if (room < NET_FRAME_MAX)
		v[n_iov] = (struct iovec){r->bounce + room, NET_FRAME_MAX - room};
	len = readv(q->fd, v, (int)n_iov + (room < NET_FRAME_MAX));
	v[n_iov] = spare;
	if (len <= 0) {
		q->fd_readable = false;
		return 0;
	}
	if ((size_t)len > room && (size_t)len <= NET_FRAME_MAX) {
		iov_gather(v, n_iov, 0, r->bounce, room);
		if (frame_wanted(q, &(struct iovec){r->bounce, (size_t)len}, 1, (size_t)len))
			r->waiting = (size_t)len;
		return 1;
	}
	if (!frame_wanted(q, v, n_iov, (size_t)len))
		return 1;
	n = chains_for(q, (size_t)len);
	if (n)
		complete_chains(q, n, (size_t)len);
	else
		stats_count(&q->rx_stats->bad, 1);
	return 1;
}

/*
 * The first frame of a run, and the last run had only one: a request and its answer. The guest should not
 * wait for our next read to come back empty. To one request one answer comes, so that read is left out
 * where the owner tells of another.
 */
static void got_lone_frame(struct netq *q)
{
	netq_call(q, false);
	if (q->fd_level && q->sent == 1)
		q->fd_readable = false;
}

/* The guest is interrupted after a lone frame, else once at the end of the run. */
int netq_rx(struct netq *q, unsigned budget, bool *more)
{
	struct netq_rx *r = &q->r;
	unsigned n = 0;
	int err = 0, got = 1;

	while (n < budget && got > 0) {
		if (r->waiting) {
			got = deliver_waiting(q);
			err = MIN(got, 0);
			continue;
		}
		err = fill_window(q, mergeable(q) ? NET_FRAME_MAX : 1);
		if (err || !r->n_win || !q->fd_readable)
			break;
		got = rx_one(q);
		n += (unsigned)got;
		if (n == 1 && r->last_run <= 1)
			got_lone_frame(q);
	}
	if (n) {
		r->last_run = n;
		q->sent = 0;
	}
	netq_call(q, false);
	if (q->fd_readable && !r->n_win)
		stats_count(&q->rx_stats->stops, 1);
	*more = n == budget;
	if (err)
		return err;
	return (int)n;
}
