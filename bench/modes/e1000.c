// SPDX-License-Identifier: MIT
/* Intel's 82540EM, emulated by the VMM. */
#include "bench/modes/net.h"

static const char *const e1000_modules[] = {"e1000", NULL};

const struct mode mode_e1000 = {
	.name = "e1000",
	.kind = MODE_NET,
	.needs = NEED_ROOT | NEED_TAP,
	.guests = GUEST_LINUX | GUEST_MICRO,
	.front = FRONT_E1000,
	.server = SERVER_VMM,
	.modules = e1000_modules,
	.knobs = "offload coalesce coalesce_us io",
	.make = net_make_tap,
};
