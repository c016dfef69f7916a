// SPDX-License-Identifier: MIT
/* A virtual function of a card, handed to the guest through VFIO. */
#include "bench/modes/mode.h"

static const char *const sriov_modules[] = {"igbvf", NULL};

const struct mode mode_sriov = {
	.name = "sriov",
	.kind = MODE_NET,
	.needs = NEED_ROOT | NEED_VFIO,
	.guests = GUEST_LINUX,
	.front = FRONT_VFIO,
	.server = SERVER_DEVICE,
	.modules = sriov_modules,
	.knobs = "vlan spoofchk trust",
};
