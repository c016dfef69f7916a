// SPDX-License-Identifier: MIT
/* The 82540EM in plain memory, its transmit side looped back into its receive side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/fake.h"
#include "tests/unit/held_loop.h"
#include "vmm/devices.h"
#include "vmm/devices/e1000/e1000.h"

#define RING	8
#define TX_RING 0x10000
#define RX_RING 0x20000
#define TX_BUF	0x100000
#define RX_BUF	0x200000
#define RX_STEP 0x8000 /* between receive buffers: room for a canary */
#define CANARY	0xa5

struct desc {
	uint64_t addr;
	uint32_t lower, upper;
};

struct rx_desc {
	uint64_t addr;
	uint16_t len, csum;
	uint8_t status, errors;
	uint16_t vlan;
};

static struct vm *vm;
static struct pci_dev *dev;
static struct gmem *gm;

static uint32_t rd(unsigned off)
{
	return (uint32_t)fake_read(dev, 0, off, 4);
}

static void wr(unsigned off, uint32_t v)
{
	fake_write(dev, 0, off, 4, v);
}

static void rings(uint32_t rctl)
{
	wr(RCTL, 0);
	wr(TCTL, 0);
	wr(TDBAL, TX_RING);
	wr(TDBAH, 0);
	wr(TDLEN, RING * 16);
	wr(TDH, 0);
	wr(TDT, 0);
	wr(RDBAL, RX_RING);
	wr(RDBAH, 0);
	wr(RDLEN, RING * 16);
	wr(RDH, 0);
	wr(RDT, 0);
	for (unsigned i = 0; i < RING; i++) {
		struct rx_desc d = {.addr = RX_BUF + (uint64_t)i * RX_STEP};

		memset(gmem_ptr(gm, d.addr, RX_STEP), CANARY, RX_STEP);
		assert_int_equal(gmem_write(gm, RX_RING + i * 16, &d, 16), 0);
	}
	wr(RCTL, rctl | RCTL_EN | RCTL_LBM | RCTL_UPE | RCTL_BAM | RCTL_SECRC);
	wr(TCTL, TCTL_EN);
	wr(RDT, RING - 1);
}

static int attach(const char *options)
{
	vm = fake_vm_create(16 * MIB);
	dev = fake_attach(vm, &e1000_ops, options);
	gm = vm_gmem(vm);
	assert_non_null(dev);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return attach("mode=e1000,io=vcpu,coalesce=off,mac=52:54:00:00:00:07");
}

static int teardown(void **state)
{
	(void)state;
	fake_vm_destroy(vm);
	return 0;
}

static void put(unsigned slot, uint64_t addr, uint32_t lower, uint32_t upper)
{
	struct desc d = {addr, lower, upper};

	assert_int_equal(gmem_write(gm, TX_RING + slot * 16, &d, 16), 0);
}

static struct rx_desc got(unsigned slot)
{
	struct rx_desc d;

	assert_int_equal(gmem_read(gm, RX_RING + slot * 16, &d, 16), 0);
	return d;
}

#define EOP  (1u << 24)
#define RS   (1u << 27)
#define DEXT (1u << 29)
#define DATA (1u << 20)
#define TSE  (1u << 26)
#define VLE  (1u << 30)

/* ---- registers ---- */

static void test_eeprom_sums_to_baba(void **state)
{
	uint16_t sum = 0;

	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		wr(EERD, i << 8 | 1);
		assert_true(rd(EERD) & 0x10);
		sum = (uint16_t)(sum + (rd(EERD) >> 16));
	}
	assert_int_equal(sum, 0xbaba);
}

/* The driver reads the EEPROM bit by bit through EECD. */
static void test_microwire_reads_the_mac(void **state)
{
	uint16_t word = 0;
	unsigned command = 6 << 6 | 2; /* read word 2: the last two bytes of the address */

	(void)state;
	wr(EECD, 0x40);
	assert_true(rd(EECD) & 0x80);
	wr(EECD, 0x42);
	for (int bit = 8; bit >= 0; bit--) {
		uint32_t di = command >> bit & 1 ? 4 : 0;

		wr(EECD, 0x42 | di);
		wr(EECD, 0x43 | di);
		wr(EECD, 0x42 | di);
	}
	for (int bit = 0; bit < 16; bit++) {
		wr(EECD, 0x43);
		word = (uint16_t)(word << 1 | (rd(EECD) & 8 ? 1 : 0));
		wr(EECD, 0x42);
	}
	assert_int_equal(word, 0x0700);
}

