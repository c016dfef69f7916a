// SPDX-License-Identifier: MIT
/*
 * Our e1000 beside QEMU's. What differs on purpose is in the tables below, each with its reason, and
 * in docs/vmm.md.
 */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/differential/both.h"
#include "vmm/devices.h"
#include "vmm/devices/e1000/e1000.h"

#define RING	 16
#define TX_RING	 0x10000
#define RX_RING	 0x20000
#define TX_BUF	 0x100000
#define RX_BUF	 0x400000
#define RX_STEP	 0x8000
#define OPS	 40
#define FRAME	 2048

static const uint8_t our_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

struct desc {
	uint64_t addr;
	uint32_t lower, upper;
};

static uint32_t tx_tail, rx_tail;
static uint16_t touched[OPS]; /* entries of tables that the trace has written */
static unsigned n_touched;
static bool cut; /* the card adds or strips tags or CRCs */

/* ---- both ---- */

static void start_cards(void)
{
	struct e1000 *e;

	both_start_qemu("e1000,mac=52:54:00:12:34:56", 0x10);
	both.vm = fake_vm_create(BOTH_RAM);
	both.dev = fake_attach(both.vm, &e1000_ops,
			       "io=vcpu,coalesce=off,offload=off,mac=52:54:00:12:34:56");
	if (!both.dev)
		die(EXIT_FAILED, "no card");
	e = both.dev->priv;
	e->tap.fd[0] = both_open_wire();
	e->tap.n = 1;
}

#define WAIT_NS (20 * NSEC_PER_SEC)

/*
 * What comes later than the access that causes it: our card looks at its wire; QEMU's main loop has had a
 * turn, and another, when it has answered twice. It may hold frames back for a second of its clock after a
 * write to RCTL.
 */
static void settle(void)
{
	uint64_t deadline = clock_ns() + WAIT_NS;
	uint32_t head;

	e1000_rx_readable(both.dev->priv, 0);
	head = (uint32_t)fake_read(both.dev, 0, RDH, 4);
	their_value("readl", BOTH_BAR + STATUS);
	while (their_value("readl", BOTH_BAR + RDH) != head && clock_ns() < deadline)
		clock_sleep_ns(20 * NSEC_PER_USEC);
}

static void write_reg(unsigned off, uint32_t value)
{
	both_say("write 0x%04x 0x%08x", off, value);
	fake_write(both.dev, 0, off, 4, value);
	their_order("writel", BOTH_BAR + off, value);
	if (off == RDT || off == RCTL || off == CTRL)
		settle();
}

/* ---- comparing ---- */

/* Bits that are not compared, and why. */
static const struct {
	uint16_t first, last;
	uint32_t bits;
} unlike[] = {
	{STATUS, STATUS, ~0xffu}, /* of a bus and a clock that the card has not */
	/* QEMU's queue is empty also when no descriptor asked for a report; bit 31 is that of later cards. */
	{ICR, ICR, ICR_TXQE | 1u << 31},
	{ICS, ICS, ICR_TXQE},
};

static void compare_reg(unsigned off)
{
	uint32_t ours = (uint32_t)fake_read(both.dev, 0, off, 4),
		 theirs = (uint32_t)their_value("readl", BOTH_BAR + off);
	uint32_t differing = ours ^ theirs;

	both_say("read 0x%04x 0x%08x", off, ours);
	for (size_t i = 0; i < ARRAY_SIZE(unlike); i++)
		if (off >= unlike[i].first && off <= unlike[i].last)
			differing &= ~unlike[i].bits;
	if (differing)
		both_differ("register", off, ours, theirs);
}

#define RX_DD  1u
#define RX_EOP 2u

/* What a descriptor says that is not a frame's last means nothing, but that it is done and its length. */
static void compare_received(void)
{
	struct desc ours[RING], theirs[RING];

	gmem_read(vm_gmem(both.vm), RX_RING, ours, sizeof(ours));
	their_memory(RX_RING, theirs, sizeof(theirs));
	for (unsigned i = 0; i < RING; i++) {
		if (!(ours[i].upper & RX_EOP)) {
			ours[i].upper &= RX_DD;
			theirs[i].upper &= RX_DD | RX_EOP;
		}
		compare_bytes("receive ring", RX_RING + i * sizeof(*ours), &ours[i], &theirs[i],
			      sizeof(*ours));
		/* Where the CRC would be is anything. */
		if (ours[i].upper & RX_DD)
			compare_memory("received data", ours[i].addr,
				    sub_floor(ours[i].lower & 0xffff, E1000_CRC_LEN));
	}
}

/* The payload length of IPv6; a sum of 0, which QEMU writes as its complement wherever it is. */
static bool unlike_byte(const uint8_t *ours, const uint8_t *theirs, size_t i)
{
	static const uint8_t zero[2] = {0, 0}, ones[2] = {0xff, 0xff};

	for (size_t at = i - 1; at <= i; at++)
		if (!memcmp(ours + at, zero, 2) && !memcmp(theirs + at, ones, 2))
			return true;
	return ours[12] == 0x86 && (i == 18 || i == 19);
}

