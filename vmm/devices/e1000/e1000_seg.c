// SPDX-License-Identifier: MIT
/*
 * Checksums and segmentation. Every offset comes from the guest: each is checked against the bytes that are
 * there.
 */
#include <string.h>

#include "vmm/devices/e1000/e1000.h"
#include "vmm/net/net_hdr.h"
#include "vmm/virtq/iov.h"

#define GSO_FEATURES                                                                               \
	(1ull << VIRTIO_NET_F_CSUM | 1ull << VIRTIO_NET_F_HOST_TSO4 |                              \
	 1ull << VIRTIO_NET_F_HOST_TSO6)

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static uint16_t fold_sum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The folded one's complement sum (not yet inverted). */
uint16_t e1000_checksum(const uint8_t *p, size_t len, uint32_t sum)
{
	uint64_t s = sum;

	for (; len > 1; p += 2, len -= 2)
		s += get16(p);
	if (len)
		s += (uint32_t)*p << 8;
	s = (s & 0xffffffff) + (s >> 32);
	s = (s & 0xffffffff) + (s >> 32);
	return fold_sum((uint32_t)((s & 0xffff) + (s >> 16)));
}

/* Sum from start to end (0: the end of the packet) into the two bytes at. */
static void insert_checksum(uint8_t *p, size_t len, unsigned start, unsigned at, unsigned end)
{
	size_t stop = len;

	if (end)
		stop = MIN((size_t)end + 1, len);
	if (start >= stop || (size_t)at + 2 > len)
		return;
	put16(p + at, (uint16_t)~e1000_checksum(p + start, stop - start, 0));
}

/*
 * Where the VLAN tag goes is decided here, so that offsets of the context stay those of the untagged frame.
 */
static void emit_frame(struct e1000 *e, const uint8_t *frame, size_t len)
{
	struct iovec iov[4];
	uint8_t tag[4];
	unsigned n = 0;
	const struct e1000_packet *p = &e->pkt;

	e->tx_frames++;
	e1000_count_sent(e, 1, len + 4 * p->insert_vlan);
	put16(tag, e1000_get(e, VET));
	put16(tag + 2, p->vlan);
	if (e1000_loopback(e)) {
		size_t tag_len = 4 * p->insert_vlan;

		memcpy(e->bounce, frame, 12);
		memcpy(e->bounce + 12, tag, tag_len);
		memcpy(e->bounce + 12 + tag_len, frame + 12, len - 12);
		e1000_rx_frame(e, e->bounce, len + tag_len, true);
		return;
	}
	memset(&e->tx_hdr, 0, sizeof(e->tx_hdr));
	iov[n++] = (struct iovec){&e->tx_hdr, sizeof(e->tx_hdr)};
	iov[n++] = (struct iovec){(void *)frame, 12};
	if (p->insert_vlan)
		iov[n++] = (struct iovec){tag, 4};
	iov[n++] = (struct iovec){(void *)(frame + 12), len - 12};
	if (e->tap.n && writev(e->tap.fd[0], iov, (int)n) < 0)
		e1000_stat(&e->tx_stats->stops, 1);
}

/* The IP header's length field and identification, for a segment of this much behind ipcss. */
static void fix_ip(const struct e1000_context *c, uint8_t *frame, size_t len, unsigned segment)
{
	if (c->ipv4) {
		put16(frame + c->ipcss + 2, (uint32_t)(len - c->ipcss));
		put16(frame + c->ipcss + 4, get16(frame + c->ipcss + 4) + segment);
	} else {
		put16(frame + c->ipcss + 4, (uint32_t)(len - c->ipcss - 40));
	}
}

/* The guest leaves the pseudo header's sum without the length, which differs by segment (3.5.7). */
static void add_length(uint8_t *frame, unsigned tucso, size_t l4_len)
{
	put16(frame + tucso, fold_sum(get16(frame + tucso) + (uint32_t)l4_len));
}

static bool tso_sane(const struct e1000_context *c, size_t len)
{
	unsigned ip = c->ipv4 ? 20 : 40;
	unsigned l4 = c->tcp ? 20 : 8;

	return c->mss && c->hdr_len >= 14 && c->hdr_len <= len && c->ipcss >= 14 &&
	       (unsigned)c->ipcss + ip <= c->hdr_len && c->tucss >= c->ipcss + ip &&
	       (unsigned)c->tucss + l4 <= c->hdr_len && c->tucso >= c->tucss &&
	       (unsigned)c->tucso + 2 <= c->hdr_len;
}