/* The patterns of the driver's offline register test. */
static void test_register_masks(void **state)
{
	static const struct {
		unsigned off;
		uint32_t mask, write;
	} cases[] = {
		{FCAL, 0xffffffff, 0xffffffff},	     {FCAH, 0x0000ffff, 0xffffffff},
		{FCT, 0x0000ffff, 0xffffffff},	     {VET, 0x0000ffff, 0xffffffff},
		{RDTR, 0x0000ffff, 0xffffffff},	     {RDBAH, 0xffffffff, 0xffffffff},
		{RDLEN, 0x000fff80, 0x000fffff},     {RDH, 0x0000ffff, 0x0000ffff},
		{RDT, 0x0000ffff, 0x0000ffff},	     {FCRTH, 0x0000fff8, 0x0000fff8},
		{FCTTV, 0x0000ffff, 0x0000ffff},     {TIPG, 0x3fffffff, 0xffffffff},
		{TDBAH, 0xffffffff, 0xffffffff},     {TDLEN, 0x000fff80, 0x000fffff},
		{RDBAL, 0xfffffff0, 0xffffffff},     {TXCW, 0xc000ffff, 0x0000ffff},
		{TDBAL, 0xfffffff0, 0xffffffff},     {TIDV, 0x0000ffff, 0x0000ffff},
		{RAL + 4, 0x8003ffff, 0xffffffff},   {MTA, 0xffffffff, 0xffffffff},
		{MTA + 508, 0xffffffff, 0xffffffff},
	};
	static const uint32_t pattern[] = {0x5a5a5a5a, 0xa5a5a5a5, 0, 0xffffffff};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(pattern); k++) {
			uint32_t w = pattern[k] & cases[i].write;

			wr(cases[i].off, w);
			if (rd(cases[i].off) != (w & cases[i].mask))
				fail_msg("register %04x: wrote %08x, read %08x, mask %08x",
					 cases[i].off, w, rd(cases[i].off), cases[i].mask);
		}
	}
}

static void test_causes_raise_the_line_only_when_unmasked(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 10; bit++) {
		uint32_t mask = 1u << bit;

		wr(IMC, 0xffffffff);
		wr(ICS, mask);
		assert_false(((struct e1000 *)dev->priv)->line);
		wr(IMS, mask);
		assert_true(((struct e1000 *)dev->priv)->line);
		assert_true(rd(ICR) & mask);
		assert_false(((struct e1000 *)dev->priv)->line);
		assert_int_equal(rd(ICR), 0);
	}
}

/* ---- when the line rises ---- */

#define THROTTLE_NS (100 * NSEC_PER_MSEC)
#define IDE	    (1u << 31)

static int setup_delays(void **state)
{
	(void)state;
	return attach("mode=e1000,io=vcpu,coalesce_us=0,mac=52:54:00:00:00:07");
}

static struct e1000 *card(void)
{
	return dev->priv;
}

struct irq_state {
	bool line;
	uint64_t timer_ns;
};

static struct irq_state irq_now(void)
{
	struct irq_state now;

	pthread_mutex_lock(&card()->irq_lock);
	now = (struct irq_state){card()->line, card()->timer_ns};
	pthread_mutex_unlock(&card()->irq_lock);
	return now;
}

static void await_line(void)
{
	for (int ms = 0; ms < 20000 && !irq_now().line; ms++)
		clock_sleep_ns(NSEC_PER_MSEC);
	assert_true(irq_now().line);
}

static void await_timer(void)
{
	for (int ms = 0; ms < 20000 && irq_now().timer_ns; ms++)
		clock_sleep_ns(NSEC_PER_MSEC);
	assert_int_equal(irq_now().timer_ns, 0);
}

/* ITR (13.4.18): a second interrupt waits, and is one however many causes it has. */
static void test_interrupts_are_throttled(void **state)
{
	uint64_t first = clock_ns();

	(void)state;
	card()->coalesce_ns = THROTTLE_NS;
	wr(IMS, ICR_TXDW | ICR_RXT0);
	wr(ICS, ICR_TXDW);
	assert_true(irq_now().line);
	assert_true(rd(ICR) & ICR_TXDW);
	wr(ICS, ICR_TXDW);
	wr(ICS, ICR_RXT0);
	await_line();
	assert_true(clock_ns() - first >= THROTTLE_NS);
	assert_int_equal(rd(ICR) & (ICR_TXDW | ICR_RXT0), ICR_TXDW | ICR_RXT0);
	assert_false(irq_now().line);
	/* The register's own words: units of 256 ns, the longer of the two holds. */
	first = clock_ns();
	card()->coalesce_ns = 0;
	card()->next_irq_ns = 0;
	wr(ITR, 0xffff);
	wr(ICS, ICR_TXDW);
	assert_true(irq_now().line);
	rd(ICR);
	wr(ICS, ICR_TXDW);
	await_line();
	assert_true(clock_ns() - first >= 0xffff * 256ull);
}

/* What is masked when its time has come raises nothing then, and does when it is unmasked. */
static void test_throttled_and_masked(void **state)
{
	(void)state;
	card()->coalesce_ns = THROTTLE_NS;
	wr(IMS, ICR_TXDW);
	wr(ICS, ICR_TXDW);
	rd(ICR);
	wr(ICS, ICR_TXDW);
	wr(IMC, ICR_TXDW);
	await_timer();
	assert_false(irq_now().line);
	wr(IMS, ICR_TXDW);
	await_line();
}

