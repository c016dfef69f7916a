// SPDX-License-Identifier: MIT
/* Classes 1 to 4: rings, heads, tails, lengths, contexts and registers of the 82540EM. */
#include <string.h>

#include "workloads/micro/hostile.h"

enum { CTRL = 0, RCTL = 0x100, TCTL = 0x400, RX_RING = 0x2800, TX_RING = 0x3800 };
enum { RING_LOW = 0, RING_HIGH = 4, RING_LEN = 8, RING_HEAD = 0x10, RING_TAIL = 0x18 };

#define CTRL_RST 0x04000000u
#define RCTL_ON  0x0400801eu
#define TCTL_ON  0x0004010au
#define ENTRIES  32u
#define LONG_RING 4096u /* takes milliseconds to walk */

struct desc {
	uint64_t addr;
	uint32_t cmd_len, rest;
};

static struct {
	struct pci_dev pci;
	uint64_t regs;
	struct desc *rx, *tx;
	uint8_t *buf;
} e;

static void write_reg(unsigned reg, uint32_t v)
{
	mmio_write32(e.regs + reg, v);
}

static bool fresh_victim(void)
{
	hostile_cases++;
	if (!pci_find(&e.pci, 0x8086, 0x100e))
		return false;
	e.regs = e.pci.bar[0];
	write_reg(CTRL, CTRL_RST);
	e.rx = mem_alloc(ENTRIES * 16, 4096);
	e.tx = mem_alloc(ENTRIES * 16, 4096);
	e.buf = mem_alloc(16384, 4096);
	if (!e.rx || !e.tx || !e.buf)
		return false;
	net_build_arp(e.buf, &hostile_net, false);
	for (unsigned i = 0; i < ENTRIES; i++) {
		e.rx[i] = (struct desc){(uint64_t)e.buf + 8192, 0, 0};
		e.tx[i] = (struct desc){(uint64_t)e.buf, 0x0b000000 | 60, 0};
	}
	return true;
}

static void set_ring(unsigned ring, uint64_t addr, uint32_t len, uint32_t head, uint32_t tail)
{
	write_reg(ring + RING_LOW, (uint32_t)addr);
	write_reg(ring + RING_HIGH, (uint32_t)(addr >> 32));
	write_reg(ring + RING_LEN, len);
	write_reg(ring + RING_HEAD, head);
	write_reg(ring + RING_TAIL, tail);
}

static void run_victim(void)
{
	write_reg(RCTL, RCTL_ON);
	write_reg(TCTL, TCTL_ON);
	write_reg(RX_RING + RING_TAIL, ENTRIES - 1);
	write_reg(TX_RING + RING_TAIL, 5);
	hostile_settle();
}

static void end_case(uint64_t mark)
{
	write_reg(CTRL, CTRL_RST);
	mem_release(mark);
}

static void good_rings(void)
{
	set_ring(RX_RING, (uint64_t)e.rx, ENTRIES * 16, 0, ENTRIES - 1);
	set_ring(TX_RING, (uint64_t)e.tx, ENTRIES * 16, 0, 0);
}

/*
 * Class 1: head and tail inside, at the end, outside, and lengths of nothing, of parts of entries, of too
 * much.
 */
static void odd_rings(void)
{
	static const uint32_t lens[] = {0, 16, 100, ENTRIES * 16, 0xfffff, 0xffffffff};
	static const uint32_t at[] = {0, 1, ENTRIES - 1, ENTRIES, 0xffff, 0xffffffff};
	uint64_t mark = mem_mark();

	for (unsigned i = 0; i < 2 * ARRAY_SIZE(lens) * ARRAY_SIZE(at) * ARRAY_SIZE(at); i++) {
		unsigned n = i / 2, ring = i % 2 ? RX_RING : TX_RING;

		if (!fresh_victim())
			return;
		good_rings();
		if (ring == RX_RING)
			set_ring(ring, (uint64_t)e.rx, lens[n / 36], at[n / 6 % 6], at[n % 6]);
		else
			set_ring(ring, (uint64_t)e.tx, lens[n / 36], at[n / 6 % 6], at[n % 6]);
		write_reg(RCTL, RCTL_ON);
		write_reg(TCTL, TCTL_ON);
		write_reg(ring + RING_TAIL, at[n % 6]);
		if (i % 16 == 0)
			hostile_settle();
		end_case(mark);
	}
}

