// SPDX-License-Identifier: MIT
/*
 * The IDE function on a machine without KVM: a driver that reads and writes by PIO and by DMA, and one
 * that says what no driver should.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/fake.h"
#include "vmm/core/bus.h"
#include "vmm/devices.h"
#include "vmm/devices/ide/ide.h"

#define DISK_BYTES (4 * MIB)
#define SECTORS	   (DISK_BYTES / 512)
#define RAM	   (8 * MIB)
#define TABLE_AT   0x10000
#define DATA_AT	   0x100000
#define PORTS	   0x1f0
#define CONTROL	   0x3f6

enum { DATA, FEATURE, COUNT, LBA0, LBA1, LBA2, DEVICE, COMMAND };

static int medium;
static const char *who = "auto"; /* carries commands out: io= of each disk */
static struct vm *vm;
static struct pci_dev *dev;

static uint64_t in(unsigned port, unsigned len)
{
	return fake_in(vm, port, len);
}

static void out(unsigned port, unsigned len, uint64_t val)
{
	fake_out(vm, port, len, val);
}

/* A register of the bus master. */
static void bm_out(unsigned off, unsigned len, uint64_t val)
{
	out((unsigned)dev->bar[4].base + off, len, val);
}

static void open_disk(const char *options)
{
	char opts[160];

	medium = memfd_create("disk", MFD_CLOEXEC);
	assert_int_equal(ftruncate(medium, DISK_BYTES), 0);
	snprintf(opts, sizeof(opts), "file=/proc/self/fd/%d,direct=off,engine=sync,poll_us=0,io=%s%s", medium, who,
		 options);
	vm = fake_vm_create(RAM);
	dev = fake_attach(vm, &ide_ops, opts);
	assert_non_null(dev);
}

static void close_disk(void)
{
	fake_vm_destroy(vm);
	close(medium);
}

/* Not busy any more; the status. */
static uint8_t ready(void)
{
	uint64_t end = clock_ns() + 10 * NSEC_PER_SEC;

	while (in(CONTROL, 1) & ATA_BSY)
		if (clock_ns() > end)
			fail_msg("the disk stays busy");
	return (uint8_t)in(PORTS + COMMAND, 1);
}

static void address(uint64_t sector, unsigned sectors)
{
	out(PORTS + COUNT, 1, sectors >> 8 & 0xff);
	out(PORTS + COUNT, 1, sectors & 0xff);
	for (unsigned i = 0; i < 3; i++) {
		out(PORTS + LBA0 + i, 1, sector >> (24 + 8 * i) & 0xff);
		out(PORTS + LBA0 + i, 1, sector >> 8 * i & 0xff);
	}
	out(PORTS + DEVICE, 1, 0x40);
}

static uint8_t command(uint8_t c)
{
	out(PORTS + COMMAND, 1, c);
	return ready();
}

static uint8_t *data(void)
{
	return gmem_ptr(vm_gmem(vm), DATA_AT, MIB);
}

/* All of a read by PIO, in accesses of len bytes. */
static void pio_in(uint8_t *buf, unsigned sectors, unsigned block, unsigned len)
{
	for (unsigned left = sectors; left;) {
		unsigned now = MIN(left, block);

		assert_int_equal(ready() & (ATA_DRQ | ATA_ERR), ATA_DRQ);
		for (unsigned i = 0; i < now * 512; i += len, buf += len) {
			uint64_t v = in(PORTS, len);

			memcpy(buf, &v, len);
		}
		left -= now;
	}
	assert_int_equal(ready() & (ATA_DRQ | ATA_ERR), 0);
}

static void pio_out(const uint8_t *buf, unsigned sectors, unsigned block, unsigned len)
{
	for (unsigned left = sectors; left;) {
		unsigned now = MIN(left, block);

		assert_int_equal(ready() & (ATA_DRQ | ATA_ERR), ATA_DRQ);
		for (unsigned i = 0; i < now * 512; i += len, buf += len) {
			uint64_t v = 0;

			memcpy(&v, buf, len);
			out(PORTS, len, v);
		}
		left -= now;
	}
	assert_int_equal(ready() & (ATA_DRQ | ATA_ERR), 0);
}

