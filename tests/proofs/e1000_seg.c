// SPDX-License-Identifier: MIT
/*
 * Proof: whatever context a guest sets, checksums and segmentation of e1000_seg.c read and write inside the
 * packet, the header and the loopback's buffer; a context that fails tso_sane sends nothing, any other sends
 * each segment once.
 *
 * assumed: packets of up to TX_FRAME_MAX bytes, in a buffer of exactly their length; at most three
 *          segments in a row, and besides one segment at any place of any packet; bytes of packets are
 *          not modelled: that they are there is proven at each access, and what is read is any value
 * cbmc: --unwind 5
 * model: vmm/devices/e1000/e1000_seg.c s/^static (uint..?_t) (get..)\(/static inline \1 real_\2(/
 * model: vmm/devices/e1000/e1000_seg.c s/^static void (put..)\(/static inline void real_\1(/
 * model: vmm/devices/e1000/e1000_seg.c s/^uint16_t e1000_checksum\(/static inline uint16_t real_checksum(/
 * model: vmm/devices/e1000/e1000_seg.c s/^static uint16_t fold_sum\(/static inline uint16_t real_fold(/
 * model: vmm/devices/e1000/e1000_seg.c s/frame\[(c->tucss \+ 13)\] &=/*byte_at(frame + \1) \&=/
 * model: vmm/devices/e1000/e1000_seg.c s/^\t\tone_segment\(/\t\tplace_segment(/
 * model: vmm/devices/e1000/e1000_seg.c s/\(h\[c->ipcss\] & 0xf\)/(*byte_at(h + c->ipcss) \& 0xf)/
 * mutant: vmm/devices/e1000/e1000_seg.c s/c->hdr_len <= len && //
 * mutant: vmm/devices/e1000/e1000_seg.c s/\(unsigned\)c->tucss \+ l4 <= c->hdr_len && //
 * mutant: vmm/devices/e1000/e1000_seg.c s/\(unsigned\)c->tucso \+ 2 <= c->hdr_len/true/
 * mutant: vmm/devices/e1000/e1000_seg.c s/return c->mss && /return /
 * mutant: vmm/devices/e1000/e1000_seg.c s/start >= stop \|\| //
 * mutant: vmm/devices/e1000/e1000_seg.c s/ \|\| \(size_t\)at \+ 2 > len//
 * mutant: vmm/devices/e1000/e1000_seg.c s/stop = MIN\(\(size_t\)end \+ 1, len\)/stop = (size_t)end + 1/
 * mutant: vmm/devices/e1000/e1000_seg.c s/if \(ip_len > \(size_t\)\(c->tucss - c->ipcss\)\)/if (0)/
 * mutant: vmm/devices/e1000/e1000_seg.c s/MIN\(\(size_t\)c->mss, len - off\)/c->mss/
 */
#include "tests/proofs/model.h"
#include "vmm/devices/e1000/e1000.h"

#define LOOPBACK_MAX (TX_FRAME_MAX + 64) /* as e1000.c has it */

static struct e1000 card;
static unsigned sent;
static uint8_t scratch;

/* ---- the bytes: that they are there ---- */

/* Of the card itself only the copy of a header is written to byte by byte. */
static inline bool bytes_ok(const uint8_t *p, size_t n)
{
	if (__CPROVER_same_object(p, &card))
		return p >= card.head && p + n <= card.head + sizeof(card.head);
	return __CPROVER_w_ok(p, n);
}

static inline uint16_t get16(const uint8_t *p)
{
	prove(bytes_ok(p, 2));
	return nondet_u16();
}

static inline uint32_t get32(const uint8_t *p)
{
	prove(bytes_ok(p, 4));
	return nondet_u32();
}

static inline void put16(uint8_t *p, uint32_t v)
{
	(void)v;
	prove(bytes_ok(p, 2));
}

static inline void put32(uint8_t *p, uint32_t v)
{
	(void)v;
	prove(bytes_ok(p, 4));
}

static inline uint8_t *byte_at(uint8_t *p)
{
	prove(bytes_ok(p, 1));
	scratch = nondet_u8();
	return &scratch;
}

static inline uint16_t fold_sum(uint32_t sum)
{
	(void)sum;
	return nondet_u16();
}

static inline void copy_bytes(void *to, const void *from, size_t n)
{
	prove(!n || (__CPROVER_w_ok(to, n) && __CPROVER_r_ok(from, n)));
}

