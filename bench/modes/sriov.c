// SPDX-License-Identifier: MIT
/* A virtual function of a card, handed to the guest through VFIO. */
#include <stdlib.h>
#include <string.h>

#include "bench/modes/net.h"

static const char *const sriov_modules[] = {"igbvf", NULL};

/* 1 for on, 0 for off, or fallback when the knob was not set. */
static int sriov_switch(const struct knobs *ks, const char *name, int fallback)
{
	const char *v = knobs_get(ks, name, NULL);

	return v ? !strcmp(v, "on") : fallback;
}

static int sriov_make_function(struct device_path *p, const struct path_want *want, int vlan)
{
	struct sriov_want w = {
		.nic = want->nic,
		.vf = want->vf,
		.mac = WIRE_GUEST_MAC,
		.functions = want->vms,
		.settings = {.vlan = -1, .trust = sriov_switch(want->knobs, "trust", -1)},
		.unsafe_interrupts = want->unsafe_interrupts,
	};

	if (vlan)
		w.settings.vlan = vlan;
	/* Of a function that somebody else made (--vf) only what was asked for is changed. */
	w.settings.spoofchk = sriov_switch(want->knobs, "spoofchk", want->vf ? -1 : 1);
	if (!want->first)
		return sriov_setup(&p->sriov, &w);
	w.mac = p->wire.mac;
	return sriov_setup_next(&p->sriov, &want->first->sriov, want->vm, &w);
}

static int sriov_make(struct device_path *p, const struct path_want *want)
{
	int vlan = (int)knobs_u64(want->knobs, "vlan", 0), err = 0;
	char *peer;

	if (want->first)
		err = wire_join(&p->wire, &want->first->wire, want->vm, 0, want->ipv6);
	if (err)
		return err;
	err = sriov_make_function(p, want, vlan);
	if (err)
		return err;
	path_watch_function(p);
	if (want->first)
		return 0;
	err = net_peer_card(want, p->sriov.pf, &peer);
	if (!err)
		err = wire_cards(&p->wire, peer, NULL, vlan, want->ipv6);
	if (!err && !knobs_on(want->knobs, "throttle", true))
		err = wire_throttle_off(&p->wire);
	free(peer);
	return err;
}

const struct mode mode_sriov = {
	.name = "sriov",
	.kind = MODE_NET,
	.needs = NEED_ROOT | NEED_VFIO,
	.guests = GUEST_LINUX,
	.front = FRONT_VFIO,
	.server = SERVER_DEVICE,
	.modules = sriov_modules,
	.knobs = "vlan spoofchk trust",
	.make = sriov_make,
	.undo = path_undo_function,
};