static void fill(uint8_t *buf, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(i * 7 + i / 512 + seed);
}

/* Starts the bus master with the table as it is; the status of both. */
static uint8_t dma(uint8_t c, bool to_memory, uint8_t *bm)
{
	bm_out(4, 4, TABLE_AT);
	bm_out(2, 1, BM_ERROR | BM_IRQ);
	bm_out(0, 1, to_memory ? BM_TO_MEMORY : 0);
	out(PORTS + COMMAND, 1, c);
	bm_out(0, 1, BM_START | (to_memory ? BM_TO_MEMORY : 0));
	c = ready();
	*bm = (uint8_t)in((unsigned)dev->bar[4].base + 2, 1);
	bm_out(0, 1, 0);
	return c;
}

static void put_prd(unsigned i, uint32_t base, uint16_t bytes, bool end)
{
	uint32_t entry[2] = {base, bytes | (end ? 0x80000000u : 0)};

	assert_int_equal(gmem_write(vm_gmem(vm), TABLE_AT + 8 * i, entry, 8), 0);
}

static void the_disk_says_what_it_is(void **state)
{
	static const struct {
		const char *options;
		bool dma, cache;
	} cases[] = {{"", true, true}, {",dma=off", false, true}, {",cache=writethrough", true, false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint16_t w[256];

		open_disk(cases[i].options);
		assert_int_equal(ready(), ATA_DRDY | ATA_DSC);
		assert_int_equal(in(PORTS + COUNT, 1) | in(PORTS + LBA0, 1) << 8 | in(PORTS + LBA1, 1) << 16,
				 0x101);
		assert_int_equal(command(0xec) & ATA_DRQ, ATA_DRQ);
		pio_in((uint8_t *)w, 1, 1, 2);
		assert_int_equal(w[60] | w[61] << 16, SECTORS);
		assert_int_equal(w[100] | w[101] << 16, SECTORS);
		assert_int_equal(!!(w[49] & 0x100), cases[i].dma);
		assert_int_equal(!!(w[82] & 0x20), cases[i].cache);
		assert_int_equal(w[59], 0x100 | ATA_MULTIPLE); /* Linux does not choose it by itself */
		/* There is no second disk. */
		out(PORTS + DEVICE, 1, 0x10);
		assert_int_equal(in(PORTS + COMMAND, 1), 0);
		close_disk();
	}
}

static void every_way_moves_the_same(void **state)
{
	static const struct {
		uint8_t write, read;
		unsigned sectors, block, len;
		uint64_t sector;
	} cases[] = {
		{0x30, 0x20, 1, 1, 2, 0},
		{0x34, 0x24, 3, 1, 4, 77},
		{0xc5, 0xc4, 5, 4, 2, 8},
		{0x39, 0x29, 256, 4, 4, SECTORS - 256},
	};
	static uint8_t want[256 * 512], got[256 * 512];

	(void)state;
	open_disk("");
	out(PORTS + COUNT, 1, 4);
	assert_int_equal(command(0xc6) & ATA_ERR, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t bytes = cases[i].sectors * 512;

		fill(want, bytes, i);
		address(cases[i].sector, cases[i].sectors);
		out(PORTS + COMMAND, 1, cases[i].write);
		pio_out(want, cases[i].sectors, cases[i].block, cases[i].len);
		assert_int_equal(pread(medium, got, bytes, (off_t)cases[i].sector * 512), bytes);
		assert_memory_equal(got, want, bytes);
		memset(got, 0, bytes);
		address(cases[i].sector, cases[i].sectors);
		out(PORTS + COMMAND, 1, cases[i].read);
		pio_in(got, cases[i].sectors, cases[i].block, cases[i].len);
		assert_memory_equal(got, want, bytes);
	}
	close_disk();
}

static void dma_follows_its_table(void **state)
{
	static uint8_t got[128 * 512];
	uint8_t bm;

	(void)state;
	open_disk("");
	fill(data(), 128 * 512, 3);
	/* 64 KiB in one entry (0), then three unequal ones. */
	put_prd(0, DATA_AT, 0, true);
	address(16, 128);
	assert_int_equal(dma(0x35, false, &bm) & ATA_ERR, 0);
	assert_int_equal(bm & (BM_ACTIVE | BM_ERROR | BM_IRQ), BM_IRQ);
	assert_int_equal(pread(medium, got, sizeof(got), 16 * 512), sizeof(got));
	assert_memory_equal(got, data(), sizeof(got));
	put_prd(0, DATA_AT + 0x20000, 512, false);
	put_prd(1, DATA_AT + 0x30000, 1024, false);
	put_prd(2, DATA_AT + 0x40000, 512, true);
	address(16, 4);
	assert_int_equal(dma(0x25, true, &bm) & ATA_ERR, 0);
	assert_memory_equal(data() + 0x20000, got, 512);
	assert_memory_equal(data() + 0x30000, got + 512, 1024);
	assert_memory_equal(data() + 0x40000, got + 1536, 512);
	/* Flush: with a cache, it reaches the medium and is counted. */
	assert_int_equal(command(0xea) & ATA_ERR, 0);
	assert_int_equal(((struct ide *)dev->priv)->stats->flushes, 1);
	assert_int_equal(((struct ide *)dev->priv)->stats->descs, 3);
	close_disk();
}

/* What no driver should ask for ends with the error that a disk gives, and touches nothing. */
static void nonsense_ends_with_an_error(void **state)
{
	static const struct {
		const char *what;
		uint8_t command, error;
		uint64_t sector;
		unsigned count;
		uint8_t feature;
	} cases[] = {
		{"beyond the end", 0x24, ATA_IDNF, SECTORS, 1, 0},
		{"across the end", 0x34, ATA_IDNF, SECTORS - 1, 2, 0},
		{"a sector number that wraps", 0x24, ATA_IDNF, 0xffffffffffff, 65535, 0},
		{"blocks of several without their number", 0x29, ATA_ABRT, 0, 8, 0},
		{"the same, to be written", 0x39, ATA_ABRT, 0, 8, 0},
		{"too many in a block", 0xc6, ATA_ABRT, 0, 32, 0},
		{"no number of a block", 0xc6, ATA_ABRT, 0, 3, 0},
		{"a command that is none", 0x00, ATA_ABRT, 0, 1, 0},
		{"packets", 0xa1, ATA_ABRT, 0, 1, 0},
		{"a feature that is none", 0xef, ATA_ABRT, 0, 1, 0x99},
	};

	(void)state;
	open_disk("");
	out(PORTS + COUNT, 1, 0);
	assert_int_equal(command(0xc6) & ATA_ERR, 0); /* SET MULTIPLE MODE: none */
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		address(cases[i].sector, cases[i].count);
		out(PORTS + FEATURE, 1, cases[i].feature);
		if (!(command(cases[i].command) & ATA_ERR) || in(PORTS + FEATURE, 1) != cases[i].error)
			fail_msg("%s: error %lx", cases[i].what, in(PORTS + FEATURE, 1));
	}
	/* Without LBA mode a sector has no number here. */
	address(0, 1);
	out(PORTS + DEVICE, 1, 0);
	assert_true(command(0x24) & ATA_ERR);
	close_disk();
}

