// SPDX-License-Identifier: MIT
/* Which received frames pass the filter that the guest has set through the control queue. */
#include <string.h>
#include "vmm/devices/virtio_net/netq.h"

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static bool in_table(const uint8_t (*t)[6], unsigned n, const uint8_t *mac)
{
	for (unsigned i = 0; i < n; i++)
		if (!memcmp(t[i], mac, 6))
			return true;
	return false;
}

static bool vlan_pass(const struct net_filter *f, const uint8_t *head)
{
	unsigned id;

	if (!f->vlan_on || be16(head + 12) != 0x8100)
		return true;
	id = be16(head + 14) & 0xfff;
	return f->vlan[id / 64] >> id % 64 & 1;
}

bool net_filter_pass(const struct net_filter *f, const uint8_t *head, size_t n)
{
	static const uint8_t bcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	if (n < 16)
		return f->promisc;
	if (f->promisc)
		return true;
	if (!vlan_pass(f, head))
		return false;
	if (!memcmp(head, bcast, 6))
		return !f->nobcast;
	if (head[0] & 1)
		return !f->nomulti &&
		       (f->allmulti || f->multi_overflow || in_table(f->multi, f->n_multi, head));
	return !f->nouni && (f->alluni || f->uni_overflow || !memcmp(head, f->mac, 6) ||
			     in_table(f->uni, f->n_uni, head));
}
