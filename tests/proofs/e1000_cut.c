// SPDX-License-Identifier: MIT
/*
 * Proof: a packet that software sends is cut into segments that follow one another to its end, each
 * with room for its header in front and numbered; without segmentation it is summed and sent whole; a
 * context that tso_sane refuses sends nothing.
 *
 * assumed: what tests/proofs/e1000.h does not model; at most three segments in a row
 * cbmc: --unwind 5
 * model: vmm/devices/e1000/e1000_seg.c s/^static (uint..?_t) (get..)\(/static inline \1 real_\2(/
 * model: vmm/devices/e1000/e1000_seg.c s/^static void (put..)\(/static inline void real_\1(/
 * model: vmm/devices/e1000/e1000_seg.c s/^uint16_t e1000_checksum\(/static inline uint16_t real_checksum(/
 * model: vmm/devices/e1000/e1000_seg.c s/^static uint16_t fold_sum\(/static inline uint16_t real_fold(/
 * model: vmm/devices/e1000/e1000_seg.c s/frame\[(c->tucss \+ 13)\] &=/*byte_at(frame + \1) \&=/
 * model: vmm/devices/e1000/e1000_seg.c s/^\t\tone_segment\(/\t\tplace_segment(/
 * model: vmm/devices/e1000/e1000_seg.c s/\(h\[c->ipcss\] & 0xf\)/(*byte_at(h + c->ipcss) \& 0xf)/
 * mutant: vmm/devices/e1000/e1000_seg.c s/c->hdr_len <= len && //
 * mutant: vmm/devices/e1000/e1000_seg.c s/return c->mss && /return /
 * mutant: vmm/devices/e1000/e1000_seg.c s/MIN\(\(size_t\)c->mss, len - off\)/c->mss/
 */
#include "tests/proofs/e1000.h"

int main(void)
{
	size_t segments = 1;
	bool sane;

	any_packet();
	sane = tso_sane(&ctx, card.pkt.len);
	card.pkt.tse = nondet_bool();
	if (card.pkt.tse && sane) {
		assume(ctx.hdr_len > card.pkt.len || card.pkt.len - ctx.hdr_len <= 3u * ctx.mss);
		segments = (card.pkt.len - ctx.hdr_len + ctx.mss - 1) / ctx.mss;
	}
	if ((card.pkt.tse && !sane) || card.pkt.len < 14)
		segments = 0;
	e1000_send_software(&card, &ctx);
	prove(sent == segments);
	return 0;
}