static uint64_t named_sector(void)
{
	uint64_t sector = 0;

	for (unsigned i = 0; i < 3; i++)
		sector |= in(PORTS + LBA0 + i, 1) << 8 * i;
	out(CONTROL, 1, ATA_HOB);
	for (unsigned i = 0; i < 3; i++)
		sector |= in(PORTS + LBA0 + i, 1) << (24 + 8 * i);
	out(CONTROL, 1, 0);
	return sector;
}

static uint16_t identified(unsigned word)
{
	uint8_t buf[512];

	address(0, 1);
	out(PORTS + COMMAND, 1, 0xec);
	pio_in(buf, 1, 1, 2);
	return (uint16_t)(buf[2 * word] | buf[2 * word + 1] << 8);
}

/* Commands that move nothing, and what they leave behind. */
static void commands_without_data(void **state)
{
	static const struct {
		uint8_t command, feature;
	} fine[] = {{0x10, 0}, {0x91, 0}, {0xe0, 0}, {0xe1, 0}, {0x40, 0}, {0x42, 0},
		    {0xef, 3}, {0xef, 0x55}, {0xef, 0xaa}, {0xe7, 0}, {0xea, 0}};

	(void)state;
	open_disk("");
	for (size_t i = 0; i < ARRAY_SIZE(fine); i++) {
		address(SECTORS - 1, 1);
		out(PORTS + FEATURE, 1, fine[i].feature);
		if (command(fine[i].command) & ATA_ERR)
			fail_msg("command %x, feature %x", fine[i].command, fine[i].feature);
	}
	address(SECTORS, 1);
	assert_true(command(0x42) & ATA_ERR);
	assert_int_equal(command(0xe5) & ATA_ERR, 0);
	assert_int_equal(in(PORTS + COUNT, 1), 0xff); /* awake */
	address(0, 1);
	assert_int_equal(command(0x27) & ATA_ERR, 0);
	assert_int_equal(named_sector(), SECTORS - 1);
	assert_int_equal(command(0xf8) & ATA_ERR, 0);
	assert_int_equal(in(PORTS + LBA0, 1), (SECTORS - 1) & 0xff);
	/* The cache is off until it is switched on, and a diagnosis forgets what was set. */
	assert_int_equal(identified(85) & 0x20, 0x20);
	out(PORTS + FEATURE, 1, 0x82);
	assert_int_equal(command(0xef) & ATA_ERR, 0);
	assert_int_equal(identified(85) & 0x20, 0);
	out(PORTS + FEATURE, 1, 2);
	assert_int_equal(command(0xef) & ATA_ERR, 0);
	assert_int_equal(identified(85) & 0x20, 0x20);
	address(0, 8);
	assert_int_equal(command(0xc6) & ATA_ERR, 0);
	assert_int_equal(identified(59), 0x108);
	assert_int_equal(command(0x90) & ATA_ERR, 0);
	assert_int_equal(in(PORTS + FEATURE, 1), 1);
	assert_int_equal(in(PORTS + COUNT, 1) | in(PORTS + LBA0, 1) << 8, 0x101);
	assert_int_equal(identified(59), 0x100 | ATA_MULTIPLE);
	close_disk();
}

