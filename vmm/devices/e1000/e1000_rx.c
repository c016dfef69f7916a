// SPDX-License-Identifier: MIT
/* Receive: frames from the TAP or the loopback into the guest's ring. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "vmm/devices/e1000/e1000.h"

/* 3.2.3: legacy receive descriptor. */
struct rx_desc {
	uint64_t addr;
	uint16_t len, checksum;
	uint8_t status, errors;
	uint16_t vlan;
};

#define RX_DD    0x01u
#define RX_EOP   0x02u
#define RX_IXSM  0x04u
#define RX_VP    0x08u
#define RX_TCPCS 0x20u
#define RX_IPCS  0x40u

#define FRAME_MIN  60u
#define FRAME_MAX  1518u  /* without RCTL.LPE: 1522 with the CRC (13.4.22) */
#define FRAME_JUMBO 16384u
#define BUDGET     64

struct rx_ring {
	gpa_t base;
	uint32_t size;
};

static struct rx_ring ring_of(struct e1000 *e)
{
	return (struct rx_ring){(gpa_t)e1000_get(e, RDBAH) << 32 | (e1000_get(e, RDBAL) & ~0xfu),
				(e1000_get(e, RDLEN) & 0xfff80u) /
					(uint32_t)sizeof(struct rx_desc)};
}

static uint32_t buffer_size(const struct e1000 *e)
{
	static const uint16_t size[2][4] = {{2048, 1024, 512, 256}, {16384, 16384, 8192, 4096}};
	uint32_t rctl = e1000_get(e, RCTL);

	return size[(rctl & RCTL_BSEX) != 0][(rctl >> 16) & 3];
}

/* How many descriptors the guest has given that are not used yet; 0 also for a ring that makes no sense. */
static uint32_t buffers_free(struct e1000 *e, const struct rx_ring *r)
{
	uint32_t head = e1000_get(e, RDH), tail = e1000_get(e, RDT);

	if (!r->size || head >= r->size || tail >= r->size)
		return 0;
	return head <= tail ? tail - head : r->size - head + tail;
}

static bool rx_enabled(struct e1000 *e)
{
	return (e1000_get(e, RCTL) & RCTL_EN) && pci_bus_master(e->pci);
}

/* ---- filters (3.2.1) ---- */

static bool unicast_match(const struct e1000 *e, const uint8_t *mac)
{
	for (unsigned i = 0; i < 16; i++) {
		uint32_t low = e1000_get(e, RAL + 8 * i), high = e1000_get(e, RAL + 8 * i + 4);
		uint8_t entry[6];

		memcpy(entry, &low, 4);
		memcpy(entry + 4, &high, 2);
		if (high >> 31 && !memcmp(entry, mac, 6))
			return true;
	}
	return false;
}

static bool multicast_match(const struct e1000 *e, const uint8_t *mac)
{
	static const unsigned shift[] = {4, 3, 2, 0};
	unsigned hash =
		((unsigned)mac[5] << 8 | mac[4]) >> shift[(e1000_get(e, RCTL) >> 12) & 3] & 0xfff;

	return e1000_get(e, MTA + 4 * (hash >> 5)) >> (hash & 31) & 1;
}

static bool vlan_match(const struct e1000 *e, const uint8_t *frame)
{
	unsigned id;

	if (!(e1000_get(e, RCTL) & RCTL_VFE) ||
	    (frame[12] << 8 | frame[13]) != (int)(e1000_get(e, VET) & 0xffff))
		return true;
	id = (unsigned)(frame[14] << 8 | frame[15]) & 0xfff;
	return e1000_get(e, VFTA + 4 * (id >> 5)) >> (id & 31) & 1;
}

static bool rx_accept(const struct e1000 *e, const uint8_t *frame)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint32_t rctl = e1000_get(e, RCTL);

	if (!vlan_match(e, frame))
		return false;
	if (!memcmp(frame, broadcast, 6) && (rctl & RCTL_BAM))
		return true;
	if (frame[0] & 1)
		return (rctl & RCTL_MPE) || multicast_match(e, frame);
	return (rctl & RCTL_UPE) || unicast_match(e, frame);
}

/* ---- statistics ---- */

static void count_size(struct e1000 *e, size_t len)
{
	static const uint16_t limit[] = {64, 127, 255, 511, 1023};
	unsigned i = 0;

	while (i < ARRAY_SIZE(limit) && len > limit[i])
		i++;
	e1000_count(e, PRC64 + 4 * i, 1);
}

static void count_received(struct e1000 *e, const uint8_t *frame, size_t len)
{
	uint64_t octets = len + E1000_CRC_LEN;

	count_size(e, octets);
	e1000_count(e, GPRC, 1);
	e1000_count(e, TPR, 1);
	e1000_count_octets(e, GORCL, octets);
	e1000_count_octets(e, TORL, octets);
	if (frame[0] == 0xff)
		e1000_count(e, BPRC, 1);
	else if (frame[0] & 1)
		e1000_count(e, MPRC, 1);
	e1000_stat(&e->rx_stats->descs, 1);
	e1000_stat(&e->rx_stats->bytes, len);
}

