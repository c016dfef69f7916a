// SPDX-License-Identifier: MIT
/*
 * Proof: a header that net_hdr_check lets through speaks of bytes that the frame has, whatever the guest
 * wrote; and of the frame's head only the bytes that are there are read.
 *
 * assumed: head holds the first n <= 64 bytes of the frame, n <= len
 * cbmc: --unwind 6
 * mutant: vmm/net/net_hdr.c s/off \+ 3 <= n/off <= n/
 * mutant: vmm/net/net_hdr.c s/return l3 \+ 20 <= n && /return /
 * mutant: vmm/net/net_hdr.c s/ \|\| h->csum_start \+ \(size_t\)k->l4_min > len//
 * mutant: vmm/net/net_hdr.c s/ \|\|\s*$/ ||/; s/\(size_t\)h->csum_start \+ h->csum_offset \+ 2 > len/false/
 * mutant: vmm/net/net_hdr.c s/ \|\| h->gso_size < GSO_MIN//
 * mutant: vmm/net/net_hdr.c s/if \(h->hdr_len > len\)/if (0)/
 * mutant: vmm/net/net_hdr.c s/len < ETH_HDR \|\| //
 */
#include "tests/proofs/model.h"
#include "vmm/net/net_hdr.c"

int main(void)
{
	struct virtio_net_hdr_mrg_rxbuf mh;
	const struct virtio_net_hdr *h = &mh.hdr;
	uint64_t features = nondet_u64();
	size_t n = nondet_u8(), len = nondet_u64();
	uint8_t *head;

	any_memory(&mh);
	assume(n <= NET_HEAD_LEN && n <= len);
	head = object(n);
	if (!net_hdr_check(&mh, head, n, len, features))
		return 0;
	prove(len >= 14 && len <= NET_FRAME_MAX);
	prove(!(h->flags & ~VIRTIO_NET_HDR_F_NEEDS_CSUM));
	if (h->flags)
		prove(h->csum_start >= 14 && (size_t)h->csum_start + h->csum_offset + 2 <= len);
	if (h->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		prove(h->flags && h->gso_size >= 8 && h->hdr_len <= len);
		prove((size_t)h->csum_start + 8 <= len);
		prove(features >> VIRTIO_NET_F_CSUM & 1);
	} else {
		prove(!h->gso_size && !h->hdr_len);
	}
	return 0;
}
