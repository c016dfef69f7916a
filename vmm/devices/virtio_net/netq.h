/* SPDX-License-Identifier: MIT */
/*
 * The data path of one virtio-net queue pair: packets between its two rings and a file descriptor that
 * reads and writes one frame behind a 12-byte virtio_net_hdr (a TAP; a SOCK_SEQPACKET socket in tests).
 * Used by the VMM's own backend and by the vhost-user process. No thread and no event loop: the owner calls
 * netq_run when there may be work.
 *
 * Transmit: readable segments go straight from guest memory into writev, behind a checked private copy of
 * the header. Receive: a window of receive buffers is popped ahead and readv fills it in place; a frame
 * that is larger than the window ends in a bounce buffer behind it and is copied once there are buffers.
 */
#ifndef VMM_DEVICES_VIRTIO_NET_NETQ_H
#define VMM_DEVICES_VIRTIO_NET_NETQ_H

#include "vmm/devices/virtio_net/backend.h"
#include "vmm/virtq/iov.h"

#define NETQ_WINDOW    128          /* receive buffers popped ahead */
#define NETQ_POOL      (2 * VIRTQ_SIZE_MAX)

/*
 * make SLOWDOWN=1: a regression on purpose, that the gate must find. The guest is never asked, neither by
 * flag nor by event index, to send without a kick: one needless exit per packet.
 */
#ifdef EXITLAB_SLOWDOWN
#define NETQ_SUPPRESS_KICKS 0
#else
#define NETQ_SUPPRESS_KICKS 1
#endif

struct netq_rx {
	struct virtq_chain slot[2 * NETQ_WINDOW];
	struct virtq_chain *win; /* the window: n_win chains in slot[] */
	unsigned n_win;
	unsigned iov_first, iov_end; /* its part of pool */
	uint64_t win_bytes;
	struct iovec pool[NETQ_POOL + 1];
	uint8_t *bounce;   /* NET_FRAME_MAX */
	size_t waiting;    /* bytes in bounce: a frame for which there were no buffers */
	unsigned last_run; /* frames of the last service run: 1 means latency matters */
};

struct netq {
	/* Set by the owner before netq_start. */
	int fd;
	uint64_t features;
	const struct net_filter *filter; /* NULL: take all. Read by the queue's thread only */
	struct stats_queue *rx_stats, *tx_stats;
	void (*call)(void *arg, bool tx); /* interrupt the guest */
	void *arg;
	bool hold; /* see tx_held */
	/* What the owner tells when its event loop says so. */
	bool fd_readable;
	bool fd_blocked; /* a write would have blocked */
	bool fd_level;   /* it tells again of a frame that is left unread */
	/* The rest is netq's. */
	bool rx_on, tx_on;
	bool rx_armed, tx_armed; /* the guest was asked to kick */
	/*
	 * What was sent is given back at once, but its interrupt waits for netq_flush: mostly a frame for the
	 * guest comes first (an answer, an acknowledgement), and on receiving it Linux takes the sent buffers
	 * back by itself. Then the event index leaves nothing to interrupt for.
	 */
	bool tx_held;
	uint32_t tx_owed; /* bytes sent since the guest was last told of any */
	unsigned sent; /* frames since the last one was received */
	struct virtq rx, tx;
	struct iovec tx_iov[VIRTQ_SIZE_MAX + 1];
	struct netq_rx r;
};

int netq_init(struct netq *q);
void netq_free(struct netq *q);

static inline bool netq_is_on(const struct netq *q, bool tx)
{
	return tx ? q->tx_on : q->rx_on;
}

static inline struct virtq *netq_ring(struct netq *q, bool tx)
{
	return tx ? &q->tx : &q->rx;
}

/* Start one direction. 0 or the error of virtq_start. */
int netq_start(struct netq *q, bool tx, const struct gmem *gm, const struct virtq_layout *l,
	       uint32_t base);
/* Stop one direction; its base. */
uint32_t netq_stop(struct netq *q, bool tx);

/*
 * Do what there is to do, at most budget packets each way. 1: there is more; 0: nothing (and, when arm is
 * set, the guest was told to kick and there is still nothing: the owner may sleep); -EBADMSG: a ring broke,
 * see rx.broken and tx.broken.
 */
int netq_run(struct netq *q, unsigned budget, bool arm);

/* Interrupt for what is held back, unless the guest has seen it meanwhile. */
void netq_flush(struct netq *q);

/* net_filter.c */
bool net_filter_pass(const struct net_filter *f, const uint8_t *head, size_t n);

/* Between netq.c and netq_rx.c. */
int netq_rx(struct netq *q, unsigned budget, bool *more);
void netq_rx_drop_window(struct netq *q);
/* Publish what was pushed and interrupt if the guest wants it. */
void netq_call(struct netq *q, bool tx);

#endif