static void compare_rings(void)
{
	static const uint16_t regs[] = {TDH, TDT, RDH, RDT, TCTL, RCTL, IMS};

	for (size_t i = 0; i < ARRAY_SIZE(regs); i++)
		compare_reg(regs[i]);
	compare_memory("transmit ring", TX_RING, RING * sizeof(struct desc));
	compare_received();
	compare_wire(sizeof(struct virtio_net_hdr_mrg_rxbuf), unlike_byte);
}

/* ---- the traces ---- */

static void put_tx(const struct desc *d)
{
	both_memory_write(TX_RING + tx_tail * sizeof(*d), d, sizeof(*d));
	tx_tail = (tx_tail + 1) % RING;
}

static void fill_frame(uint8_t *f, size_t len, const uint8_t to[6])
{
	for (size_t i = 0; i < len; i++)
		f[i] = (uint8_t)rng_next(&both.rng);
	memcpy(f, to, 6);
	f[12] = 0x08;
	f[13] = 0;
}

/* A frame in up to three pieces, legacy or extended, with what checksum and tag its descriptors ask for. */
static void do_transmit(void)
{
	uint8_t frame[FRAME];
	size_t len = 14 + both_below(1500), done = 0;
	unsigned pieces = 1 + both_below(3);
	bool extended = both_below(2);
	uint32_t command = 1u << 25 /* IFCS */ | (both_below(2) ? 1u << 27 : 0) /* RS */ |
			   (both_below(4) ? 0 : 1u << 30) /* VLE */;
	uint32_t options = 0;

	fill_frame(frame, len, our_mac);
	both_memory_write(TX_BUF, frame, len);
	if (extended) {
		uint8_t start = (uint8_t)(34 + both_below(20));
		struct desc c = {(uint64_t)14 | (uint64_t)24 << 8 | (uint64_t)33 << 16 |
					 (uint64_t)start << 32 | (uint64_t)(start + 6 + both_below(10)) << 40,
				 1u << 29 | (both_below(2) ? 1u << 24 : 0), 0};

		put_tx(&c);
		command |= 1u << 29 | 1u << 20;
		options = both_below(4) << 8;
	}
	for (unsigned i = 0; i < pieces; i++) {
		size_t part = i + 1 == pieces ? len - done : (len - done) / 2;
		struct desc d = {TX_BUF + done, command | (uint32_t)part, options | both_below(4096) << 16};

		if (i + 1 == pieces)
			d.lower |= 1u << 24; /* EOP */
		put_tx(&d);
		done += part;
	}
	both_say("%s frame of %zu bytes in %u pieces, command 0x%08x options 0x%04x",
		       extended ? "extended" : "legacy", len, pieces, command, options);
	cut |= command >> 30 & 1;
	write_reg(TDT, tx_tail);
}

/* After a last segment that is full, QEMU sends another with nothing in it. */
static size_t segmented(unsigned hdr, unsigned mss)
{
	size_t payload = 1 + both_below(6000);

	return hdr + payload + (payload % mss == 0);
}

/* TCP over IPv4 or IPv6, cut into segments. */
static void do_segments(void)
{
	uint8_t frame[8192];
	bool v4 = both_below(2);
	unsigned l4 = v4 ? 34 : 54, hdr = l4 + 20, mss = 100 + both_below(1360);
	size_t len = segmented(hdr, mss);
	uint32_t tucmd = 1u << 24 /* TCP */ | (v4 ? 1u << 25 : 0) | 1u << 26 | 1u << 29;
	struct desc c = {14 | (uint64_t)24 << 8 | (uint64_t)(l4 - 1) << 16 | (uint64_t)l4 << 32 |
				 (uint64_t)(l4 + 16) << 40,
			 tucmd | (uint32_t)(len - hdr), hdr << 8 | mss << 16};
	struct desc d = {TX_BUF,
			 1u << 20 | 1u << 24 | 1u << 25 | 1u << 26 | 1u << 27 | 1u << 29 | (uint32_t)len,
			 (v4 ? 3u : 2u) << 8};

	fill_frame(frame, len, our_mac);
	if (!v4) {
		frame[12] = 0x86;
		frame[13] = 0xdd;
	}
	frame[14] = v4 ? 0x45 : 0x60;
	frame[l4 + 12] = 0x50;
	both_memory_write(TX_BUF, frame, len);
	both_say("segments of %u from %zu bytes, IPv%d", mss, len, v4 ? 4 : 6);
	put_tx(&c);
	put_tx(&d);
	write_reg(TDT, tx_tail);
}

/* All buffers that may be given. */
static void do_give(void)
{
	while ((rx_tail + 1) % RING != fake_read(both.dev, 0, RDH, 4)) {
		struct desc d = {RX_BUF + rx_tail * RX_STEP, 0, 0};

		both_memory_write(RX_RING + rx_tail * sizeof(d), &d, sizeof(d));
		rx_tail = (rx_tail + 1) % RING;
	}
	write_reg(RDT, rx_tail);
}

