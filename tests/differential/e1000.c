// SPDX-License-Identifier: MIT
/*
 * Our e1000 beside QEMU's: one trace of register accesses, descriptors in memory and frames on the wire is
 * done to both, ours on the unit tests' machine, QEMU's over qtest. What each register read gives, where the
 * rings are, what their descriptors say, the data of received frames and the frames that were sent are
 * compared. What differs on purpose is in the tables below, each with its reason, and in docs/vmm.md.
 *
 *   differential [-v] [FIRST [TRACES]]      traces are numbered by their seed
 *
 * Exit status 1: they differ; the line says in which trace, and the trace before it with -v.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "tests/unit/fake.h"
#include "vmm/devices.h"
#include "vmm/devices/e1000/e1000.h"

#define RAM_MIB	 16
#define BAR0	 0xfeb00000u /* of QEMU's card, where no firmware has been */
#define SLOT	 3
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

static bool verbose;
static struct vm *vm;
static struct pci_dev *dev;
static int our_wire, their_wire, qtest;
static struct rng rng;
static unsigned long trace;
static uint32_t tx_tail, rx_tail;
static uint16_t touched[OPS]; /* entries of tables that the trace has written */
static unsigned n_touched;
static bool cut; /* the card adds or strips tags or CRCs */

static unsigned below(unsigned n)
{
	return (unsigned)(rng_next(&rng) % n);
}

/* ---- QEMU ---- */

static char answer[2 * 65536 + 64];

static void ask(const char *command)
{
	size_t n = 0;

	if (write(qtest, command, strlen(command)) != (ssize_t)strlen(command))
		die(EXIT_FAILED, "qtest: %s", strerror(errno));
	do {
		ssize_t got = read(qtest, answer + n, sizeof(answer) - 1 - n);

		if (got <= 0)
			die(EXIT_FAILED, "qtest: QEMU is gone");
		n += (size_t)got;
	} while (answer[n - 1] != '\n');
	answer[n] = '\0';
	if (strncmp(answer, "OK", 2) != 0)
		die(EXIT_FAILED, "qtest: %s: %s", command, answer);
}

static uint64_t ask_value(const char *command, uint64_t addr)
{
	char line[64];

	snprintf(line, sizeof(line), "%s 0x%" PRIx64 "\n", command, addr);
	ask(line);
	return strtoull(answer + 3, NULL, 0);
}

static void tell(const char *command, uint64_t addr, uint64_t value)
{
	char line[80];

	snprintf(line, sizeof(line), "%s 0x%" PRIx64 " 0x%" PRIx64 "\n", command, addr, value);
	ask(line);
}

static void their_config(unsigned off, uint32_t value)
{
	tell("outl", 0xcf8, 0x80000000u | SLOT << 11 | off);
	tell("outl", 0xcfc, value);
}

/* Its processor halts at its first instruction, and leaves the machine to us. */
static int still_firmware(void)
{
	uint8_t halts[65536];
	int fd = memfd_create("firmware", 0);

	memset(halts, 0xf4, sizeof(halts));
	if (fd < 0 || write(fd, halts, sizeof(halts)) != sizeof(halts))
		die(EXIT_FAILED, "firmware: %s", strerror(errno));
	return fd;
}

static void start_qemu(void)
{
	char *argv[] = {(char *)"qemu-system-x86_64", (char *)"-machine", (char *)"q35,accel=tcg",
			/* Its clock goes on to the next timer at once. */
			(char *)"-icount", (char *)"shift=0,sleep=off", (char *)"-nodefaults",
			(char *)"-bios", (char *)"/dev/fd/5", (char *)"-display", (char *)"none",
			(char *)"-m", (char *)"16M", (char *)"-chardev", (char *)"socket,id=q,fd=3",
			(char *)"-qtest", (char *)"chardev:q", (char *)"-qtest-log", (char *)"none",
			(char *)"-netdev", (char *)"dgram,id=n,local.type=fd,local.str=4", (char *)"-device",
			(char *)"e1000,netdev=n,addr=3,mac=52:54:00:12:34:56,romfile=", NULL};
	int control[2], wire[2], firmware = still_firmware();

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, control) || socketpair(AF_UNIX, SOCK_DGRAM, 0, wire))
		die(EXIT_FAILED, "socketpair: %s", strerror(errno));
	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Out of the way of 3 to 5 first. */
		control[1] = fcntl(control[1], F_DUPFD, 10);
		wire[1] = fcntl(wire[1], F_DUPFD, 10);
		firmware = fcntl(firmware, F_DUPFD, 10);
		dup2(control[1], 3);
		dup2(wire[1], 4);
		dup2(firmware, 5);
		close_range(6, UINT32_MAX, 0);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(control[1]);
	close(wire[1]);
	close(firmware);
	qtest = control[0];
	their_wire = wire[0];
	their_config(0x10, BAR0);
	their_config(0x04, 0x7);
}

