/* SPDX-License-Identifier: MIT */
/*
 * The network between guest and peer. Everything is anonymous or bound to our fds, so the kernel cleans up
 * whatever happens to us: namespaces without a name, a TAP that is not persistent, veth ends inside such
 * namespaces.
 *
 *   local:   guest eth0 -- VMM -- TAP tap0 in the peer's namespace
 *   switch:  guest eth0 -- VMM -- TAP -- bridge -- own card -- the cards' wire -- peer's card
 *   cards:   VF or PF -- the cards' wire -- peer's card, moved into the peer's namespace
 *   domain:  guest eth0 -- its back end, vifN.0 in the peer's namespace
 *   host:    agent's namespace veth -- veth peer's namespace (no VM: the baseline)
 *   container: agent's namespace veth -- veth -- bridge -- veth peer's namespace, or the own card of "switch"
 */
#ifndef BENCH_HOST_WIRE_H
#define BENCH_HOST_WIRE_H

#include <net/if.h>
#include "base/util.h"

#define WIRE_QUEUES 16
#define WIRE_GUEST_MAC "52:54:00:77:00:02" /* of the first VM */

/* A card that was moved into a namespace; name "" when none was. */
struct wire_card {
	char name[16];
	bool was_up;
	bool unthrottled;  /* its interrupts are not put off; */
	unsigned rx_usecs; /* so long they were */
};

struct wire {
	int peer_ns, agent_ns;     /* namespace fds; agent_ns only without a VM, else -1 */
	int switch_ns;             /* of a bridge of ours, else -1 */
	char tap[IF_NAMESIZE];     /* its name, in the namespace that wire_leave_tap says */
	int tap_fd[WIRE_QUEUES];   /* -1 ends */
	char guest_addr[48];       /* with prefix length, for the job */
	char peer_addr[48];        /* without prefix length */
	char mac[18];
	struct wire_card peer_card, own_card;
};

/* ipv6 chooses the addresses of the job; both families are configured. 0 or -errno (logged). */
int wire_tap(struct wire *w, unsigned queues, bool ipv6);
int wire_veth(struct wire *w, bool ipv6);
/* Nothing but the peer's namespace: who makes the card's other end moves it there. */
int wire_alone(struct wire *w, bool ipv6);
/* A container's: own_nic, unless NULL, is a port of its bridge and leads to the peer, as in wire_switched. */
int wire_container(struct wire *w, const char *peer_nic, const char *own_nic, bool ipv6);
/*
 * For a VMM that opens the TAP by its name: it stays there, closed, until its namespace ends, which the VMM
 * enters. The fd of that namespace, or -errno (logged).
 */
int wire_leave_tap(struct wire *w);
/*
 * The real wire: the card peer_nic, unless NULL (the peer is another machine's), goes into the peer's
 * namespace (and comes back when that ends); own_nic, unless NULL, into the agent's. The peer is in this
 * VLAN, 0: none. -EBUSY for a card that this host uses.
 */
int wire_cards(struct wire *w, const char *peer_nic, const char *own_nic, int vlan, bool ipv6);
/* The peer's card, where this machine has it, interrupts at once while it is there. 0 or -errno (logged). */
int wire_throttle_off(struct wire *w);
/* The real wire with a TAP for the VMM: own_nic and the TAP are ports of a switch in a namespace of its own.
 */
int wire_switched(struct wire *w, unsigned queues, const char *peer_nic, const char *own_nic, bool ipv6);
/* VM number vm (from 1) on the wire of the first: the same peer; with queues, one more TAP on its switch. */
int wire_join(struct wire *w, const struct wire *first, unsigned vm, unsigned queues, bool ipv6);
/* This machine's end of another's wire: the card goes into a namespace, with the peer's addresses. Its fd or
 * -errno (logged). */
int wire_peer_card(const char *nic);
void wire_close(struct wire *w);

/* ---- between wire.c (TAP, veth), wire_cards.c (the real wire) and wire_switch.c ---- */
/* Sets the address and MAC of VM number vm; makes nothing yet. */
void wire_init(struct wire *w, unsigned vm, bool ipv6);
/* Moves the cards back into our namespace at once; the kernel does so only when it comes round to it. */
void wire_give_back(struct wire *w);
/* The queues of a TAP in the namespace that the caller is in; "tap%d" or another name. 0 or -errno. */
int wire_open_tap(struct wire *w, unsigned queues, const char *name);
/* 0, or -EBUSY (logged): this host uses it. */
int wire_check_unused(const char *nic);
/* A card into a namespace, where nothing of it is set up. 0 or -errno. */
int wire_take_card(struct wire_card *card, const char *nic, int ns_fd);
/* In the namespace that the caller is in: name, with its other end far in far_ns. 0 or -errno. */
int wire_make_veth(const char *name, const char *far, int far_ns);
extern const char wire_peer_mac[];

#endif