/* What the host says becomes what a disk says, with the sector; the bus master has done nothing wrong. */
static void errors_of_the_medium(void **state)
{
	static const struct {
		int err;
		uint8_t read, write;
	} cases[] = {
		{-EIO, ATA_UNC, ATA_ABRT},    {-ENOSPC, ATA_UNC, ATA_ABRT}, {-ENODEV, ATA_UNC, ATA_ABRT},
		{-EROFS, ATA_ABRT, ATA_ABRT}, {-ERANGE, ATA_IDNF, ATA_IDNF},
	};
	struct disk *disk;
	uint8_t bm;

	(void)state;
	open_disk("");
	disk = ((struct ide *)dev->priv)->disk;
	put_prd(0, DATA_AT, 512, true);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fake_disk_error(disk, cases[i].err);
		address(77, 1);
		assert_true(dma(0x25, true, &bm) & ATA_ERR);
		assert_int_equal(in(PORTS + FEATURE, 1), cases[i].read);
		assert_int_equal(bm & (BM_ACTIVE | BM_ERROR | BM_IRQ), BM_IRQ);
		assert_int_equal(named_sector(), 77);
		address(78, 1);
		assert_true(dma(0x35, false, &bm) & ATA_ERR);
		assert_int_equal(in(PORTS + FEATURE, 1), cases[i].write);
		/* By PIO: a read before its data, a write after it. */
		address(79, 1);
		assert_true(command(0x24) & ATA_ERR);
		assert_int_equal(in(PORTS + FEATURE, 1), cases[i].read);
		assert_int_equal(named_sector(), 79);
		address(80, 1);
		assert_int_equal(command(0x34) & (ATA_DRQ | ATA_ERR), ATA_DRQ);
		for (unsigned n = 0; n < 128; n++)
			out(PORTS, 4, n);
		assert_int_equal(ready() & (ATA_DRQ | ATA_ERR), ATA_ERR);
		assert_int_equal(in(PORTS + FEATURE, 1), cases[i].write);
		assert_true(command(0xea) & ATA_ERR);
	}
	/* The third of five, each by an interrupt of its own. */
	fake_disk_error(disk, 0);
	address(4711, 5);
	out(PORTS + COMMAND, 1, 0x24);
	for (unsigned n = 0; n < 2 * 256; n++) {
		assert_int_equal(ready() & (ATA_DRQ | ATA_ERR), ATA_DRQ);
		if (n == 256)
			fake_disk_error(disk, -EIO);
		in(PORTS, 2);
	}
	assert_int_equal(ready() & (ATA_DRQ | ATA_ERR), ATA_ERR);
	assert_int_equal(named_sector(), 4711 + 2);
	fake_disk_error(disk, 0);
	address(77, 1);
	assert_int_equal(dma(0x35, false, &bm) & ATA_ERR, 0);
	assert_int_equal(command(0xea) & ATA_ERR, 0);
	close_disk();
}

