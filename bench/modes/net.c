// SPDX-License-Identifier: MIT
#include "bench/host/outer.h"
#include "bench/modes/net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define CARD_WAIT_NS (5 * NSEC_PER_SEC)

const char *const virtio_net_modules[] = {"virtio_pci", "virtio_net", NULL};

/* After a run that was killed the kernel takes a moment to bring its cards back. */
static char *wait_for_card(const char *not_this)
{
	uint64_t until = clock_ns() + CARD_WAIT_NS;
	char *nic = sriov_find_card(not_this);

	while (!nic && clock_ns() < until) {
		clock_sleep_ns(50 * NSEC_PER_MSEC);
		nic = sriov_find_card(not_this);
	}
	return nic;
}

/* NULL: there is none (logged). */
static char *own_card(const struct path_want *want)
{
	char *nic;

	if (want->nic && strcmp(want->nic, "auto"))
		return xstrdup(want->nic);
	nic = wait_for_card(NULL);
	if (!nic)
		log_error("--topology=wire: no card with SR-IOV here; name one with --nic, or use --on=lab");
	return nic;
}

int net_peer_card(const struct path_want *want, const char *pf, char **nic)
{
	*nic = NULL;
	if (want->peer_is_remote)
		return 0;
	if (lab_inside())
		*nic = wait_for_card(pf);
	if (*nic)
		return 0;
	log_error("no card for the other end of the wire; run `bench peer` on the machine there, and name it with --peer=ADDR");
	return -ENODEV;
}

int net_find_cards(const struct path_want *want, struct net_cards *c)
{
	*c = (struct net_cards){.own = own_card(want)};
	if (!c->own)
		return -ENODEV;
	return net_peer_card(want, c->own, &c->peer);
}

void net_free_cards(struct net_cards *c)
{
	free(c->own);
	free(c->peer);
}

/* Every mode through the same card to the same peer, here with a switch to it. */
static int net_make_switch(struct device_path *p, const struct path_want *want, unsigned queues)
{
	struct net_cards c;
	int err;

	if (want->first)
		return wire_join(&p->wire, &want->first->wire, want->vm, queues, want->ipv6);
	err = net_find_cards(want, &c);
	if (!err)
		err = wire_switched(&p->wire, queues, c.peer, c.own, want->ipv6);
	net_free_cards(&c);
	return err;
}

int net_make_tap(struct device_path *p, const struct path_want *want)
{
	unsigned queues = (unsigned)knobs_u64(want->knobs, "queues", 1);

	if (want->real_wire)
		return net_make_switch(p, want, queues);
	return wire_tap(&p->wire, queues, want->ipv6);
}