/* ---- both ---- */

static void start_ours(void)
{
	struct e1000 *e;
	int wire[2];

	vm = fake_vm_create(RAM_MIB * MIB);
	dev = fake_attach(vm, &e1000_ops, "io=vcpu,coalesce=off,offload=off,mac=52:54:00:12:34:56");
	if (!dev || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, wire))
		die(EXIT_FAILED, "no card");
	e = dev->priv;
	e->tap.fd[0] = wire[1];
	e->tap.n = 1;
	our_wire = wire[0];
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

	e1000_rx_readable(dev->priv, 0);
	head = (uint32_t)fake_read(dev, 0, RDH, 4);
	ask_value("readl", BAR0 + STATUS);
	while (ask_value("readl", BAR0 + RDH) != head && clock_ns() < deadline)
		clock_sleep_ns(20 * NSEC_PER_USEC);
}

static void write_reg(unsigned off, uint32_t value)
{
	if (verbose)
		printf("  write 0x%04x 0x%08x\n", off, value);
	fake_write(dev, 0, off, 4, value);
	tell("writel", BAR0 + off, value);
	if (off == RDT || off == RCTL || off == CTRL)
		settle();
}

static void write_mem(uint64_t gpa, const void *data, size_t len)
{
	static char line[2 * 65536 + 64];
	size_t n = (size_t)snprintf(line, sizeof(line), "write 0x%" PRIx64 " 0x%zx 0x", gpa, len);

	gmem_write(vm_gmem(vm), gpa, data, len);
	for (size_t i = 0; i < len; i++)
		n += (size_t)snprintf(line + n, 3, "%02x", ((const uint8_t *)data)[i]);
	strcpy(line + n, "\n");
	ask(line);
}

/* ---- comparing ---- */

static _Noreturn void differ(const char *what, uint64_t at, uint64_t ours, uint64_t theirs)
{
	die(EXIT_FAILED, "trace %lu: %s 0x%" PRIx64 ": ours 0x%" PRIx64 ", QEMU's 0x%" PRIx64, trace, what,
	    at, ours, theirs);
}

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
	uint32_t ours = (uint32_t)fake_read(dev, 0, off, 4),
		 theirs = (uint32_t)ask_value("readl", BAR0 + off);
	uint32_t differing = ours ^ theirs;

	if (verbose)
		printf("  read 0x%04x 0x%08x\n", off, ours);
	for (size_t i = 0; i < ARRAY_SIZE(unlike); i++)
		if (off >= unlike[i].first && off <= unlike[i].last)
			differing &= ~unlike[i].bits;
	if (differing)
		differ("register", off, ours, theirs);
}

static void read_theirs(uint64_t gpa, uint8_t *data, size_t len)
{
	char line[64];

	if (!len)
		return;
	snprintf(line, sizeof(line), "read 0x%" PRIx64 " 0x%zx\n", gpa, len);
	ask(line);
	for (size_t i = 0; i < len; i++) {
		char two[3] = {answer[5 + 2 * i], answer[6 + 2 * i], '\0'};

		data[i] = (uint8_t)strtoul(two, NULL, 16);
	}
}

static void compare_bytes(const char *what, uint64_t at, const void *ours, const void *theirs, size_t len)
{
	const uint8_t *a = ours, *b = theirs;

	for (size_t i = 0; i < len; i++)
		if (a[i] != b[i])
			differ(what, at + i, a[i], b[i]);
}

static void compare_mem(const char *what, uint64_t gpa, size_t len)
{
	static uint8_t theirs[65536];

	read_theirs(gpa, theirs, len);
	if (len)
		compare_bytes(what, gpa, gmem_ptr(vm_gmem(vm), gpa, len), theirs, len);
}