static void tables_that_lead_nowhere(void **state)
{
	uint8_t bm;

	(void)state;
	open_disk("");
	put_prd(0, 0xfffff000, 4096, true); /* no memory */
	address(0, 8);
	assert_true(dma(0x25, true, &bm) & ATA_ERR);
	assert_int_equal(bm & (BM_ACTIVE | BM_ERROR), BM_ERROR);
	put_prd(0, DATA_AT, 512, true); /* shorter than the transfer */
	address(0, 8);
	assert_true(dma(0x25, true, &bm) & ATA_ERR);
	assert_int_equal(bm & (BM_ACTIVE | BM_ERROR), BM_ERROR);
	assert_int_equal(((struct ide *)dev->priv)->stats->bad, 2);
	put_prd(0, DATA_AT, 4096, true);
	dev->cfg[4] &= (uint8_t)~4; /* no bus master */
	address(0, 8);
	assert_true(dma(0x25, true, &bm) & ATA_ERR);
	dev->cfg[4] |= 4;
	address(0, 8);
	assert_int_equal(dma(0x25, true, &bm) & ATA_ERR, 0);
	close_disk();
}

static void the_interrupt_is_the_drivers(void **state)
{
	struct fake *f;

	(void)state;
	open_disk("");
	f = fake_of(vm);
	command(0xe5);
	assert_false(f->line[14]); /* the status was read */
	out(PORTS + COMMAND, 1, 0xe5);
	assert_true(f->line[14]);
	in(CONTROL, 1);
	assert_true(f->line[14]); /* the other status takes nothing back */
	in(PORTS + COMMAND, 1);
	assert_false(f->line[14]);
	out(CONTROL, 1, ATA_NIEN);
	out(PORTS + COMMAND, 1, 0xe5);
	assert_false(f->line[14]);
	out(CONTROL, 1, 0);
	assert_true(f->line[14]);
	close_disk();
}

/* In the middle of a write: the disk is as after power-on, and the rest of the write is nobody's. */
static void a_reset_ends_everything(void **state)
{
	uint8_t sector[512];

	(void)state;
	open_disk("");
	address(5, 2);
	out(PORTS + COMMAND, 1, 0x34);
	for (unsigned i = 0; i < 100; i++)
		out(PORTS, 2, 0xffff);
	out(PORTS + COMMAND, 1, 0xe5); /* a disk that is at something takes no command */
	assert_true(in(CONTROL, 1) & ATA_DRQ);
	out(CONTROL, 1, ATA_SRST);
	out(CONTROL, 1, 0);
	assert_int_equal(ready(), ATA_DRDY | ATA_DSC);
	assert_int_equal(in(PORTS + COUNT, 1), 1);
	out(PORTS, 2, 0xffff);
	assert_int_equal(pread(medium, sector, 512, 5 * 512), 512);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(sector[i], 0);
	/* Amid a command of the thread's, too. */
	for (unsigned i = 0; i < 50; i++) {
		address(0, 128);
		out(PORTS + COMMAND, 1, 0x24);
		out(CONTROL, 1, ATA_SRST);
		out(CONTROL, 1, 0);
		assert_int_equal(ready(), ATA_DRDY | ATA_DSC);
	}
	close_disk();
}

