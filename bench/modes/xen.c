// SPDX-License-Identifier: MIT
/*
 * Xen's split driver on KVM: the guest's netfront over a shared ring with grants and an event channel, and
 * the back end in the VMM. KVM plays Xen: it takes the guest's hypercalls.
 */
#include "bench/modes/net.h"

static const char *const netfront_modules[] = {"xen_netfront", NULL};

const struct mode mode_xen = {
	.name = "xen",
	.kind = MODE_NET,
	.needs = NEED_ROOT | NEED_TAP | NEED_KVM_XEN,
	.guests = GUEST_LINUX,
	.front = FRONT_XEN_NET,
	.server = SERVER_VMM,
	.modules = netfront_modules,
	.knobs = "",
	.make = net_make_tap,
};