#define RX_DD  1u
#define RX_EOP 2u

/* What a descriptor says that is not a frame's last means nothing, but that it is done and its length. */
static void compare_received(void)
{
	struct desc ours[RING], theirs[RING];

	gmem_read(vm_gmem(vm), RX_RING, ours, sizeof(ours));
	read_theirs(RX_RING, (uint8_t *)theirs, sizeof(theirs));
	for (unsigned i = 0; i < RING; i++) {
		if (!(ours[i].upper & RX_EOP)) {
			ours[i].upper &= RX_DD;
			theirs[i].upper &= RX_DD | RX_EOP;
		}
		compare_bytes("receive ring", RX_RING + i * sizeof(*ours), &ours[i], &theirs[i],
			      sizeof(*ours));
		/* Where the CRC would be is anything. */
		if (ours[i].upper & RX_DD)
			compare_mem("received data", ours[i].addr,
				    sub_floor(ours[i].lower & 0xffff, E1000_CRC_LEN));
	}
}

static size_t next_frame(int wire, uint8_t *frame, size_t skip)
{
	static uint8_t raw[70000];
	ssize_t n = recv(wire, raw, sizeof(raw), MSG_DONTWAIT);

	if (n < (ssize_t)skip)
		return 0;
	memcpy(frame, raw + skip, (size_t)n - skip);
	return (size_t)n - skip;
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

static void compare_wire(void)
{
	static uint8_t ours[70000], theirs[70000];

	for (unsigned k = 0;; k++) {
		size_t n = next_frame(our_wire, ours, sizeof(struct virtio_net_hdr_mrg_rxbuf));
		size_t m = next_frame(their_wire, theirs, 0);

		if (n != m)
			differ("length of sent frame", k, n, m);
		if (!n)
			return;
		if (verbose)
			printf("  sent %zu bytes\n", n);
		for (size_t i = 0; i < n; i++)
			if (ours[i] != theirs[i] && !unlike_byte(ours, theirs, i))
				differ("byte of sent frame", k << 16 | i, ours[i], theirs[i]);
	}
}

static void compare_rings(void)
{
	static const uint16_t regs[] = {TDH, TDT, RDH, RDT, TCTL, RCTL, IMS};

	for (size_t i = 0; i < ARRAY_SIZE(regs); i++)
		compare_reg(regs[i]);
	compare_mem("transmit ring", TX_RING, RING * sizeof(struct desc));
	compare_received();
	compare_wire();
}

/* ---- the traces ---- */

static void put_tx(const struct desc *d)
{
	write_mem(TX_RING + tx_tail * sizeof(*d), d, sizeof(*d));
	tx_tail = (tx_tail + 1) % RING;
}

static void fill_frame(uint8_t *f, size_t len, const uint8_t to[6])
{
	for (size_t i = 0; i < len; i++)
		f[i] = (uint8_t)rng_next(&rng);
	memcpy(f, to, 6);
	f[12] = 0x08;
	f[13] = 0;
}

/* A frame in up to three pieces, legacy or extended, with what checksum and tag its descriptors ask for. */
static void do_transmit(void)
{
	uint8_t frame[FRAME];
	size_t len = 14 + below(1500), done = 0;
	unsigned pieces = 1 + below(3);
	bool extended = below(2);
	uint32_t command = 1u << 25 /* IFCS */ | (below(2) ? 1u << 27 : 0) /* RS */ |
			   (below(4) ? 0 : 1u << 30) /* VLE */;
	uint32_t options = 0;

	fill_frame(frame, len, our_mac);
	write_mem(TX_BUF, frame, len);
	if (extended) {
		uint8_t start = (uint8_t)(34 + below(20));
		struct desc c = {(uint64_t)14 | (uint64_t)24 << 8 | (uint64_t)33 << 16 |
					 (uint64_t)start << 32 | (uint64_t)(start + 6 + below(10)) << 40,
				 1u << 29 | (below(2) ? 1u << 24 : 0), 0};

		put_tx(&c);
		command |= 1u << 29 | 1u << 20;
		options = below(4) << 8;
	}
	for (unsigned i = 0; i < pieces; i++) {
		size_t part = i + 1 == pieces ? len - done : (len - done) / 2;
		struct desc d = {TX_BUF + done, command | (uint32_t)part, options | below(4096) << 16};

		if (i + 1 == pieces)
			d.lower |= 1u << 24; /* EOP */
		put_tx(&d);
		done += part;
	}
	if (verbose)
		printf("  %s frame of %zu bytes in %u pieces, command 0x%08x options 0x%04x\n",
		       extended ? "extended" : "legacy", len, pieces, command, options);
	cut |= command >> 30 & 1;
	write_reg(TDT, tx_tail);
}

/* After a last segment that is full, QEMU sends another with nothing in it. */
static size_t segmented(unsigned hdr, unsigned mss)
{
	size_t payload = 1 + below(6000);

	return hdr + payload + (payload % mss == 0);
}

/* TCP over IPv4 or IPv6, cut into segments. */
static void do_segments(void)
{
	uint8_t frame[8192];
	bool v4 = below(2);
	unsigned l4 = v4 ? 34 : 54, hdr = l4 + 20, mss = 100 + below(1360);
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
	write_mem(TX_BUF, frame, len);
	if (verbose)
		printf("  segments of %u from %zu bytes, IPv%d\n", mss, len, v4 ? 4 : 6);
	put_tx(&c);
	put_tx(&d);
	write_reg(TDT, tx_tail);
}

/* All buffers that may be given. */
static void do_give(void)
{
	while ((rx_tail + 1) % RING != fake_read(dev, 0, RDH, 4)) {
		struct desc d = {RX_BUF + rx_tail * RX_STEP, 0, 0};

		write_mem(RX_RING + rx_tail * sizeof(d), &d, sizeof(d));
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
	size_t len = 60 + below(1470);
	unsigned kind = below(ARRAY_SIZE(to));

	do_give();
	memcpy(frame, &none, sizeof(none));
	fill_frame(f, len, to[kind]);
	if (!below(3) && len >= 18) {
		f[12] = 0x81;
		f[14] &= 0x0f;
	}
	if (verbose)
		printf("  frame of %zu bytes arrives, kind %u, type 0x%02x%02x\n", len, kind, f[12], f[13]);
	if (write(our_wire, frame, sizeof(none) + len) < 0 || write(their_wire, f, len) < 0)
		die(EXIT_FAILED, "wire: %s", strerror(errno));
	settle();
}

/* After a write to RCTL QEMU's card waits; this is when it has stopped to. */
static void synchronize(void)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t frame[12 + 60] = {0};

	do_give();
	memcpy(frame + 12, all, 6);
	if (write(our_wire, frame, sizeof(frame)) < 0 || write(their_wire, frame + 12, 60) < 0)
		die(EXIT_FAILED, "wire: %s", strerror(errno));
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
	size_t i = below(ARRAY_SIZE(regs));
	uint16_t off;

	off = (uint16_t)(regs[i].first + 4 * below(regs[i].n));
	write_reg(off, regs[i].always | ((uint32_t)rng_next(&rng) & regs[i].may));
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

	uint16_t off = regs[below(ARRAY_SIZE(regs))];

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
		fake_read(dev, 0, off, 4);
		ask_value("readl", BAR0 + off);
	}
}

static void set_up(void)
{
	static const uint8_t zero[RING * sizeof(struct desc)];

	quiet();
	write_mem(TX_RING, zero, sizeof(zero));
	write_mem(RX_RING, zero, sizeof(zero));
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
		ops[below(ARRAY_SIZE(ops))]();
		compare_rings();
	}
}

int main(int argc, char **argv)
{
	unsigned long first = 1, n = 30;

	log_init("differential", LOG_WARN);
	signal(SIGPIPE, SIG_IGN);
	if (argc > 1 && !strcmp(argv[1], "-v")) {
		verbose = true;
		argc--;
		argv++;
	}
	if (argc > 1)
		first = strtoul(argv[1], NULL, 10);
	if (argc > 2)
		n = strtoul(argv[2], NULL, 10);
	start_qemu();
	start_ours();
	for (trace = first; trace < first + n; trace++) {
		rng_seed(&rng, trace);
		run_trace();
	}
	printf("e1000: %lu traces of %d steps, no difference\n", n, OPS);
	return EXIT_OK;
}