static void send_one(uint32_t how)
{
	uint32_t slot = rd(TDT);

	put(slot, TX_BUF, 60 | EOP | RS | how, 0);
	wr(TDT, (slot + 1) % RING);
}

/* TIDV and TADV: each packet puts it off, to the absolute limit; who does not ask for it gets it now. */
static void test_delayed_causes(void **state)
{
	uint64_t first;

	(void)state;
	rings(0);
	wr(TIDV, 0xffff);
	wr(IMS, ICR_TXDW);
	send_one(0);
	assert_true(rd(ICR) & ICR_TXDW);
	first = clock_ns();
	send_one(IDE);
	await_line();
	assert_true(clock_ns() - first >= 0xffff * 1024ull);
	rd(ICR);
	wr(TADV, 0x1000);
	first = clock_ns();
	for (int i = 0; i < 3; i++)
		send_one(IDE);
	assert_true(irq_now().timer_ns <= clock_ns() + 0x1000 * 1024ull);
	await_line();
	assert_true(clock_ns() - first >= 0x1000 * 1024ull);
}

static void test_reset_forgets_what_was_delayed(void **state)
{
	(void)state;
	rings(0);
	wr(TIDV, 0xffff);
	wr(IMS, ICR_TXDW);
	send_one(IDE);
	wr(CTRL, CTRL_RST);
	wr(IMS, ICR_TXDW);
	await_timer();
	assert_false(irq_now().line);
	assert_int_equal(rd(ICR) & ICR_TXDW, 0);
}

/* ---- transmit ---- */

static void test_loopback_carries_the_bytes(void **state)
{
	uint8_t *frame = gmem_ptr(gm, TX_BUF, 1000), *back = gmem_ptr(gm, RX_BUF, RX_STEP);
	struct rx_desc d;

	(void)state;
	rings(0);
	for (unsigned i = 0; i < 1000; i++)
		frame[i] = (uint8_t)(i * 7);
	frame[0] = 0xff;
	memset(frame, 0xff, 6);
	put(0, TX_BUF, 600, 0);
	put(1, TX_BUF + 600, 400 | EOP | RS, 0);
	wr(TDT, 2);
	assert_int_equal(rd(TDH), 2);
	d = got(0);
	assert_int_equal(d.len, 1000);
	assert_int_equal(d.status & 3, 3);
	assert_memory_equal(back, frame, 1000);
	assert_int_equal(back[1000], CANARY);
	assert_int_equal(rd(GPTC), 1);
	assert_int_equal(rd(GPRC), 1);
	assert_int_equal(rd(GOTCL), 1004); /* from the first byte through the CRC (13.7) */
	assert_int_equal(rd(GORCL), 1004);
	assert_int_equal(rd(GORCL), 1004); /* it clears with its upper half */
	assert_int_equal(rd(GORCL + 4), 0);
	assert_int_equal(rd(GORCL), 0);
	assert_true(rd(ICR) & ICR_TXDW);
}

/*
 * CVE-2016-1981, 2017-9310, 2021-20257: indices outside the ring, zero lengths, rings of no size.
 */
static void test_every_head_tail_and_length(void **state)
{
	static const uint32_t index[] = {0, 1, RING - 1, RING, RING + 1, 0x7fff, 0xffff};
	static const uint32_t length[] = {0, 0x7f, 0x80, RING * 16, 0xfff80};
	struct e1000 *e = dev->priv;
	uint64_t was;

	(void)state;
	rings(0);
	for (unsigned i = 0; i < RING; i++)
		put(i, TX_BUF, i % 3 ? 0 : 60 | EOP, 0);
	for (size_t l = 0; l < ARRAY_SIZE(length); l++)
		for (size_t h = 0; h < ARRAY_SIZE(index); h++)
			for (size_t t = 0; t < ARRAY_SIZE(index); t++) {
				wr(TDLEN, length[l]);
				wr(RDLEN, length[l]);
				wr(RDH, index[t]);
				wr(RDT, index[h]);
				wr(TDH, index[h]);
				was = e->tx_stats->descs;
				wr(TDT, index[t]);
				/*
				 * It came back: the work was bounded. A head or tail outside the
				 * ring moves nothing.
				 */
				if (MAX(index[h], index[t]) >= (length[l] & 0xfff80) / 16) {
					assert_int_equal(rd(TDH), index[h]);
					assert_int_equal(rd(RDH), index[t]);
					assert_int_equal(e->tx_stats->descs, was);
				}
			}
}

/*
 * The same for the ring that receives, with one that sends well: no frame goes where no descriptor
 * is.
 */
