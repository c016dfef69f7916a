// SPDX-License-Identifier: MIT
/* No VM: agent and peer in two network namespaces, joined by a veth pair or by the cards' wire. */
#include "bench/modes/mode.h"

static const char *const host_modules[] = {NULL};

const struct mode mode_host = {
	.name = "host",
	.kind = MODE_NET,
	.needs = NEED_ROOT,
	.guests = GUEST_NONE,
	.modules = host_modules,
	.knobs = "",
};
