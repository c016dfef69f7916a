// SPDX-License-Identifier: MIT
#include "vmm/net/net_hdr.h"

#include "base/util.h"

#define ETH_HDR 14
#define GSO_MIN 8 /* smaller segments only make work */

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

struct gso_kind {
	uint8_t type;
	uint8_t ip; /* 4, 6 */
	uint8_t proto, csum_offset, l4_min;
	uint8_t feature;
};

static const struct gso_kind gso_kinds[] = {
	{VIRTIO_NET_HDR_GSO_TCPV4, 4, 6, 16, 20, VIRTIO_NET_F_HOST_TSO4},
	{VIRTIO_NET_HDR_GSO_TCPV6, 6, 6, 16, 20, VIRTIO_NET_F_HOST_TSO6},
	{NET_GSO_UDP_L4, 4, 17, 6, 8, NET_F_HOST_USO},
	{NET_GSO_UDP_L4, 6, 17, 6, 8, NET_F_HOST_USO},
};

/* Offset of the IP header behind up to two VLAN tags, its version in *ip; 0 when it is not IP. */
static unsigned l3_offset(const uint8_t *p, size_t n, uint8_t *ip)
{
	unsigned off = 12;

	for (int tags = 0; tags < 3 && off + 3 <= n; tags++) {
		uint16_t type = be16(p + off);

		if (type != 0x8100 && type != 0x88a8) {
			*ip = p[off + 2] >> 4;
			if ((type == 0x0800 && *ip == 4) || (type == 0x86dd && *ip == 6))
				return off + 2;
			return 0;
		}
		off += 4;
	}
	return 0;
}

static bool l4_fits(const struct gso_kind *k, const struct virtio_net_hdr *h, const uint8_t *p,
		    size_t n, unsigned l3)
{
	if (k->ip ==
	    4) /* protocol and header length are at hand; with IPv6 there may be extension headers between */
		return l3 + 20 <= n && p[l3 + 9] == k->proto &&
		       h->csum_start == l3 + (p[l3] & 15) * 4u;
	return l3 + 40 <= n && h->csum_start >= l3 + 40u;
}

/*
 * A segmentation request must be about the headers that are really there: the kernel's segmentation code
 * trusts the offsets (CVE-2024-43897), so what does not fit is dropped here.
 */
static bool gso_ok(struct virtio_net_hdr *h, const uint8_t *p, size_t n, size_t len,
		   uint64_t features)
{
	uint8_t type = h->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN, ip = 0;
	unsigned l3 = l3_offset(p, n, &ip);

	if (h->gso_type & VIRTIO_NET_HDR_GSO_ECN && !(features >> VIRTIO_NET_F_HOST_ECN & 1))
		return false;
	if (!l3 || !(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || h->gso_size < GSO_MIN)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(gso_kinds); i++) {
		const struct gso_kind *k = &gso_kinds[i];

		if (k->type != type || k->ip != ip || !(features >> k->feature & 1))
			continue;
		if (h->csum_offset != k->csum_offset || h->csum_start + (size_t)k->l4_min > len)
			return false;
		if (h->hdr_len > len) /* a hint only */
			h->hdr_len = (uint16_t)MIN(h->csum_start + (size_t)k->l4_min,
						   (size_t)UINT16_MAX);
		return l4_fits(k, h, p, n, l3);
	}
	return false;
}

bool net_hdr_check(struct virtio_net_hdr_mrg_rxbuf *mh, const uint8_t *head, size_t n, size_t len,
		   uint64_t features)
{
	struct virtio_net_hdr *h = &mh->hdr;

	if (len < ETH_HDR || len > NET_FRAME_MAX)
		return false;
	mh->num_buffers = 0;
	h->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	if (h->flags && (!(features >> VIRTIO_NET_F_CSUM & 1) || h->csum_start < ETH_HDR ||
			 (size_t)h->csum_start + h->csum_offset + 2 > len))
		return false;
	if (h->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
		h->gso_size = h->hdr_len = 0;
		return true;
	}
	return gso_ok(h, head, n, len, features);
}