/* Class 1 again: the tail leaves the ring while the card walks to it. */
static void tail_race(void)
{
	uint64_t mark = mem_mark();

	for (unsigned i = 0; i < 16; i++) {
		struct desc *tx;
		uint64_t end;

		if (!fresh_victim())
			return;
		tx = mem_alloc(LONG_RING * 16, 4096);
		if (!tx)
			return;
		for (unsigned j = 0; j < LONG_RING; j++)
			tx[j] = e.tx[0];
		set_ring(TX_RING, (uint64_t)tx, LONG_RING * 16, 0, 0);
		write_reg(TCTL, TCTL_ON);
		write_reg(TX_RING + RING_TAIL, LONG_RING - 1);
		end = rdtsc() + ns_to_tsc(100000 * i);
		while (rdtsc() < end)
			cpu_relax();
		write_reg(TX_RING + RING_TAIL, i % 2 ? 0xffff : LONG_RING);
		hostile_settle();
		end_case(mark);
	}
}

/* Class 4: rings and buffers where there is no RAM. */
static void rings_elsewhere(void)
{
	uint64_t mark = mem_mark();

	for (unsigned i = 0; i < n_bad_addr * 4; i++) {
		uint64_t bad = bad_addr[i / 4];

		if (!fresh_victim())
			return;
		good_rings();
		if (i % 4 == 0)
			set_ring(RX_RING, bad, ENTRIES * 16, 0, 0);
		else if (i % 4 == 1)
			set_ring(TX_RING, bad, ENTRIES * 16, 0, 0);
		for (unsigned j = 0; i % 4 == 2 && j < ENTRIES; j++)
			e.rx[j].addr = bad;
		for (unsigned j = 0; i % 4 == 3 && j < ENTRIES; j++)
			e.tx[j].addr = bad;
		run_victim();
		end_case(mark);
	}
}

/* Offsets, DEXT, TSE, IP, TCP, payload length; MSS and header length. */
static struct desc odd_context(unsigned i)
{
	uint64_t r = hostile_random(), mss = 0, hdr = i % 2 * 255, offsets = UINT64_MAX;

	if (i % 4)
		mss = r >> 48;
	if (i % 3)
		hdr = r >> 40 & 0xff;
	if (i % 5)
		offsets = r;
	return (struct desc){offsets, (uint32_t)(0x2f000000 | (r & 0xfffff)),
			     (uint32_t)(mss << 16 | hdr << 8)};
}

/* DEXT, TSE, both checksums; the packet ends with the last. */
static struct desc odd_data(bool last)
{
	uint32_t command = last ? 0x2f100000 : 0x2e100000;

	return (struct desc){(uint64_t)e.buf, command | (uint32_t)(hostile_random() & 0x3fff), 0x0300};
}

/*
 * Class 2: contexts of all kinds, each followed by data that uses it, and one changed in the middle of a
 * packet.
 */
static void odd_contexts(void)
{
	uint64_t mark = mem_mark();

	for (unsigned i = 0; i < 96; i++) {
		if (!fresh_victim())
			return;
		good_rings();
		for (unsigned j = 0; j < 6; j++)
			e.tx[j] = j % 3 ? odd_data(j % 3 == 2) : odd_context(i);
		run_victim();
		end_case(mark);
	}
}

/* Class 3: frames for every buffer size, with descriptors at the end of RAM. */
static void receive_sizes(void)
{
	uint64_t mark = mem_mark();

	for (unsigned i = 0; i < 16; i++) {
		if (!fresh_victim())
			return;
		good_rings();
		for (unsigned j = 0; j < ENTRIES; j++)
			e.rx[j].addr = j % 2 ? mem_end() - (i + 1) : (uint64_t)e.buf + 8192;
		write_reg(RCTL, RCTL_ON | (i & 3) << 16 | (i >> 2 & 1) << 25 | (i >> 3) << 5);
		write_reg(TCTL, TCTL_ON);
		write_reg(TX_RING + RING_TAIL, 8);
		hostile_settle();
		end_case(mark);
	}
}

/* Every register, every width, while the card runs. */
static void all_registers(void)
{
	uint64_t mark = mem_mark();

	if (!fresh_victim())
		return;
	good_rings();
	run_victim();
	for (unsigned reg = 0, step; reg < 0x6000; reg += step) {
		step = reg < 0x200 || (reg >= 0x2800 && reg < 0x3900) ? 4 : 36;
		hostile_cases++;
		write_reg(reg, (uint32_t)hostile_random());
		mmio_write8(e.regs + reg + 1, (uint8_t)hostile_random());
		mmio_read16(e.regs + reg + 2);
		mmio_write64(e.regs + reg, hostile_random());
	}
	hostile_settle();
	end_case(mark);
}

const struct hostile_class hostile_e1000[] = {
	{"e1000-rings", E1000_CARD, odd_rings},
	{"e1000-tail-race", E1000_CARD, tail_race},
	{"e1000-elsewhere", E1000_CARD, rings_elsewhere},
	{"e1000-contexts", E1000_CARD, odd_contexts},
	{"e1000-receive", E1000_CARD, receive_sizes},
	{"e1000-registers", E1000_CARD, all_registers},
	{NULL, ANY_CARD, NULL},
};
