/* SPDX-License-Identifier: MIT */
/*
 * TAP queues: the host's end of every network mode. Each queue is a non-blocking fd that reads and writes
 * one Ethernet frame behind a struct virtio_net_hdr_mrg_rxbuf of NET_HDR_LEN bytes.
 *
 * A TAP is named ("tap=t0": it must exist; it is not made here) or inherited ("fd=5:6", one number for each
 * queue: whoever started us opened it, perhaps in another network namespace, and it goes away with the last
 * fd).
 */
#ifndef VMM_NET_TAP_H
#define VMM_NET_TAP_H

#include <net/if.h>
#include "vmm/core/dev_opts.h"

#define TAP_QUEUES_MAX 8

struct tap {
	char name[IFNAMSIZ];
	unsigned n; /* queues */
	int fd[TAP_QUEUES_MAX];
	bool attached[TAP_QUEUES_MAX]; /* the kernel spreads packets over the attached queues */
	bool multi_queue;
	bool uso;     /* UDP segmentation both ways (Linux 6.2) */
	uint16_t mtu; /* 0: unknown (the TAP is in another network namespace) */
};

#define TAP_INIT {.fd = {-1, -1, -1, -1, -1, -1, -1, -1}}

/*
 * All log one line and return -errno: -EINVAL for what was asked wrongly, -ENODEV no such TAP or no
 * /dev/net/tun for us, -EBUSY in use, -EPERM not our TAP. Nothing stays open after a failure.
 */
int tap_open(struct tap *t, const char *name, unsigned queues);
/* Takes the fds over, also on failure those that are a TAP's. */
int tap_open_fds(struct tap *t, const char *list, unsigned queues);
/* One of the two by the keys "tap" and "fd" of a device; who names it in messages. */
int tap_open_opts(struct tap *t, const struct dev_opts *o, const char *who, unsigned queues);
void tap_close(struct tap *t);

/* The VIRTIO_NET_F_* bits that this TAP can serve: checksum and segmentation offloads. */
uint64_t tap_features(const struct tap *t);
/* What may come in reads: unfinished checksums and large segments as VIRTIO_NET_F_GUEST_* says. */
int tap_set_offloads(struct tap *t, uint64_t guest_features);
/* Use the first n queues, detach the others. Detached ones neither read nor write. */
int tap_set_queues(struct tap *t, unsigned n);

#endif