static void test_every_receive_head_tail_and_length(void **state)
{
	static const uint32_t index[] = {0, 1, RING - 1, RING, RING + 1, 0x7fff, 0xffff};
	static const uint32_t length[] = {0, 0x7f, 0x80, RING * 16};
	struct e1000 *e = dev->priv;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(length) * ARRAY_SIZE(index) * ARRAY_SIZE(index); i++) {
		uint32_t l = length[i % ARRAY_SIZE(length)],
			 h = index[i / ARRAY_SIZE(length) % ARRAY_SIZE(index)];
		uint32_t t = index[i / ARRAY_SIZE(length) / ARRAY_SIZE(index)];
		bool fits = MAX(h, t) < (l & 0xfff80) / 16 && h != t;

		rings(0);
		memset(gmem_ptr(gm, TX_BUF, 60), 0xff, 60);
		put(0, TX_BUF, 60 | EOP, 0);
		wr(RDLEN, l);
		wr(RDH, h);
		wr(RDT, t);
		e1000_set(e, MPC, 0);
		wr(TDT, 1);
		assert_int_equal(rd(TDH), 1);
		assert_int_equal(rd(RDH), fits ? (h + 1) % RING : h);
		assert_int_equal(e1000_get(e, MPC), !fits);
	}
}

static void *keep_ahead(void *arg)
{
	struct e1000 *e = arg;

	while (e1000_get(e, TCTL) & TCTL_EN)
		e1000_set(e, TDT, (e1000_get(e, TDH) + RING / 2) % RING);
	return NULL;
}

/* Another vCPU moves the tail as fast as the card follows: a kick ends all the same. */
static void test_tail_that_runs_away(void **state)
{
	uint64_t end = clock_ns() + 5 * NSEC_PER_SEC; /* as far as a busy machine gets */
	struct e1000 *e = dev->priv;
	pthread_t racer;

	(void)state;
	rings(0);
	for (unsigned i = 0; i < RING; i++)
		put(i, TX_BUF, 60 | EOP, 0);
	assert_int_equal(pthread_create(&racer, NULL, keep_ahead, e), 0);
	for (uint64_t was = 0; was < 10000 && clock_ns() < end; was = e->tx_stats->descs) {
		e1000_tx_run(e);
		assert_in_range(e->tx_stats->descs - was, 0, RING);
		if (e->tx_stats->descs == was)
			sched_yield();
	}
	e1000_set(e, TCTL, 0);
	pthread_join(racer, NULL);
}

static void *set_phy_loopback(void *arg)
{
	(void)arg;
	wr(MDIC, 1u << 26 | 1u << 21 | 0x4000); /* write PHY register 0 */
	return NULL;
}

/*
 * In loopback the receive ring is the transmitter's: it may not begin while the thread of the TAP is in the
 * middle of a frame, whichever register asks for it.
 */
static void test_phy_loopback_waits_for_the_receiver(void **state)
{
	struct e1000 *e = dev->priv;
	struct held_loop held;
	pthread_t vcpu;
	bool early;

	(void)state;
	loop_hold(&held, e->loop);
	assert_int_equal(pthread_create(&vcpu, NULL, set_phy_loopback, NULL), 0);
	clock_sleep_ns(50 * NSEC_PER_MSEC);
	early = e1000_loopback(e);
	loop_release(&held);
	pthread_join(vcpu, NULL);
	loop_forget(&held);
	assert_false(early);
	assert_true(e1000_loopback(e));
}

/* More pieces than a packet may have: it is dropped, and the next one is sent. */
static void test_packet_of_many_pieces(void **state)
{
	struct e1000 *e = dev->priv;

	(void)state;
	for (unsigned n = TX_SEGS - 1; n < 4 * TX_SEGS; n += n < TX_SEGS + 2 ? 1 : 50) {
		uint64_t dropped = e->tx_stats->bad;

		rings(0);
		wr(TDLEN, 512 * 16);
		for (unsigned i = 0; i < n; i++)
			put(i, TX_BUF + i, 1 | (i + 1 == n ? EOP | RS : 0), 0);
		put(n, TX_BUF, 60 | EOP | RS, 0);
		wr(TDT, n + 1);
		assert_int_equal(e->tx_stats->bad - dropped, n > TX_SEGS);
		assert_int_equal(rd(TDH), n + 1);
	}
}

static void context(unsigned slot, uint8_t ipcss, uint8_t tucss, uint8_t tucso, uint8_t hdr_len,
		    uint16_t mss, bool tse)
{
	uint8_t d[16] = {ipcss, (uint8_t)(ipcss + 10), (uint8_t)(tucss - 1), 0, tucss, tucso, 0, 0};
	uint32_t cmd = DEXT | (tse ? TSE : 0) | 1u << 24 /* TCP */ | 1u << 25 /* IPv4 */;

	memcpy(d + 8, &cmd, 4);
	d[13] = hdr_len;
	memcpy(d + 14, &mss, 2);
	assert_int_equal(gmem_write(gm, TX_RING + slot * 16, d, 16), 0);
}