/*
 * A write that a reset ends goes where it was to go, or nowhere: never to the sector that the registers name
 * afterwards.
 */
static void a_reset_moves_no_write(void **state)
{
	uint8_t sector[512];

	(void)state;
	open_disk("");
	memset(data(), 0x5a, 8 * 512);
	put_prd(0, DATA_AT, 8 * 512, true);
	for (unsigned i = 0; i < 100; i++) {
		bm_out(4, 4, TABLE_AT);
		address(1000, 8);
		if (i % 2) /* the bus master waits for the command, or it for the bus master */
			bm_out(0, 1, BM_START);
		out(PORTS + COMMAND, 1, 0x35);
		if (i % 4 == 2)
			bm_out(0, 1, BM_START);
		out(CONTROL, 1, ATA_SRST);
		out(CONTROL, 1, 0);
		bm_out(0, 1, BM_START);
		assert_int_equal(ready(), ATA_DRDY | ATA_DSC);
		bm_out(0, 1, 0);
	}
	for (unsigned i = 0; i < 16; i++) {
		assert_int_equal(pread(medium, sector, 512, i * 512), 512);
		for (unsigned b = 0; b < 512; b++)
			assert_int_equal(sector[b], 0);
	}
	close_disk();
}

/* A bus master that runs while the disk talks by PIO has nothing to move, and the disk goes on. */
static void a_bus_master_without_a_transfer(void **state)
{
	static uint8_t got[512];

	(void)state;
	open_disk("");
	put_prd(0, DATA_AT, 512, true);
	memset(data(), 0x5a, 512);
	bm_out(4, 4, TABLE_AT);
	bm_out(0, 1, BM_START | BM_TO_MEMORY);
	for (unsigned i = 0; i < 10; i++) {
		address(i, 1);
		out(PORTS + COMMAND, 1, 0x24);
		pio_in(got, 1, 1, 4);
		assert_int_equal(command(0xe5) & ATA_ERR, 0);
		assert_int_equal(command(0xea) & ATA_ERR, 0);
	}
	assert_int_equal(data()[0], 0x5a);
	close_disk();
}

/* What has been posted happens before what comes after it, whoever that is, and once only. */
static void posted_writes_keep_their_order(void **state)
{
	static const struct {
		const char *options;
		unsigned posted; /* of an address and a table */
	} cases[] = {{"", 11}, {",posted=off", 0}};
	struct ide *d;
	uint8_t bm;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		open_disk(cases[i].options);
		d = dev->priv;
		put_prd(0, DATA_AT, 512, true);
		address(77, 1);
		bm_out(4, 4, TABLE_AT);
		bm_out(2, 1, BM_ERROR | BM_IRQ);
		assert_int_equal(fake_posted(vm), cases[i].posted);
		/* A second driver's read is an exit: it sees them all. */
		assert_int_equal(in(PORTS + LBA0, 1), 77);
		assert_int_equal(fake_posted(vm), 0);
		assert_int_equal(dma(0x25, true, &bm) & ATA_ERR, 0);
		/* More than the ring holds: those that find no room come after those that did. */
		for (unsigned n = 0; n < 1000; n++)
			out(PORTS + COUNT, 1, n & 0xff);
		assert_int_equal(in(PORTS + COUNT, 1), 999 & 0xff);
		assert_int_equal(d->count[1], 998 & 0xff);
		close_disk();
	}
}

/* On the disk's thread, which therefore does nothing between the two. */
static void start_and_take_back(void *arg)
{
	(void)arg;
	bm_out(0, 1, BM_START);
	bm_out(2, 1, BM_IRQ);
	assert_int_equal(fake_posted(vm), 1);
}

