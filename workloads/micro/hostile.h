/* SPDX-License-Identifier: MIT */
/*
 * Drivers that do what no driver should. A class attacks; afterwards the runner resets the card, sets it up
 * as a sane driver does and wants an answer to an ARP request: the device and the VMM live on, whatever was
 * done to them.
 */
#ifndef WORKLOADS_MICRO_HOSTILE_H
#define WORKLOADS_MICRO_HOSTILE_H

#include "workloads/micro/net.h"
#include "workloads/micro/virtio.h"

enum hostile_needs { ANY_CARD, VIRTIO_CARD, E1000_CARD, TWO_CPUS };

struct hostile_class {
	const char *name;
	enum hostile_needs needs;
	void (*attack)(void);
};

/* end: no name */
extern const struct hostile_class hostile_virtio[], hostile_pci[], hostile_e1000[], hostile_ports[];

extern struct net hostile_net; /* addresses of the job; nic.mac is set before each attack */
extern uint64_t hostile_cases; /* count what was tried */

/*
 * Addresses where DMA has no business: every BAR, the APICs, ECAM, holes, the end of RAM, the end of
 * everything.
 */
extern uint64_t bad_addr[64];
extern unsigned n_bad_addr;

uint64_t hostile_random(void);
/* Leave the device's threads time to act. */
void hostile_settle(void);

/* How far to go on from there: every byte up to dense, strides beyond. */
static inline unsigned step_after(unsigned at, unsigned dense, unsigned stride)
{
	return at < dense ? 1 : stride;
}

#endif