static void tcp_frame(uint8_t *f, size_t payload)
{
	memset(f, 0, 54);
	memset(f, 0xff, 6);
	f[12] = 8;
	f[14] = 0x45;
	f[23] = 6;
	f[26] = 10;
	f[30] = 10;
	f[33] = 1;
	f[46] = 0x50;
	f[47] = 0x19; /* ACK, PSH, FIN */
	for (size_t i = 0; i < payload; i++)
		f[54 + i] = (uint8_t)(i * 13);
	/* The driver leaves the pseudo header's sum without the length. */
	uint16_t sum = e1000_checksum(f + 26, 8, 6);

	f[50] = (uint8_t)(sum >> 8);
	f[51] = (uint8_t)sum;
}

static void test_tso_cuts_and_sums(void **state)
{
	const size_t payload = 3000, mss = 1400;
	uint8_t *f = gmem_ptr(gm, TX_BUF, 8192);
	size_t seen = 0;

	(void)state;
	rings(0);
	tcp_frame(f, payload);
	context(0, 14, 34, 50, 54, mss, true);
	put(1, TX_BUF, (uint32_t)(54 + payload) | DATA | DEXT | TSE | EOP | RS, 0x300);
	wr(TDT, 2);
	for (unsigned i = 0; i < 3; i++) {
		struct rx_desc d = got(i);
		size_t want = MIN(mss, payload - seen);
		uint8_t *s = gmem_ptr(gm, RX_BUF + (uint64_t)i * RX_STEP, RX_STEP);
		uint32_t pseudo = 6 + (uint32_t)(20 + want);

		assert_int_equal(d.len, 54 + want);
		assert_int_equal(s[16] << 8 | s[17], 40 + want);
		assert_int_equal(s[18] << 8 | s[19], i);
		assert_int_equal(e1000_checksum(s + 14, 20, 0), 0xffff);
		assert_int_equal(
			e1000_checksum(s + 34, 20 + want, e1000_checksum(s + 26, 8, pseudo)),
			0xffff);
		assert_int_equal(s[40] << 8 | s[41], seen);
		assert_int_equal(s[47] & 0x09, i == 2 ? 0x09 : 0);
		assert_memory_equal(s + 54, f + 54 + seen, want);
		seen += want;
	}
	assert_int_equal(got(3).status, 0);
	assert_int_equal(rd(GPTC), 3);
	assert_int_equal(rd(GOTCL), payload + 3 * (54 + 4));
}

/*
 * CVE-2019-5609, 2022-23087: any context must end without a byte out of place (ASan is the judge).
 */
static void test_sweep_of_offload_contexts(void **state)
{
	static const uint8_t hdr[] = {0, 13, 14, 53, 54, 74, 128, 255},
			     ip[] = {0, 13, 14, 34, 235, 255};
	static const uint8_t tcp[] = {0, 14, 34, 35, 52, 54, 235, 255};
	static const uint32_t len[] = {0, 13, 14, 54, 55, 1514, 9000, TX_FRAME_MAX - 100, 65535};
	/* The last two leave one byte for the last frame of the longest packet. */
	static const uint16_t mss[] = {
		0, 1, 536, 1460, 0xffff, TX_FRAME_MAX - 54 - 1, TX_FRAME_MAX - 14 - 1};
	const unsigned n = ARRAY_SIZE(hdr) * ARRAY_SIZE(ip) * ARRAY_SIZE(tcp) * ARRAY_SIZE(mss);

	(void)state;
	wr(CTRL, rd(CTRL) | CTRL_VME);
	tcp_frame(gmem_ptr(gm, TX_BUF, 66000), 65000);
	for (unsigned i = 0; i < n * ARRAY_SIZE(len); i++) {
		uint8_t h = hdr[i % 8], s = ip[i / 8 % 6], t = tcp[i / 48 % 8];
		uint16_t m = mss[i / 384 % 7];
		uint32_t l = len[i / n], vle = i % 2 ? VLE : 0, tse = i % 3 ? TSE : 0;

		if (m == 1 && l > 1514) /* many frames, nothing new */
			continue;
		rings(0);
		context(0, s, t, i % 5 ? (uint8_t)(t + 16) : t, h, m, tse);
		put(1, TX_BUF, l | DATA | DEXT | tse, 0x300);
		if (i % 4 == 3) /* the context changes in mid-packet */
			context(2, t, s, h, t, 1460, tse);
		else
			put(2, 0, DATA | DEXT | tse, 0x300);
		put(3, TX_BUF, 100 | DATA | DEXT | EOP | tse | vle, 0x300 | 5u << 16);
		wr(TDT, 4);
		assert_int_equal(rd(TDH), 4);
	}
}

/*
 * The longest packet, one byte of it for the last frame, and a TCP header that ends behind the
 * header.
 */
