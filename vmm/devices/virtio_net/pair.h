/* SPDX-License-Identifier: MIT */
/*
 * One queue pair of virtio-net and the I/O thread that serves it: netq between its two rings and a
 * frame fd, woken by the rings' kicks and by the fd. Calls come from one thread at a time and
 * return when the I/O thread has done what they ask.
 */
#ifndef VMM_DEVICES_VIRTIO_NET_PAIR_H
#define VMM_DEVICES_VIRTIO_NET_PAIR_H

#include "vmm/devices/virtio_net/backend.h"

struct pair;

struct pair_config {
	struct net_backend *be; /* rings, memory, what to call back */
	unsigned index;		/* of the pair */
	int fd;			/* one frame a read or write, behind a virtio_net_hdr */
	uint64_t poll_ns;	/* busy polling after the last work; 0: none */
	uint64_t hold_ns;	/* wait of the interrupt after the last sent frame; 0: none */
};

/* 0 or -errno (logged); pair_close also after an error. */
int pair_open(struct pair **out, const struct pair_config *cfg);
void pair_close(struct pair *p);
/* Serve the ready rings of these directions. A ring that makes no sense is reported to the front
 * half: no error. */
int pair_start(struct pair *p, uint64_t features, bool rx, bool tx);
/* One direction again, with the features of the last start. */
int pair_restart(struct pair *p, bool tx);
/* Their rings' bases are filled in. */
void pair_stop(struct pair *p, bool rx, bool tx);
void pair_set_filter(struct pair *p, const struct net_filter *f);

#endif
