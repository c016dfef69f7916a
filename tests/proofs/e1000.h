/* SPDX-License-Identifier: MIT */
/*
 * For the proofs of e1000_seg.c: the card around it, and its bytes. What lies in a packet is not
 * modelled: that a byte is there is proven at each access, and what is read is any value. So packets
 * have all their 64 KiB.
 */
#ifndef TESTS_PROOFS_E1000_H
#define TESTS_PROOFS_E1000_H

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

/* In the place of one_segment in a row of them: that it may be called so. e1000_seg.c is the rest. */
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

static struct stats_queue stats;
static struct e1000_context ctx;

/* Any context, and a packet of any length in a buffer of exactly that. */
static inline void any_packet(void)
{
	size_t len = nondet_u32();

	any_memory(&ctx);
	ctx.tcp = nondet_bool();
	ctx.ipv4 = nondet_bool();
	card.tx_stats = &stats;
	card.tap.n = 1;
	card.pkt.popts = nondet_u8();
	card.pkt.insert_vlan = nondet_bool();
	assume(len && len <= TX_FRAME_MAX);
	card.pkt.len = len;
	card.flat = object(len);
	card.bounce = object(LOOPBACK_MAX);
}

#endif