static void test_headers_behind_the_longest_packet(void **state)
{
	const uint8_t hdr = 54;
	struct e1000 *e = dev->priv;

	(void)state;
	tcp_frame(gmem_ptr(gm, TX_BUF, 66000), 65000);
	for (uint8_t tucss = hdr - 22; tucss < hdr; tucss++) {
		uint64_t refused = e->tx_stats->bad;

		rings(0);
		context(0, 14, tucss, tucss, hdr, TX_FRAME_MAX - hdr - 1, true);
		put(1, TX_BUF, (TX_FRAME_MAX - 1) | DATA | DEXT | TSE, 0x300);
		put(2, TX_BUF, 1 | DATA | DEXT | TSE | EOP | RS, 0x300);
		wr(TDT, 3);
		assert_int_equal(e->tx_stats->bad - refused, tucss < 34 || tucss + 20 > hdr);
	}
}

/* CVE-2021-3416 and kin: buffers and rings on the device's own registers reach nothing. */
static void test_dma_reaches_ram_only(void **state)
{
	static const uint64_t bad[] = {0xfee00000, 0xfec00000,	  0xb0000000,
				       16 * MIB,   16 * MIB - 30, UINT64_MAX - 10};
	struct e1000 *e = dev->priv;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad) + 1; i++) {
		uint64_t at = i < ARRAY_SIZE(bad) ? bad[i] : dev->bar[0].base + TDT,
			 dropped = e->tx_stats->bad;

		rings(0);
		put(0, at, 60 | EOP | RS, 0);
		wr(TDT, 1);
		assert_int_equal(e->tx_stats->bad, dropped + 1);
		assert_int_equal(got(0).status, 0);
		wr(TDBAL, (uint32_t)at & ~0xfu);
		wr(TDBAH, (uint32_t)(at >> 32));
		wr(RDBAL, (uint32_t)at & ~0xfu);
		wr(RDBAH, (uint32_t)(at >> 32));
		wr(TDH, 0);
		wr(TDT, 3);
	}
}

/* ---- receive ---- */

/* CVE-2012-6075: frames of every size into buffers of every size; not a byte behind a buffer. */
static void test_receive_sizes(void **state)
{
	static const struct {
		uint32_t rctl, size;
	} sizes[] = {
		{0, 2048},
		{1u << 16, 1024},
		{2u << 16, 512},
		{3u << 16, 256},
		{RCTL_BSEX | 1u << 16, 16384},
		{RCTL_BSEX | 2u << 16, 8192},
		{RCTL_BSEX | 3u << 16, 4096},
	};
	static const uint32_t len[] = {14,   59,   60,	 61,   255,  256,   257,   1023, 1514,
				       1518, 1522, 1523, 2048, 9000, 16384, 16385, 65535};

	(void)state;
	memset(gmem_ptr(gm, TX_BUF, 65536), 0xff, 65536);
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++)
		for (size_t l = 0; l < ARRAY_SIZE(len); l++)
			for (unsigned lpe = 0; lpe < 2; lpe++) {
				size_t total = 0;

				rings(sizes[s].rctl | (lpe ? RCTL_LPE : 0));
				put(0, TX_BUF, (len[l] & 0xffff) | EOP | RS, 0);
				wr(TDT, 1);
				for (unsigned i = 0; i < RING; i++) {
					struct rx_desc d = got(i);
					uint8_t *b = gmem_ptr(gm, RX_BUF + (uint64_t)i * RX_STEP,
							      RX_STEP);

					assert_true(d.len <= sizes[s].size);
					for (unsigned k = d.len; k < RX_STEP; k++)
						assert_int_equal(b[k], CANARY);
					total += d.len;
				}
				if (len[l] > (lpe ? 16384 : 1522))
					assert_int_equal(total, 0);
				else
					assert_true(total == MAX(len[l], 60u) || total == 0);
			}
}

static void send_broadcastish(const uint8_t *mac)
{
	uint8_t *f = gmem_ptr(gm, TX_BUF, 64);

	memset(f, 0, 64);
	memcpy(f, mac, 6);
	put(0, TX_BUF, 64 | EOP | RS, 0);
	wr(TDH, 0);
	wr(TDT, 1);
}

