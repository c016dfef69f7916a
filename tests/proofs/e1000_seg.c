// SPDX-License-Identifier: MIT
/*
 * Proof: whatever context a guest sets that tso_sane lets through, a segment at any place of any
 * packet is summed, mended and sent inside the packet and the loopback's buffer, once.
 *
 * assumed: what tests/proofs/e1000.h does not model; a segment has at most mss bytes of payload, as
 *          e1000_cut proves
 * cbmc: --unwind 5
 * model: vmm/devices/e1000/e1000_seg.c s/^static (uint..?_t) (get..)\(/static inline \1 real_\2(/
 * model: vmm/devices/e1000/e1000_seg.c s/^static void (put..)\(/static inline void real_\1(/
 * model: vmm/devices/e1000/e1000_seg.c s/^uint16_t e1000_checksum\(/static inline uint16_t real_checksum(/
 * model: vmm/devices/e1000/e1000_seg.c s/^static uint16_t fold_sum\(/static inline uint16_t real_fold(/
 * model: vmm/devices/e1000/e1000_seg.c s/frame\[(c->tucss \+ 13)\] &=/*byte_at(frame + \1) \&=/
 * model: vmm/devices/e1000/e1000_seg.c s/^\t\tone_segment\(/\t\tplace_segment(/
 * model: vmm/devices/e1000/e1000_seg.c s/\(h\[c->ipcss\] & 0xf\)/(*byte_at(h + c->ipcss) \& 0xf)/
 * mutant: vmm/devices/e1000/e1000_seg.c s/\(unsigned\)c->tucss \+ l4 <= c->hdr_len && //
 * mutant: vmm/devices/e1000/e1000_seg.c s/\(unsigned\)c->tucso \+ 2 <= c->hdr_len/true/
 * mutant: vmm/devices/e1000/e1000_seg.c s/start >= stop \|\| //
 * mutant: vmm/devices/e1000/e1000_seg.c s/ \|\| \(size_t\)at \+ 2 > len//
 * mutant: vmm/devices/e1000/e1000_seg.c s/stop = MIN\(\(size_t\)end \+ 1, len\)/stop = (size_t)end + 1/
 */
#include "tests/proofs/e1000.h"

int main(void)
{
	size_t off = nondet_u32(), payload;
	uint8_t *frame;

	any_packet();
	if (!tso_sane(&ctx, card.pkt.len))
		return 0;
	assume(off >= ctx.hdr_len && off < card.pkt.len);
	payload = MIN((size_t)ctx.mss, card.pkt.len - off);
	frame = card.flat + off - ctx.hdr_len;
	prove(__CPROVER_w_ok(frame, ctx.hdr_len + payload));
	one_segment(&card, &ctx, frame, payload, nondet_u16(), nondet_u32(), nondet_bool());
	prove(sent == 1);
	return 0;
}
