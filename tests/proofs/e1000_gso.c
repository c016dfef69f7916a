// SPDX-License-Identifier: MIT
/*
 * Proof: the headers that go to the kernel with a packet that it shall cut are copied, mended and
 * summed inside their copy, whatever context a guest sets.
 *
 * assumed: what tests/proofs/e1000.h does not model
 * cbmc: --unwind 5
 * model: vmm/devices/e1000/e1000_seg.c s/^static (uint..?_t) (get..)\(/static inline \1 real_\2(/
 * model: vmm/devices/e1000/e1000_seg.c s/^static void (put..)\(/static inline void real_\1(/
 * model: vmm/devices/e1000/e1000_seg.c s/^uint16_t e1000_checksum\(/static inline uint16_t real_checksum(/
 * model: vmm/devices/e1000/e1000_seg.c s/^static uint16_t fold_sum\(/static inline uint16_t real_fold(/
 * model: vmm/devices/e1000/e1000_seg.c s/frame\[(c->tucss \+ 13)\] &=/*byte_at(frame + \1) \&=/
 * model: vmm/devices/e1000/e1000_seg.c s/^\t\tone_segment\(/\t\tplace_segment(/
 * model: vmm/devices/e1000/e1000_seg.c s/\(h\[c->ipcss\] & 0xf\)/(*byte_at(h + c->ipcss) \& 0xf)/
 * mutant: vmm/devices/e1000/e1000_seg.c s/if \(ip_len > \(size_t\)\(c->tucss - c->ipcss\)\)/if (0)/
 */
#include "tests/proofs/e1000.h"

int main(void)
{
	any_packet();
	e1000_prepare_gso(&card, &ctx);
	return 0;
}