/* ---- into the ring ---- */

static uint8_t checksum_status(const struct e1000 *e, bool ok)
{
	uint32_t rxcsum = e1000_get(e, RXCSUM);

	if (!ok || !(rxcsum & 0x200))
		return RX_IXSM; /* checksum not looked at */
	return (uint8_t)(RX_TCPCS | bits_if(rxcsum & 0x100, RX_IPCS));
}

/* A VLAN tag goes from the frame into the descriptor when CTRL.VME says so. */
static size_t strip_vlan(struct e1000 *e, uint8_t *frame, size_t len, uint16_t *vlan,
			 uint8_t *status)
{
	if (!(e1000_get(e, CTRL) & CTRL_VME) || len < 18 ||
	    (frame[12] << 8 | frame[13]) != (int)(e1000_get(e, VET) & 0xffff))
		return len;
	*vlan = (uint16_t)(frame[14] << 8 | frame[15]);
	*status |= RX_VP;
	memmove(frame + 12, frame + 16, len - 16);
	return len - 4;
}

static void advance_head(struct e1000 *e, const struct rx_ring *r)
{
	uint32_t head = e1000_get(e, RDH) + 1;

	e1000_set(e, RDH, head == r->size ? 0 : head);
}

/* Fill one descriptor; buf NULL when the data is in its buffer already. */
static void fill_descriptor(struct e1000 *e, const struct rx_ring *r, const uint8_t *buf, struct rx_desc *d,
			    size_t len, bool eop)
{
	gpa_t at = r->base + (gpa_t)e1000_get(e, RDH) * sizeof(*d);

	if (buf && gmem_write(e->pci->gm, d->addr, buf, len))
		e1000_stat(&e->rx_stats->bad, 1);
	d->len = (uint16_t)len;
	d->checksum = 0;
	d->errors = 0;
	d->status = (uint8_t)(d->status | bits_if(eop, RX_EOP));
	/* The driver polls the status byte, so everything else is written first. */
	gmem_write(e->pci->gm, at + 8, &d->len, 4);
	gmem_write(e->pci->gm, at + 13, &d->errors, 3);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	d->status |= RX_DD;
	gmem_write(e->pci->gm, at + 12, &d->status, 1);
	advance_head(e, r);
}

static bool read_desc(struct e1000 *e, const struct rx_ring *r, struct rx_desc *d)
{
	return !gmem_read(e->pci->gm, r->base + (gpa_t)e1000_get(e, RDH) * sizeof(*d), d,
			  sizeof(*d));
}

static void raise_received(struct e1000 *e, const struct rx_ring *r)
{
	uint32_t threshold = r->size >> (1 + (e1000_get(e, RCTL) >> 8 & 3));

	e1000_irq_raise_delayed(e, ICR_RXT0, DELAY_RX);
	if (buffers_free(e, r) <= threshold)
		e1000_irq_raise(e, ICR_RXDMT0);
}

/* A frame in one piece, over as many buffers as it takes. The frame has room for its CRC. */
static bool deliver_frame(struct e1000 *e, const struct rx_ring *r, uint8_t *frame, size_t len, bool csum_ok)
{
	uint32_t size = buffer_size(e);
	uint8_t status = checksum_status(e, csum_ok), vp = 0;
	uint16_t vlan = 0;

	len = strip_vlan(e, frame, len, &vlan, &vp);
	if (!(e1000_get(e, RCTL) & RCTL_SECRC)) {
		memset(frame + len, 0,
		       E1000_CRC_LEN); /* nobody looks at the CRC of a wire that loses nothing */
		len += E1000_CRC_LEN;
	}
	if (buffers_free(e, r) < (len + size - 1) / size)
		return false;
	for (size_t off = 0; off < len; off += size) {
		size_t n = MIN((size_t)size, len - off);
		struct rx_desc d;

		if (!read_desc(e, r, &d))
			return false;
		d.status = status | vp;
		d.vlan = vlan;
		fill_descriptor(e, r, frame + off, &d, n, off + n == len);
	}
	return true;
}

void e1000_rx_frame(struct e1000 *e, uint8_t *frame, size_t len, bool csum_ok)
{
	struct rx_ring r = ring_of(e);
	uint32_t max = e1000_get(e, RCTL) & RCTL_LPE ? FRAME_JUMBO : FRAME_MAX;

	if (!rx_enabled(e))
		return;
	if (len < FRAME_MIN) { /* a wire pads */
		memset(frame + len, 0, FRAME_MIN - len);
		len = FRAME_MIN;
	}
	if (len > max) {
		e1000_count(e, ROC, 1);
		return;
	}
	if (!rx_accept(e, frame))
		return;
	count_received(e, frame, len);
	if (!deliver_frame(e, &r, frame, len, csum_ok)) {
		e1000_count(e, MPC, 1);
		e1000_irq_raise(e, ICR_RXO);
		return;
	}
	raise_received(e, &r);
}