/* What takes the status back before the command ends has not taken back that of its end. */
static void posted_writes_come_before_the_end(void **state)
{
	struct ide *d;

	(void)state;
	open_disk("");
	d = dev->priv;
	put_prd(0, DATA_AT, 512, true);
	address(5, 1);
	bm_out(4, 4, TABLE_AT);
	out(PORTS + COMMAND, 1, 0x25);
	io_thread_call(d->thread, start_and_take_back, NULL);
	while (bus_read(&vm->pio, CONTROL, 1) & ATA_BSY) /* past the ring, which the thread empties */
		;
	assert_int_equal(in((unsigned)dev->bar[4].base + 2, 1) & (BM_ACTIVE | BM_IRQ), BM_IRQ);
	close_disk();
}

/* Those of the bus master follow it, and are gone with it. */
static void posted_ports_follow_the_bar(void **state)
{
	uint64_t old;

	(void)state;
	open_disk("");
	old = dev->bar[4].base;
	pci_cfg_write(dev, 0x20, 4, 0xd000);
	fake_out(vm, old + 4, 4, TABLE_AT);
	assert_int_equal(fake_posted(vm), 0);
	bm_out(4, 4, TABLE_AT);
	assert_int_equal(fake_posted(vm), 1);
	assert_int_equal(in(0xd004, 4), TABLE_AT);
	/* What is in the ring when its ports go is nobody's. */
	bm_out(4, 4, 0);
	pci_cfg_write(dev, 0x20, 4, 0xe000);
	assert_int_equal(in(0xe004, 4), TABLE_AT);
	close_disk();
}

/* ---- who carries a command out ---- */

static uint64_t kicks_of(const struct ide *d)
{
	return __atomic_load_n(&d->stats->kicks, __ATOMIC_RELAXED);
}

static void set_quick(struct ide *d, unsigned quick)
{
	pthread_mutex_lock(&d->lock);
	d->quick = quick;
	pthread_mutex_unlock(&d->lock);
}

/* A read by DMA is over when the access that began it is; if not, the thread was kicked for it. */
static bool ends_at_once(unsigned sectors)
{
	struct ide *d = dev->priv;
	uint64_t kicks = kicks_of(d);
	bool busy;

	put_prd(0, DATA_AT, (uint16_t)(sectors * 512), true);
	address(8, sectors);
	bm_out(4, 4, TABLE_AT);
	bm_out(0, 1, BM_TO_MEMORY);
	out(PORTS + COMMAND, 1, 0x25);
	bm_out(0, 1, BM_START | BM_TO_MEMORY);
	busy = in(CONTROL, 1) & ATA_BSY;
	assert_int_equal(ready() & ATA_ERR, 0);
	bm_out(0, 1, 0);
	assert_int_equal(in((unsigned)dev->bar[4].base + 2, 1) & (BM_ACTIVE | BM_ERROR | BM_IRQ), BM_IRQ);
	bm_out(2, 1, BM_IRQ);
	return !busy && kicks == kicks_of(d);
}

static void a_quick_medium_needs_no_thread(void **state)
{
	struct ide *d;

	(void)state;
	open_disk("");
	d = dev->priv;
	assert_false(ends_at_once(8)); /* nobody knows yet */
	set_quick(d, IDE_QUICK_RUN);
	assert_true(ends_at_once(8));
	set_quick(d, IDE_QUICK_RUN);
	assert_true(ends_at_once(IDE_SMALL / 512));
	set_quick(d, IDE_QUICK_RUN);
	assert_false(ends_at_once(IDE_SMALL / 512 + 1));
	set_quick(d, IDE_QUICK_RUN - 1);
	assert_false(ends_at_once(1));
	assert_int_equal(d->stats->host_requests, 5);
	assert_int_equal(d->stats->descs, 5);
	assert_int_equal(d->stats->bytes, 512 * (8 + 8 + 2 * (IDE_SMALL / 512) + 1 + 1));
	close_disk();
}

/* So many quick ones in a row make a medium quick, and one that is not ends that. */
static void what_is_quick(void **state)
{
	static struct ide d;

	(void)state;
	for (unsigned i = 0; i < IDE_QUICK_RUN; i++) {
		assert_true(d.quick < IDE_QUICK_RUN);
		ide_note_speed(&d, IDE_QUICK_NS);
	}
	assert_int_equal(d.quick, IDE_QUICK_RUN);
	ide_note_speed(&d, 0);
	assert_int_equal(d.quick, IDE_QUICK_RUN);
	ide_note_speed(&d, IDE_QUICK_NS + 1);
	assert_int_equal(d.quick, 0);
}