static void one_segment(struct e1000 *e, const struct e1000_context *c, uint8_t *frame,
			size_t payload, unsigned index, uint32_t seq, bool last)
{
	size_t len = c->hdr_len + payload;

	fix_ip(c, frame, len, index);
	if (c->tcp) {
		put32(frame + c->tucss + 4, seq);
		if (!last)
			frame[c->tucss + 13] &=
				(uint8_t)~0x09; /* FIN and PSH belong to the last one */
	} else {
		put16(frame + c->tucss + 4, (uint32_t)(len - c->tucss));
	}
	add_length(frame, c->tucso, len - c->tucss);
	if (e->pkt.popts & 1)
		insert_checksum(frame, len, c->ipcss, c->ipcso, c->ipcse);
	if (e->pkt.popts & 2)
		insert_checksum(frame, len, c->tucss, c->tucso, c->tucse);
	emit_frame(e, frame, len);
}

/*
 * Frames are built in place: the header is copied in front of each piece of payload, over payload already
 * sent.
 */
static void cut_segments(struct e1000 *e, const struct e1000_context *c, size_t len)
{
	uint8_t header[256];
	uint32_t seq = 0;
	unsigned index = 0;

	memcpy(header, e->flat, c->hdr_len);
	if (c->tcp)
		seq = get32(header + c->tucss + 4);
	for (size_t off = c->hdr_len; off < len; index++) {
		size_t payload = MIN((size_t)c->mss, len - off);
		uint8_t *frame = e->flat + off - c->hdr_len;

		memcpy(frame, header, c->hdr_len);
		one_segment(e, c, frame, payload, index, seq, off + payload == len);
		off += payload;
		seq += (uint32_t)payload;
	}
	e1000_count(e, TSCTC, 1);
}

void e1000_send_software(struct e1000 *e, const struct e1000_context *c)
{
	struct e1000_packet *p = &e->pkt;
	size_t len = iov_gather(p->iov + 2, p->n, 0, e->flat, TX_FRAME_MAX);

	if (len < 14)
		return;
	if (p->tse) {
		if (!tso_sane(c, len)) {
			e1000_stat(&e->tx_stats->bad, 1);
			e1000_count(e, TSCTFC, 1);
			return;
		}
		cut_segments(e, c, len);
		return;
	}
	if (p->popts & 1)
		insert_checksum(e->flat, len, c->ipcss, c->ipcso, c->ipcse);
	if (p->popts & 2)
		insert_checksum(e->flat, len, c->tucss, c->tucso, c->tucse);
	emit_frame(e, e->flat, len);
}

bool e1000_prepare_gso(struct e1000 *e, const struct e1000_context *c)
{
	struct e1000_packet *p = &e->pkt;
	uint8_t *h = e->head;

	if (!c->tcp || !tso_sane(c, p->len) || !(p->popts & 2))
		return false;
	iov_gather(p->iov + 2, p->n, 0, h, c->hdr_len);
	fix_ip(c, h, p->len, 0);
	if (c->ipv4) {
		size_t ip_len = (size_t)(h[c->ipcss] & 0xf) * 4;

		if (ip_len > (size_t)(c->tucss - c->ipcss))
			ip_len = 20;
		put16(h + c->ipcss + 10, 0);
		put16(h + c->ipcss + 10, (uint16_t)~e1000_checksum(h + c->ipcss, ip_len, 0));
	}
	add_length(h, c->tucso, p->len - c->tucss);
	e->tx_hdr = (struct virtio_net_hdr_mrg_rxbuf){
		.hdr = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.gso_type = c->ipv4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6,
			.hdr_len = c->hdr_len,
			.gso_size = c->mss,
			.csum_start = c->tucss,
			.csum_offset = (uint16_t)(c->tucso - c->tucss)}};
	/* What the context says and what the headers are may be two things. */
	return net_hdr_check(&e->tx_hdr, h, c->hdr_len, p->len, GSO_FEATURES);
}