static void test_filters(void **state)
{
	static const uint8_t ours[6] = {0x52, 0x54, 0, 0, 0, 7},
			     other[6] = {0x52, 0x54, 0, 0, 0, 8};
	static const uint8_t multicast[6] = {1, 0, 0x5e, 0, 0, 1},
			     broadcast[6] = {255, 255, 255, 255, 255, 255};
	const struct {
		const uint8_t *mac;
		uint32_t rctl;
		bool mta, taken;
	} cases[] = {
		{ours, 0, false, true},
		{other, 0, false, false},
		{other, RCTL_UPE, false, true},
		{broadcast, 0, false, false},
		{broadcast, RCTL_BAM, false, true},
		{multicast, 0, false, false},
		{multicast, 0, true, true},
		{multicast, RCTL_MPE, false, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned hash = (1u << 8 | 0) >> 4;

		rings(0);
		wr(RCTL, RCTL_EN | RCTL_LBM | RCTL_SECRC | cases[i].rctl);
		wr(MTA + 4 * (hash >> 5), cases[i].mta ? 1u << (hash & 31) : 0);
		send_broadcastish(cases[i].mac);
		if ((got(0).status & 1) != cases[i].taken)
			fail_msg("case %zu: %s", i, cases[i].taken ? "not taken" : "taken");
	}
}

static void test_vlan_is_stripped_into_the_descriptor(void **state)
{
	uint8_t *f = gmem_ptr(gm, TX_BUF, 100);
	struct rx_desc d;

	(void)state;
	rings(0);
	wr(CTRL, rd(CTRL) | CTRL_VME);
	memset(f, 0x11, 100);
	memset(f, 0xff, 6);
	put(0, TX_BUF, 100 | EOP | RS | VLE, 77u << 16);
	wr(TDT, 1);
	d = got(0);
	assert_int_equal(d.len, 100);
	assert_int_equal(d.vlan, 77);
	assert_true(d.status & 8);
	assert_memory_equal(gmem_ptr(gm, RX_BUF, 100), f, 100);
}

/* ---- a socket for a TAP ---- */

static int plug(struct e1000 *e)
{
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sv), 0);
	e->tap.fd[0] = sv[0];
	e->tap.n = 1;
	return sv[1];
}

static void unplug(struct e1000 *e, int peer)
{
	e->tap.n = 0;
	close_fd(&e->tap.fd[0]);
	close(peer);
}

static void *flood(void *arg)
{
	static const uint8_t frame[12 + 60];

	while (send(*(int *)arg, frame, sizeof(frame), MSG_NOSIGNAL) > 0)
		;
	return NULL;
}

/*
 * The card stops to look at its TAP for want of buffers while the driver gives some: a driver that
 * waits for frames does not move the tail again.
 */
static void test_buffers_given_while_the_card_stops_to_look(void **state)
{
	struct e1000 *e = dev->priv;
	uint64_t seen = clock_ns();
	pthread_t sender;
	int peer = plug(e);

	(void)state;
	fcntl(peer, F_SETFL, 0);
	assert_int_equal(evloop_add(e->loop, e->tap.fd[0], 0, e1000_rx_readable, e), 0);
	rings(0);
	wr(RCTL, RCTL_EN | RCTL_UPE);
	assert_int_equal(pthread_create(&sender, NULL, flood, &peer), 0);
	for (unsigned i = 0; i < 100000 && clock_ns() - seen < 2 * NSEC_PER_SEC;) {
		uint8_t *status = gmem_ptr(gm, RX_RING + i % RING * 16 + 12, 1);

		if (!(__atomic_load_n(status, __ATOMIC_ACQUIRE) & 1))
			continue;
		*status = 0;
		if (++i % (RING - 1) == 0) /* all of them, when the card has just run out */
			wr(RDT, (i - 1) % RING);
		seen = clock_ns();
	}
	assert_in_range(clock_ns() - seen, 0, NSEC_PER_SEC);
	evloop_del(e->loop, e->tap.fd[0]);
	shutdown(peer, SHUT_RDWR);
	pthread_join(sender, NULL);
	unplug(e, peer);
}

/*
 * CVE-2012-6075 once more: without RCTL.LPE a driver's buffers have 1522 bytes, whatever RCTL
 * calls their size.
 */
static void test_jumbo_into_a_small_buffer(void **state)
{
	static const uint32_t len[] = {60, 1514, 1518, 1519, 1522, 1600, 2044, 2048, 9000};
	struct e1000 *e = dev->priv;
	static uint8_t frame[12 + 9000];
	int peer = plug(e);

	(void)state;
	memset(frame, 0, 12);
	memset(frame + 12, 0xff, sizeof(frame) - 12);
	for (size_t i = 0; i < ARRAY_SIZE(len); i++) {
		const uint8_t *b = gmem_ptr(gm, RX_BUF, RX_STEP);

		rings(0);
		wr(RCTL, RCTL_EN | RCTL_UPE | RCTL_BAM); /* 2 KiB buffers, CRC left on */
		assert_int_equal(send(peer, frame, 12 + len[i], 0), 12 + len[i]);
		e1000_rx_readable(e, 0);
		for (unsigned k = 1522; k < RX_STEP; k++)
			assert_int_equal(b[k], CANARY);
		assert_int_equal(got(0).status & 1, len[i] <= 1518);
	}
	unplug(e, peer);
}

/*
 * What goes to the host's kernel as a segmentation request is about the headers that are there
 * (CVE-2024-43897).
 */