/* A file that has shrunk: the vCPU's call brings less than it should, and the thread says what that is. */
static void what_fails_is_the_threads(void **state)
{
	uint8_t bm;

	(void)state;
	who = "vcpu";
	open_disk("");
	who = "auto";
	put_prd(0, DATA_AT, 512, true);
	address(77, 1);
	assert_int_equal(dma(0x25, true, &bm) & ATA_ERR, 0);
	assert_int_equal(ftruncate(medium, 77 * 512 + 100), 0);
	address(77, 1);
	assert_true(dma(0x25, true, &bm) & ATA_ERR);
	assert_int_equal(in(PORTS + FEATURE, 1), ATA_UNC);
	assert_int_equal(bm & (BM_ACTIVE | BM_ERROR | BM_IRQ), BM_IRQ);
	assert_int_equal(named_sector(), 77);
	close_disk();
}

/* A vCPU that comes back from the medium while another resets the disk; the status that it finds. */
static void *come_back(void *arg)
{
	struct ide *d = arg;
	uintptr_t status;

	clock_sleep_ns(20 * NSEC_PER_MSEC);
	pthread_mutex_lock(&d->lock);
	status = d->status;
	d->at_medium = false;
	pthread_cond_broadcast(&d->idle);
	pthread_mutex_unlock(&d->lock);
	return (void *)status;
}

static void a_reset_waits_for_the_medium(void **state)
{
	void *status;
	pthread_t other;
	struct ide *d;

	(void)state;
	open_disk("");
	d = dev->priv;
	pthread_mutex_lock(&d->lock);
	d->at_medium = true;
	d->phase = ATA_BUSY;
	d->status = ATA_BSY;
	pthread_mutex_unlock(&d->lock);
	assert_int_equal(pthread_create(&other, NULL, come_back, d), 0);
	out(CONTROL, 1, ATA_SRST);
	out(CONTROL, 1, 0);
	assert_false(d->at_medium);
	assert_int_equal(in(CONTROL, 1), ATA_DRDY | ATA_DSC);
	pthread_join(other, &status);
	assert_int_equal((uintptr_t)status, ATA_BSY); /* nothing had been reset yet */
	close_disk();
}

int main(void)
{
	const struct CMUnitTest both[] = {
		cmocka_unit_test(every_way_moves_the_same),
		cmocka_unit_test(dma_follows_its_table),
		cmocka_unit_test(nonsense_ends_with_an_error),
		cmocka_unit_test(commands_without_data),
		cmocka_unit_test(tables_that_lead_nowhere),
		cmocka_unit_test(the_interrupt_is_the_drivers),
		cmocka_unit_test(a_reset_ends_everything),
		cmocka_unit_test(a_reset_moves_no_write),
		cmocka_unit_test(a_bus_master_without_a_transfer),
		cmocka_unit_test(posted_writes_keep_their_order),
		cmocka_unit_test(posted_ports_follow_the_bar),
	};
	const struct CMUnitTest once[] = {
		cmocka_unit_test(the_disk_says_what_it_is),
		cmocka_unit_test(errors_of_the_medium),
		cmocka_unit_test(posted_writes_come_before_the_end),
		cmocka_unit_test(a_quick_medium_needs_no_thread),
		cmocka_unit_test(what_is_quick),
		cmocka_unit_test(what_fails_is_the_threads),
		cmocka_unit_test(a_reset_waits_for_the_medium),
	};
	int failed;

	log_init("test", LOG_ERROR);
	failed = cmocka_run_group_tests_name("once", once, NULL, NULL);
	who = "thread";
	failed += cmocka_run_group_tests_name("the thread", both, NULL, NULL);
	who = "vcpu";
	return failed + cmocka_run_group_tests_name("the vCPU", both, NULL, NULL);
}