static void do_receive(void)
{
	static const uint8_t to[][6] = {
		{0x52, 0x54, 0, 0x12, 0x34, 0x56}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		{0x33, 0x33, 0, 0, 0, 1}, {0x52, 0x54, 0, 0x12, 0x34, 0x57},
	};
	struct virtio_net_hdr_mrg_rxbuf none = {.hdr = {0}};
	uint8_t frame[sizeof(none) + FRAME], *f = frame + sizeof(none);
	size_t len = 60 + both_below(1470);
	unsigned kind = both_below(ARRAY_SIZE(to));

	do_give();
	memcpy(frame, &none, sizeof(none));
	fill_frame(f, len, to[kind]);
	if (!both_below(3) && len >= 18) {
		f[12] = 0x81;
		f[14] &= 0x0f;
	}
	both_say("frame of %zu bytes arrives, kind %u, type 0x%02x%02x", len, kind, f[12], f[13]);
	both_arrive(frame, sizeof(none), len);
	settle();
}

/* After a write to RCTL QEMU's card waits; this is when it has stopped to. */
static void synchronize(void)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t frame[12 + 60] = {0};

	do_give();
	memcpy(frame + 12, all, 6);
	both_arrive(frame, 12, 60);
	settle();
}

static void do_write(void)
{
	static const struct {
		uint16_t first, n;
		uint32_t always, may;
	} regs[] = {
		{CTRL, 1, CTRL_SLU | 1, CTRL_VME},
		{RCTL, 1, RCTL_EN | RCTL_BAM,
		 RCTL_UPE | RCTL_MPE | RCTL_VFE | RCTL_SECRC | RCTL_LPE | 3u << 12 | 3u << 16},
		{IMS, 1, 0, 0x1ffff},
		{IMC, 1, 0, 0x1ffff},
		{ICS, 1, 0, 0x1ffff},
		{ICR, 1, 0, 0x1ffff},
		{MTA, 32, 0, UINT32_MAX},
		{VFTA, 128, 0, UINT32_MAX},
		{RAL + 8, 30, 0, 0x8003ffff},
		{VET, 1, 0x8100, 0},
	};
	size_t i = both_below(ARRAY_SIZE(regs));
	uint16_t off;

	off = (uint16_t)(regs[i].first + 4 * both_below(regs[i].n));
	write_reg(off, regs[i].always | ((uint32_t)rng_next(&both.rng) & regs[i].may));
	if (regs[i].n > 1)
		touched[n_touched++] = off;
	cut |= regs[i].first == CTRL || regs[i].first == RCTL;
	if (regs[i].first == RCTL)
		synchronize();
}

static void do_read(void)
{
	static const uint16_t regs[] = {CTRL,  STATUS, ICR,   IMS,   ICS, VET,	RCTL, TCTL,
					RDBAL, RDLEN,  TDBAL, TDLEN, TPR, TPT,	TORL, TOTL,
					BPRC,  MPRC,   MPC,   ROC,   RUC, PRC64};

	uint16_t off = regs[both_below(ARRAY_SIZE(regs))];

	/* QEMU's counts no octets of a tag that the card puts in or takes out, or of a CRC that it strips. */
	if (!(cut && (off == TORL || off == TOTL || off == PRC64)))
		compare_reg(off);
}

/* QEMU's card ignores CTRL.RST: what the trace before has left is taken back by hand. */
static void quiet(void)
{
	static const uint16_t zero[] = {RCTL, TCTL, TDH, TDT, RDH, RDT};

	for (size_t i = 0; i < ARRAY_SIZE(zero); i++)
		write_reg(zero[i], 0);
	for (; n_touched; n_touched--)
		write_reg(touched[n_touched - 1], 0);
	write_reg(IMC, UINT32_MAX);
	write_reg(ICR, UINT32_MAX);
	for (unsigned off = STATS_FIRST; off <= STATS_LAST; off += 4) {
		fake_read(both.dev, 0, off, 4);
		their_value("readl", BOTH_BAR + off);
	}
}

static void set_up(void)
{
	static const uint8_t zero[RING * sizeof(struct desc)];

	quiet();
	both_memory_write(TX_RING, zero, sizeof(zero));
	both_memory_write(RX_RING, zero, sizeof(zero));
	write_reg(TDBAL, TX_RING);
	write_reg(TDLEN, RING * sizeof(struct desc));
	write_reg(RDBAL, RX_RING);
	write_reg(RDLEN, RING * sizeof(struct desc));
	write_reg(CTRL, CTRL_SLU | 1);
	write_reg(TCTL, TCTL_EN | TCTL_PSP);
	tx_tail = rx_tail = 0;
	cut = false;
	write_reg(RCTL, RCTL_EN | RCTL_BAM);
	synchronize();
}

static void run_trace(void)
{
	static void (*const ops[])(void) = {do_transmit, do_segments, do_give,  do_give,
					    do_receive,  do_receive,  do_write, do_read};

	set_up();
	for (unsigned i = 0; i < OPS; i++) {
		ops[both_below(ARRAY_SIZE(ops))]();
		compare_rings();
	}
}

const struct card card_e1000 = {"e1000", OPS, start_cards, run_trace};
