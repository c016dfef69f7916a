// SPDX-License-Identifier: MIT
/* A workload that uses no device: in a VM without one, or on this machine itself. */
#include "bench/modes/mode.h"

static const char *const no_modules[] = {NULL};

const struct mode mode_none = {
	.name = "",
	.kind = MODE_NONE,
	.guests = GUEST_LINUX | GUEST_MICRO,
	.modules = no_modules,
	.knobs = "",
};

const struct mode mode_bare = {
	.name = "host",
	.kind = MODE_NONE,
	.guests = GUEST_NONE,
	.modules = no_modules,
	.knobs = "",
};