/* ---- from the TAP ---- */

static void watch_tap(struct e1000 *e, bool on)
{
	if (e->tap_watched == on)
		return;
	evloop_mod(e->loop, e->tap.fd[0], bits_if(on, EPOLLIN));
	__atomic_store_n(&e->tap_watched, on, __ATOMIC_RELEASE);
	if (!on)
		e1000_stat(&e->rx_stats->stops, 1);
}

/* A frame of 16 KiB takes 64 buffers of 256 bytes: less than that is as good as none. */
static bool ring_starved(struct e1000 *e, const struct rx_ring *r)
{
	return buffers_free(e, r) * buffer_size(e) < 2048;
}

/*
 * No buffers: leave frames in the TAP, whose queue pushes back on the sender, until the tail moves. A
 * driver that moved it before it could see that nobody looks (write_rdt) will not move it again.
 */
static void stop_to_look(struct e1000 *e, const struct rx_ring *r)
{
	watch_tap(e, false);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!ring_starved(e, r))
		watch_tap(e, true);
}

/* The frame lies in the guest's buffer already: the common case, without a copy. */
static void complete_in_place(struct e1000 *e, const struct rx_ring *r, struct rx_desc *d,
			      uint8_t *frame, size_t len)
{
	if (len < FRAME_MIN) {
		memset(frame + len, 0, FRAME_MIN - len);
		len = FRAME_MIN;
	}
	if (!rx_accept(e, frame))
		return;
	count_received(e, frame, len);
	d->vlan = 0;
	d->status = 0;
	len = strip_vlan(e, frame, len, &d->vlan, &d->status);
	d->status |= checksum_status(e, true);
	if (!(e1000_get(e, RCTL) & RCTL_SECRC)) {
		memset(frame + len, 0, E1000_CRC_LEN);
		len += E1000_CRC_LEN;
	}
	fill_descriptor(e, r, NULL, d, len, true);
	if (!e->coalesce)
		raise_received(e, r);
}

/* Drivers of a card that drops longer frames have smaller buffers than RCTL says (Linux; CVE-2012-6075). */
static size_t in_place_room(const struct e1000 *e)
{
	size_t room = buffer_size(e) - E1000_CRC_LEN;

	if (e1000_get(e, RCTL) & RCTL_LPE)
		return room;
	return MIN(room, (size_t)FRAME_MAX);
}

/* One frame from the TAP; false when it has none. */
static bool read_frame(struct e1000 *e, const struct rx_ring *r)
{
	struct virtio_net_hdr_mrg_rxbuf h;
	size_t room = in_place_room(e);
	struct iovec iov[3] = {{&h, sizeof(h)}};
	struct rx_desc d;
	uint8_t *buf = NULL;
	ssize_t n;

	if (room >= FRAME_MAX && read_desc(e, r, &d))
		buf = gmem_ptr(e->pci->gm, d.addr, room + E1000_CRC_LEN);
	if (!buf)
		room = 0;
	iov[1] = (struct iovec){buf, room};
	iov[2] = (struct iovec){e->bounce + room, TX_FRAME_MAX - room};
	n = readv(e->tap.fd[0], iov, 3);
	if (n < 0)
		return false;
	n -= (ssize_t)sizeof(h);
	if (n < 14)
		return true;
	if (room && (size_t)n <= room) {
		complete_in_place(e, r, &d, buf, (size_t)n);
		return true;
	}
	if (room)
		memcpy(e->bounce, buf, room);
	e1000_rx_frame(e, e->bounce, (size_t)n, true);
	return true;
}

void e1000_rx_readable(void *arg, uint32_t events)
{
	struct e1000 *e = arg;
	struct rx_ring r = ring_of(e);
	unsigned n = 0;
	uint32_t head = e1000_get(e, RDH);

	(void)events;
	if (!rx_enabled(e) || e1000_loopback(e)) {
		watch_tap(e, false);
		return;
	}
	while (n < BUDGET && !ring_starved(e, &r)) {
		if (!read_frame(e, &r))
			break;
		n++;
	}
	if (ring_starved(e, &r))
		stop_to_look(e, &r);
	if (head != e1000_get(e, RDH)) {
		unsigned log2 = 31 - (unsigned)__builtin_clz(MAX(n, 1u));

		e1000_stat(&e->rx_stats->batch[MIN(log2, STATS_BATCH - 1)], 1);
		raise_received(e, &r);
	}
}

void e1000_rx_resume(struct e1000 *e)
{
	if (e->tap.n && !e->tap_watched)
		watch_tap(e, true);
}