static void test_segmentation_request_fits_its_headers(void **state)
{
	static const struct {
		const char *what;
		uint8_t at, val, ipcss, tucss, tucso;
		bool kernel;
	} cases[] = {
		{"as it should be", 14, 0x45, 14, 34, 50, true},
		{"IP options in the header, none in the context", 14, 0x46, 14, 34, 50, false},
		{"options in the context, none in the header", 14, 0x45, 14, 38, 54, false},
		{"IPv6 in the frame, IPv4 in the context", 12, 0x86, 14, 34, 50, false},
		{"UDP in the header, TCP in the context", 23, 17, 14, 34, 50, false},
		{"the checksum at another place than TCP's", 14, 0x45, 14, 34, 46, false},
	};
	struct e1000 *e = dev->priv;
	static uint8_t out[70000];
	int peer = plug(e);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t *f = gmem_ptr(gm, TX_BUF, 8192);
		unsigned gso = 0;

		rings(0);
		wr(RCTL, RCTL_EN | RCTL_UPE);
		tcp_frame(f, 3000);
		f[cases[i].at] = cases[i].val;
		context(0, cases[i].ipcss, cases[i].tucss, cases[i].tucso, 58, 1400, true);
		put(1, TX_BUF, 3054 | DATA | DEXT | TSE | EOP | RS, 0x300);
		wr(TDT, 2);
		while (recv(peer, out, sizeof(out), 0) > 0)
			gso += out[1] != 0;
		if (gso != cases[i].kernel)
			fail_msg("%s: %s", cases[i].what,
				 gso ? "sent to the kernel" : "not sent to the kernel");
	}
	unplug(e, peer);
}

/* The place of a checksum that the kernel is asked for lies in the frame. */
static void test_checksum_request_fits_its_frame(void **state)
{
	struct e1000 *e = dev->priv;
	static uint8_t out[2048];
	int peer = plug(e);

	(void)state;
	for (unsigned len = 40; len < 60; len++) {
		bool asked = false;

		rings(0);
		wr(RCTL, RCTL_EN | RCTL_UPE);
		tcp_frame(gmem_ptr(gm, TX_BUF, 4096), 0);
		context(0, 14, 34, 50, 0, 0, false);
		put(1, TX_BUF, len | DATA | DEXT | EOP | RS, 0x200);
		wr(TDT, 2);
		while (recv(peer, out, sizeof(out), 0) > 0)
			asked |= out[0] & 1;
		assert_int_equal(asked, len >= 52);
	}
	unplug(e, peer);
}

/* A ring can ask for billions of frames: a kick makes so many, and the rest waits. */
static void test_bounded_work_for_segments_of_one_byte(void **state)
{
	struct e1000 *e = dev->priv;

	(void)state;
	rings(0);
	wr(RCTL, RCTL_LBM);
	tcp_frame(gmem_ptr(gm, TX_BUF, 65536), 65000);
	context(0, 14, 34, 50, 54, 1, true);
	for (unsigned i = 1; i < RING; i++)
		put(i, TX_BUF, 65535 | DATA | DEXT | TSE | EOP | RS, 0x300);
	wr(TDT, RING - 1);
	assert_in_range(rd(TDH), 4, RING - 2);
	assert_in_range(e->tx_frames, 1, 0x60000);
	wr(TDT, RING - 1);
	assert_int_equal(rd(TDH), RING - 1);
}

static void test_odd_accesses(void **state)
{
	(void)state;
	for (unsigned off = 0; off < E1000_BAR_SIZE; off += 61)
		for (unsigned len = 1; len <= 8; len *= 2)
			if (off + len <= E1000_BAR_SIZE) {
				fake_read(dev, 0, off & ~(len - 1), len);
				fake_write(dev, 0, off & ~(len - 1), len, UINT64_MAX);
			}
	for (uint32_t at = 0; at < 0x20010; at += 0x101) {
		fake_write(dev, 1, 0, 4, at);
		fake_read(dev, 1, 4, 4);
		fake_write(dev, 1, 4, 4, at);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define D(f) cmocka_unit_test_setup_teardown(f, setup_delays, teardown)
	const struct CMUnitTest tests[] = {
		T(test_eeprom_sums_to_baba),
		T(test_microwire_reads_the_mac),
		T(test_register_masks),
		T(test_causes_raise_the_line_only_when_unmasked),
		T(test_loopback_carries_the_bytes),
		T(test_phy_loopback_waits_for_the_receiver),
		T(test_every_head_tail_and_length),
		T(test_every_receive_head_tail_and_length),
		T(test_tail_that_runs_away),
		T(test_packet_of_many_pieces),
		T(test_tso_cuts_and_sums),
		T(test_sweep_of_offload_contexts),
		T(test_headers_behind_the_longest_packet),
		T(test_dma_reaches_ram_only),
		T(test_receive_sizes),
		T(test_filters),
		T(test_vlan_is_stripped_into_the_descriptor),
		T(test_buffers_given_while_the_card_stops_to_look),
		T(test_jumbo_into_a_small_buffer),
		T(test_segmentation_request_fits_its_headers),
		T(test_checksum_request_fits_its_frame),
		T(test_bounded_work_for_segments_of_one_byte),
		T(test_odd_accesses),
		D(test_interrupts_are_throttled),
		D(test_throttled_and_masked),
		D(test_delayed_causes),
		D(test_reset_forgets_what_was_delayed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
