// SPDX-License-Identifier: MIT
/*
 * Xen's split driver on Xen: the domain's netfront over a shared ring with grants and an event channel, and
 * its back end, a thread of dom0's kernel, whose end of the wire is in the peer's namespace.
 */
#include "bench/modes/net.h"

static const char *const netfront_modules[] = {"xen_netfront", NULL};

static int make_wire(struct device_path *p, const struct path_want *want)
{
	return wire_alone(&p->wire, want->ipv6);
}

const struct mode mode_netback = {
	.name = "netback",
	.kind = MODE_NET,
	.needs = NEED_ROOT | NEED_XEN,
	.guests = GUEST_LINUX,
	.front = FRONT_XEN_VIF,
	.server = SERVER_KERNEL,
	.modules = netfront_modules,
	.knobs = "",
	.make = make_wire,
};