uint16_t e1000_checksum(const uint8_t *p, size_t len, uint32_t sum)
{
	(void)sum;
	prove(!len || bytes_ok(p, len));
	return nondet_u16();
}

/* In the place of one_segment in a row of them: that it may be called so. try_segment is the rest. */
static inline void place_segment(struct e1000 *e, const struct e1000_context *c, uint8_t *frame,
				 size_t payload, unsigned index, uint32_t seq, bool last)
{
	const uint8_t *end = e->flat + e->pkt.len;

	(void)seq;
	prove(index == sent++);
	prove(payload && payload <= c->mss && bytes_ok(frame, c->hdr_len + payload));
	prove(last == (frame + c->hdr_len + payload == end));
}

#include <string.h>
#undef memcpy
#define memcpy copy_bytes
#include "vmm/devices/e1000/e1000_seg.c"

/* ---- the rest of the card ---- */

void e1000_count(struct e1000 *e, unsigned off, uint64_t n)
{
	(void)e;
	(void)off;
	(void)n;
}

void e1000_count_sent(struct e1000 *e, unsigned frames, size_t len)
{
	(void)e;
	(void)frames;
	(void)len;
}

bool e1000_loopback(const struct e1000 *e)
{
	(void)e;
	return nondet_bool();
}

void e1000_rx_frame(struct e1000 *e, uint8_t *frame, size_t len, bool csum_ok)
{
	(void)e;
	(void)csum_ok;
	sent++;
	prove(__CPROVER_r_ok(frame, len));
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	(void)fd;
	sent++;
	prove(n >= 3 && n <= 4);
	for (int i = 0; i < n; i++)
		prove(__CPROVER_r_ok(iov[i].iov_base, iov[i].iov_len));
	return nondet_bool() ? -1 : 0;
}

/* All that the packet has, as far as there is room. */
size_t iov_gather(const struct iovec *iov, unsigned n, size_t off, void *buf, size_t len)
{
	(void)iov;
	(void)n;
	(void)off;
	len = MIN(len, card.pkt.len);
	prove(__CPROVER_w_ok(buf, len));
	return len;
}

bool net_hdr_check(struct virtio_net_hdr_mrg_rxbuf *h, const uint8_t *head, size_t n, size_t len,
		   uint64_t features)
{
	(void)h;
	(void)len;
	(void)features;
	prove(__CPROVER_r_ok(head, n));
	return nondet_bool();
}

/* ---- what is tried ---- */

static void try_segment(const struct e1000_context *c, size_t len)
{
	size_t off = nondet_u32(), payload = MIN((size_t)c->mss, len - off);
	uint8_t *frame = card.flat + off - c->hdr_len;

	assume(off >= c->hdr_len && off < len);
	prove(__CPROVER_w_ok(frame, c->hdr_len + payload));
	one_segment(&card, c, frame, payload, nondet_u16(), nondet_u32(), nondet_bool());
	prove(sent == 1);
}

static void try_software(const struct e1000_context *c, size_t len)
{
	size_t segments = 1;
	bool sane = tso_sane(c, len);

	card.pkt.tse = nondet_bool();
	if (card.pkt.tse && sane) {
		assume(c->hdr_len > len || len - c->hdr_len <= 3u * c->mss);
		segments = (len - c->hdr_len + c->mss - 1) / c->mss;
	}
	if ((card.pkt.tse && !sane) || len < 14)
		segments = 0;
	e1000_send_software(&card, c);
	prove(sent == segments);
}

int main(void)
{
	static struct stats_queue stats;
	struct e1000_context c;
	size_t len = nondet_u32();

	any_memory(&c);
	c.tcp = nondet_bool();
	c.ipv4 = nondet_bool();
	card.tx_stats = &stats;
	card.tap.n = 1;
	card.pkt.popts = nondet_u8();
	card.pkt.insert_vlan = nondet_bool();
	assume(len && len <= TX_FRAME_MAX);
	card.pkt.len = len;
	card.flat = object(len);
	card.bounce = object(LOOPBACK_MAX);
	if (nondet_bool())
		e1000_prepare_gso(&card, &c);
	else if (nondet_bool() && tso_sane(&c, len))
		try_segment(&c, len);
	else
		try_software(&c, len);
	return 0;
}
