// SPDX-License-Identifier: MIT
/* No VM: agent and peer in two network namespaces, joined by a veth pair or by the cards' wire. */
#include "bench/modes/net.h"

static const char *const host_modules[] = {NULL};

/* The card itself: the baseline of the modes that reach it through a switch or a function. */
static int host_make_card(struct device_path *p, const struct path_want *want)
{
	struct net_cards c;
	int err = net_find_cards(want, &c);

	if (!err)
		err = wire_cards(&p->wire, c.peer, c.own, 0, want->ipv6);
	net_free_cards(&c);
	return err;
}

static int host_make(struct device_path *p, const struct path_want *want)
{
	if (want->real_wire)
		return host_make_card(p, want);
	return wire_veth(&p->wire, want->ipv6);
}

const struct mode mode_host = {
	.name = "host",
	.kind = MODE_NET,
	.needs = NEED_ROOT,
	.guests = GUEST_NONE,
	.modules = host_modules,
	.knobs = "",
	.make = host_make,
};
