// SPDX-License-Identifier: MIT
/*
 * virtio-blk on a machine without KVM: what each request does to the file, what is answered to what
 * is not one, in split and packed rings, in order and not, and what a reset leaves.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/drv_virtio.h"
#include "vmm/devices.h"
#include "vmm/devices/virtio_blk/blk_pci.h"

#define DISK_BYTES (4 * MIB)
#define SECTORS	   (DISK_BYTES / 512)
#define DATA_GPA   (BUF_GPA + 0x10000)
#define F(name)	   (1ull << VIRTIO_BLK_F_##name)
#define UNTOUCHED  0xaa /* a status byte that nobody wrote */

static char path[64]; /* of a file in memory */

/* ---- one request at a time ---- */

static void attach_medium(const char *medium, const char *opts)
{
	char text[256];

	snprintf(text, sizeof(text), "file=%s,direct=off%s", medium, opts);
	vm = fake_vm_create(32 * MIB);
	assert_non_null(vm);
	dev = fake_attach(vm, &virtio_blk_ops, text);
	assert_non_null(dev);
}

static void attach(const char *opts)
{
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(truncate(path, DISK_BYTES), 0);
	attach_medium(path, opts);
}

static void detach(void)
{
	fake_vm_destroy(vm);
	vm = NULL;
}

static uint8_t *mem(gpa_t gpa, uint64_t len)
{
	uint8_t *p = gmem_ptr(dev->gm, gpa, len);

	assert_non_null(p);
	return p;
}

static void kick(unsigned q)
{
	wr(NOTIFY + 4 * q, 2, q);
}

/* Wait for a completion; its used length. */
static uint32_t completed(unsigned q)
{
	uint64_t end = clock_ns() + 10 * NSEC_PER_SEC;
	uint32_t len = 0;
	uint16_t id;

	while (!drv_get(&ring[q], &id, &len))
		if (clock_ns() > end)
			fail_msg("no completion, features %llx", (unsigned long long)ring[q].features);
	return len;
}

static void header(gpa_t gpa, uint32_t type, uint64_t sector)
{
	struct virtio_blk_outhdr h = {.type = type, .sector = sector};

	memcpy(mem(gpa, sizeof(h)), &h, sizeof(h));
}

/* Header, data, status as Linux lays them out; adds it to queue q. */
static uint16_t add(unsigned q, unsigned slot, uint32_t type, uint64_t sector, gpa_t data, uint32_t len,
		    bool in)
{
	gpa_t hdr = BUF_GPA + 64 * slot;
	struct drv_seg s[3] = {{hdr, 16, false}};
	unsigned n = 1;

	header(hdr, type, sector);
	*mem(hdr + 16, 1) = UNTOUCHED;
	if (len)
		s[n++] = (struct drv_seg){data, len, in};
	s[n++] = (struct drv_seg){hdr + 16, 1, true};
	return drv_add(&ring[q], s, n, false);
}

static uint8_t status_at(unsigned slot)
{
	return *mem(BUF_GPA + 64 * slot + 16, 1);
}

static uint32_t used_len;

/* One request from beginning to end; its status. */
static uint8_t request(uint32_t type, uint64_t sector, uint32_t len, bool in)
{
	add(0, 0, type, sector, DATA_GPA, len, in);
	kick(0);
	used_len = completed(0);
	return status_at(0);
}

static uint8_t read_at(uint64_t sector, uint32_t len)
{
	return request(VIRTIO_BLK_T_IN, sector, len, true);
}

static uint8_t write_at(uint64_t sector, uint32_t len)
{
	return request(VIRTIO_BLK_T_OUT, sector, len, false);
}

static void fill(uint8_t *p, size_t n, uint8_t seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(seed + i * 5 + i / 256);
}

static void file_bytes(uint64_t at, void *buf, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, buf, len, (off_t)at), len);
	close(fd);
}

static bool all(const uint8_t *p, size_t n, uint8_t value)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != value)
			return false;
	return true;
}

#define RINGS(more)                                                                                \
	{                                                                                          \
		",ring=split" more, 0                                                              \
	},                                                                                         \
	{                                                                                          \
		",ring=packed" more, F_PACKED                                                      \
	},                                                                                         \
	{                                                                                          \
		",ring=split,in_order=on" more, F_IN_ORDER                                         \
	},                                                                                         \
	{                                                                                          \
		",ring=packed,in_order=on" more, F_PACKED | F_IN_ORDER                             \
	}

static const struct kind {
	const char *opts;
	uint64_t features;
} kinds[] = {RINGS(",engine=sync"), RINGS(",engine=io_uring")};

/* ---- what is offered ---- */

static void configuration(void **state)
{
	struct virtio_blk_config c;

	(void)state;
	attach(",queues=4,size=128,serial=ABC");
	assert_int_equal(offered() & F(RO), 0);
	assert_int_equal(~offered() & (F(FLUSH) | F(CONFIG_WCE) | F(MQ) | F(SEG_MAX) | F(SIZE_MAX) |
				       F(BLK_SIZE) | F(TOPOLOGY) | F(DISCARD) | F(WRITE_ZEROES)),
			 0);
	for (unsigned i = 0; i < offsetof(struct virtio_blk_config, max_secure_erase_sectors); i++)
		((uint8_t *)&c)[i] = (uint8_t)rd(DEVCFG + i, 1);
	assert_int_equal(c.capacity, SECTORS);
	assert_int_equal(c.seg_max, 126);
	assert_true((uint64_t)c.size_max * c.seg_max <= DISK_LEN_MAX);
	assert_int_equal(c.blk_size, 512);
	assert_int_equal(512u << c.physical_block_exp, 512u * c.min_io_size);
	assert_int_equal(c.num_queues, 4);
	assert_int_equal(c.wce, 1);
	assert_int_equal(c.unused | c.unused1[0] | c.unused1[1] | c.unused1[2], 0);
	assert_int_equal(c.max_discard_seg, VBLK_RANGES_MAX);
	detach();
}

static void knobs(void **state)
{
	static const struct {
		const char *opts;
		uint64_t gone, there;
	} t[] = {
		{"", F(MQ) | F(RO) | F_IN_ORDER | F_PACKED, F(FLUSH) | F_EVENT_IDX | F_INDIRECT},
		{",flush=off", F(FLUSH) | F(CONFIG_WCE), F(DISCARD)},
		{",config_wce=off", F(CONFIG_WCE), F(FLUSH)},
		{",discard=off", F(DISCARD), F(WRITE_ZEROES)},
		{",write_zeroes=off", F(WRITE_ZEROES), F(DISCARD)},
		{",topology=off", F(TOPOLOGY), F(BLK_SIZE)},
		{",cache=writethrough", F(FLUSH) | F(CONFIG_WCE), F(DISCARD)},
		{",readonly=on", F(DISCARD) | F(WRITE_ZEROES), F(RO)},
		{",event_idx=off", F_EVENT_IDX, F_INDIRECT},
		{",ring=packed", 0, F_PACKED},
		{",queues=2", 0, F(MQ)},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		attach(t[i].opts);
		assert_int_equal(offered() & t[i].gone, 0);
		assert_int_equal(~offered() & t[i].there, 0);
		detach();
	}
}

/* ---- what requests do ---- */

static void read_and_write(void **state)
{
	uint8_t was[8192];

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		attach(kinds[k].opts);
		bring_up(kinds[k].features | F(FLUSH), 1);
		for (unsigned round = 0; round < 100; round++) { /* a lap and more */
			uint64_t sector = (round * 37) % (SECTORS - 16);

			fill(mem(DATA_GPA, 8192), 8192, (uint8_t)round);
			memcpy(was, mem(DATA_GPA, 8192), 8192);
			assert_int_equal(write_at(sector, 8192), VIRTIO_BLK_S_OK);
			assert_int_equal(used_len, 1);
			memset(mem(DATA_GPA, 8192), 0, 8192);
			assert_int_equal(read_at(sector, 8192), VIRTIO_BLK_S_OK);
			assert_int_equal(used_len, 8193);
			assert_memory_equal(mem(DATA_GPA, 8192), was, 8192);
		}
		assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, 0, false), VIRTIO_BLK_S_OK);
		detach();
	}
}

/* Whatever a request does not do is an error that says so, and never touches more than its own. */
static void refused(void **state)
{
	static const struct {
		uint32_t type;
		uint64_t sector;
		uint32_t len;
		bool in;
		uint8_t status;
	} t[] = {
		{VIRTIO_BLK_T_IN, SECTORS, 512, true, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_IN, SECTORS - 1, 1024, true, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_IN, UINT64_MAX, 512, true, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_IN, UINT64_MAX / 512, 512, true, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_IN, UINT64_MAX / 512 + 1, 512, true, VIRTIO_BLK_S_IOERR}, /* wraps to 0 */
		{VIRTIO_BLK_T_IN, 0, 511, true, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_IN, 0, 0, true, VIRTIO_BLK_S_OK},
		{VIRTIO_BLK_T_OUT, SECTORS, 512, false, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_OUT, SECTORS - 1, 1024, false, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_OUT, UINT64_MAX / 512 + 1, 512, false, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_OUT, 0, 513, false, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_OUT, 0, 512, true, VIRTIO_BLK_S_OK}, /* no data to write: nothing is */
		{VIRTIO_BLK_T_SCSI_CMD, 0, 512, true, VIRTIO_BLK_S_UNSUPP},
		{VIRTIO_BLK_T_SECURE_ERASE, 0, 16, false, VIRTIO_BLK_S_UNSUPP},
		/* Zones are not offered: append, report, open, close, finish, reset, reset all. */
		{15, 0, 512, false, VIRTIO_BLK_S_UNSUPP},
		{16, 0, 512, true, VIRTIO_BLK_S_UNSUPP},
		{18, 0, 0, false, VIRTIO_BLK_S_UNSUPP},
		{20, 0, 0, false, VIRTIO_BLK_S_UNSUPP},
		{22, 0, 0, false, VIRTIO_BLK_S_UNSUPP},
		{24, 0, 0, false, VIRTIO_BLK_S_UNSUPP},
		{26, 0, 0, false, VIRTIO_BLK_S_UNSUPP},
		{0x80000000, 0, 0, false, VIRTIO_BLK_S_UNSUPP},
		{UINT32_MAX, UINT64_MAX, 512, true, VIRTIO_BLK_S_UNSUPP},
	};
	uint8_t file[1024];

	(void)state;
	attach("");
	bring_up(0, 1);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		uint8_t status;

		memset(mem(DATA_GPA, 2048), 0x77, 2048);
		status = request(t[i].type, t[i].sector, t[i].len, t[i].in);
		if (status != t[i].status)
			fail_msg("case %zu: status %u", i, status);
		/* What the used length counts was written. */
		assert_int_equal(used_len, t[i].in ? t[i].len + 1 : 1);
		assert_true(all(mem(DATA_GPA, 2048), t[i].in ? t[i].len : 0, 0));
		assert_true(all(mem(DATA_GPA + t[i].len, 1024), 1024, 0x77));
	}
	assert_int_equal(get_status(), 0xf);
	file_bytes(0, file, 512);
	file_bytes(DISK_BYTES - 512, file + 512, 512);
	assert_true(all(file, 1024, 0));
	detach();
}

/* The header may be split anywhere and share descriptors with the data (2.7.4.1). */
static void framing(void **state)
{
	(void)state;
	for (unsigned cut = 1; cut < 16; cut++) {
		struct drv_seg s[6] = {{BUF_GPA, cut, false}, {BUF_GPA + cut, 16 - cut + 100, false},
				       {BUF_GPA + 116, 412, false}, {BUF_GPA + 0x2000, 1, true}};
		uint8_t file[512];

		attach("");
		bring_up(0, 1);
		header(BUF_GPA, VIRTIO_BLK_T_OUT, cut);
		fill(mem(BUF_GPA + 16, 512), 512, (uint8_t)cut);
		drv_add(&ring[0], s, 4, false);
		kick(0);
		assert_int_equal(completed(0), 1);
		assert_int_equal(*mem(BUF_GPA + 0x2000, 1), VIRTIO_BLK_S_OK);
		file_bytes(512 * cut, file, 512);
		assert_memory_equal(file, mem(BUF_GPA + 16, 512), 512);
		/* Data and status in one descriptor, and the data in two. */
		header(BUF_GPA, VIRTIO_BLK_T_IN, cut);
		s[0] = (struct drv_seg){BUF_GPA, 16, false};
		s[1] = (struct drv_seg){DATA_GPA, cut, true};
		s[2] = (struct drv_seg){DATA_GPA + cut, 513 - cut, true};
		drv_add(&ring[0], s, 3, false);
		kick(0);
		assert_int_equal(completed(0), 513);
		assert_int_equal(*mem(DATA_GPA + 512, 1), VIRTIO_BLK_S_OK);
		assert_memory_equal(file, mem(DATA_GPA, 512), 512);
		detach();
	}
}

/* Without room for a header or a status there is nothing to answer: the ring is broken. */
static void no_request_at_all(void **state)
{
	static const struct drv_seg t[][2] = {
		{{BUF_GPA, 16, false}, {0}},		       /* no status */
		{{BUF_GPA, 15, false}, {BUF_GPA + 64, 1, true}}, /* short header */
		{{BUF_GPA, 64, true}, {0}},		       /* no header */
		{{BUF_GPA, 16, false}, {1ull << 40, 1, true}}, /* a status that is no memory */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		attach("");
		bring_up(0, 1);
		header(BUF_GPA, VIRTIO_BLK_T_IN, 0);
		drv_add(&ring[0], t[i], t[i][1].len ? 2 : 1, false);
		kick(0);
		for (unsigned n = 0; n < 5000 && !(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET); n++)
			usleep(1000);
		assert_true(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET);
		/* A reset makes it whole. */
		bring_up(0, 1);
		assert_int_equal(read_at(0, 512), VIRTIO_BLK_S_OK);
		detach();
	}
}

static void identity(void **state)
{
	(void)state;
	attach(",serial=12345678901234567890");
	bring_up(0, 1);
	memset(mem(DATA_GPA, 64), 0x77, 64);
	assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, 20, true), VIRTIO_BLK_S_OK);
	assert_memory_equal(mem(DATA_GPA, 20), "12345678901234567890", 20);
	/* A buffer that is shorter, one that is longer. */
	memset(mem(DATA_GPA, 64), 0x77, 64);
	assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, 3, true), VIRTIO_BLK_S_OK);
	assert_true(all(mem(DATA_GPA + 3, 10), 10, 0x77));
	assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, 40, true), VIRTIO_BLK_S_OK);
	assert_true(all(mem(DATA_GPA + 20, 20), 20, 0));
	detach();
}

/* ---- discard and zeroes ---- */

static void put_range(unsigned i, uint64_t sector, uint32_t n, uint32_t flags)
{
	struct virtio_blk_discard_write_zeroes r = {.sector = sector, .num_sectors = n, .flags = flags};

	memcpy(mem(DATA_GPA + 16 * i, 16), &r, 16);
}

static void ranges(void **state)
{
	static const struct {
		uint32_t type;
		uint64_t sector;
		uint32_t n, flags;
		uint8_t status;
	} t[] = {
		{VIRTIO_BLK_T_DISCARD, 8, 8, 0, VIRTIO_BLK_S_OK},
		{VIRTIO_BLK_T_DISCARD, 8, 8, 1, VIRTIO_BLK_S_UNSUPP},
		{VIRTIO_BLK_T_DISCARD, SECTORS, 8, 0, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_DISCARD, SECTORS - 8, 9, 0, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_DISCARD, UINT64_MAX - 7, 8, 0, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_DISCARD, 0, UINT32_MAX, 0, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_DISCARD, 0, 0, 0, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_WRITE_ZEROES, 8, 8, 0, VIRTIO_BLK_S_OK},
		{VIRTIO_BLK_T_WRITE_ZEROES, 8, 8, 1, VIRTIO_BLK_S_OK},
		{VIRTIO_BLK_T_WRITE_ZEROES, 8, 8, 2, VIRTIO_BLK_S_UNSUPP},
		{VIRTIO_BLK_T_WRITE_ZEROES, SECTORS - 1, 2, 0, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_WRITE_ZEROES, UINT64_MAX / 512, 1, 0, VIRTIO_BLK_S_IOERR},
	};
	uint8_t file[3 * 4096];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		bool ok = t[i].status == VIRTIO_BLK_S_OK;

		attach("");
		bring_up(0, 1);
		memset(mem(DATA_GPA, sizeof(file)), 0x33, sizeof(file));
		assert_int_equal(write_at(0, sizeof(file)), VIRTIO_BLK_S_OK);
		put_range(0, t[i].sector, t[i].n, t[i].flags);
		assert_int_equal(request(t[i].type, 0, 16, false), t[i].status);
		file_bytes(0, file, sizeof(file));
		assert_true(all(file, 4096, 0x33));
		assert_true(all(file + 4096, 4096, ok ? 0 : 0x33));
		assert_true(all(file + 8192, 4096, 0x33));
		detach();
	}
}

static void many_ranges(void **state)
{
	uint8_t file[2 * VBLK_RANGES_MAX * 4096];

	(void)state;
	attach("");
	bring_up(0, 1);
	memset(mem(DATA_GPA, sizeof(file)), 0x44, sizeof(file));
	assert_int_equal(write_at(0, sizeof(file)), VIRTIO_BLK_S_OK);
	for (unsigned i = 0; i <= VBLK_RANGES_MAX; i++)
		put_range(i, 16 * i, 8, 0);
	/* Too many, a part of one, none. */
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, 16 * (VBLK_RANGES_MAX + 1), false),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, 15, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, 0, false), VIRTIO_BLK_S_IOERR);
	file_bytes(0, file, sizeof(file));
	assert_true(all(file, sizeof(file), 0x44));
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, 16 * VBLK_RANGES_MAX, false),
			 VIRTIO_BLK_S_OK);
	file_bytes(0, file, sizeof(file));
	for (unsigned i = 0; i < 2 * VBLK_RANGES_MAX; i++)
		assert_true(all(file + 4096 * i, 4096, i % 2 ? 0x44 : 0));
	detach();
}

/* A medium that cannot discard is a disk that does not offer it, nor do it. */
static void no_discard(void **state)
{
	char medium[64];
	int fd = fake_medium_no_holes(DISK_BYTES, medium);

	(void)state;
	attach_medium(medium, "");
	assert_int_equal(offered() & F(DISCARD), 0);
	assert_int_equal(rd(DEVCFG + offsetof(struct virtio_blk_config, write_zeroes_may_unmap), 1), 0);
	bring_up(0, 1);
	put_range(0, 0, 8, 0);
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, 16, false), VIRTIO_BLK_S_UNSUPP);
	detach();
	close(fd);
}

/* ---- durability ---- */

static bool through(void)
{
	struct vblk_pci *d = dev->priv;

	return d->blk.through;
}

/* 5.2.6.2: who decides whether a write may stay in a cache. */
static void write_cache(void **state)
{
	static const struct {
		uint64_t features;
		int wce; /* -1: left alone */
		bool through;
	} t[] = {
		{F(FLUSH), -1, false},
		{0, -1, true},
		{F(FLUSH) | F(CONFIG_WCE), -1, false},
		{F(FLUSH) | F(CONFIG_WCE), 0, true},
		{F(FLUSH) | F(CONFIG_WCE), 1, false},
		{F(FLUSH), 0, false}, /* not negotiated: the register is not there */
		{F(CONFIG_WCE), -1, true}, /* who cannot flush */
		{F(CONFIG_WCE), 1, false},
	};

	(void)state;
	attach("");
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		bring_up(t[i].features, 1);
		if (t[i].features & F(CONFIG_WCE))
			assert_int_equal(rd(DEVCFG + offsetof(struct virtio_blk_config, wce), 1),
					 (t[i].features & F(FLUSH)) != 0);
		if (t[i].wce >= 0)
			wr(DEVCFG + offsetof(struct virtio_blk_config, wce), 1, (uint64_t)t[i].wce);
		assert_int_equal(through(), t[i].through);
		assert_int_equal(write_at(0, 512), VIRTIO_BLK_S_OK);
		assert_int_equal(write_at(8, 4096), VIRTIO_BLK_S_OK);
	}
	/* Nothing else of the configuration is the driver's. */
	bring_up(F(FLUSH) | F(CONFIG_WCE), 1);
	for (unsigned off = 0; off < sizeof(struct virtio_blk_config); off++)
		for (unsigned len = 1; len <= 8; len *= 2)
			if (off != offsetof(struct virtio_blk_config, wce) || len != 1)
				wr(DEVCFG + off, len, 0);
	assert_false(through());
	assert_int_equal(rd(DEVCFG, 4), SECTORS);
	detach();
}

static void read_only(void **state)
{
	(void)state;
	attach(",readonly=on");
	bring_up(F(RO), 1);
	memset(mem(DATA_GPA, 512), 0x77, 512);
	assert_int_equal(write_at(0, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(read_at(0, 512), VIRTIO_BLK_S_OK);
	assert_true(all(mem(DATA_GPA, 512), 512, 0));
	put_range(0, 0, 8, 0);
	assert_int_equal(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, 16, false), VIRTIO_BLK_S_IOERR);
	detach();
}

static void medium_shrinks(void **state)
{
	(void)state;
	attach("");
	bring_up(F(FLUSH), 1);
	assert_int_equal(truncate(path, 4096), 0);
	memset(mem(DATA_GPA, 512), 0x77, 512);
	assert_int_equal(read_at(4096, 512), VIRTIO_BLK_S_IOERR);
	assert_true(all(mem(DATA_GPA, 512), 512, 0));
	assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, 0, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(get_status(), 0xf);
	detach();
}

/* What the host says comes through as the only word that virtio has for it, and nothing of the data. */
static void medium_errors(void **state)
{
	static const int errors[] = {-EIO, -ENOSPC, -EFBIG, -ENODEV, -EROFS, -ENOMEM};
	struct vblk_pci *d;

	(void)state;
	attach(",engine=sync");
	bring_up(F(FLUSH), 1);
	d = dev->priv;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		fake_disk_error(d->blk.disk, errors[i]);
		memset(mem(DATA_GPA, 512), 0x77, 512);
		assert_int_equal(read_at(0, 512), VIRTIO_BLK_S_IOERR);
		assert_int_equal(used_len, 513);
		assert_true(all(mem(DATA_GPA, 512), 512, 0));
		assert_int_equal(write_at(0, 512), VIRTIO_BLK_S_IOERR);
		assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, 0, false), VIRTIO_BLK_S_IOERR);
		assert_int_equal(d->blk.q[0].stats->errors, 3 * (i + 1));
	}
	fake_disk_error(d->blk.disk, 0);
	assert_int_equal(write_at(0, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, 0, false), VIRTIO_BLK_S_OK);
	assert_int_equal(get_status(), 0xf);
	detach();
}

/* ---- many requests, and the end of a device ---- */

static void batches(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct vblk_pci *d;
		uint16_t id, ids[16];
		uint32_t len;

		attach(kinds[k].opts);
		d = dev->priv;
		fake_msix_on(dev, 2);
		bring_up(kinds[k].features, 1);
		for (unsigned round = 0; round < 20; round++) {
			for (unsigned i = 0; i < 16; i++)
				ids[i] =
					add(0, i, VIRTIO_BLK_T_OUT, 16 * i, DATA_GPA + 4096 * i, 4096, false);
			kick(0);
			for (unsigned i = 0; i < 16; i++) {
				uint64_t end = clock_ns() + 10 * NSEC_PER_SEC;

				while (!drv_get(&ring[0], &id, &len))
					assert_true(clock_ns() < end);
				assert_int_equal(len, 1);
				if (kinds[k].features & F_IN_ORDER)
					assert_int_equal(id, ids[i]);
			}
			for (unsigned i = 0; i < 16; i++)
				assert_int_equal(status_at(i), VIRTIO_BLK_S_OK);
		}
		assert_int_equal(d->blk.q[0].stats->descs, 320);
		assert_int_equal(d->blk.q[0].stats->bytes, 320 * 4096);
		assert_int_equal(d->blk.q[0].stats->host_requests, 320);
		assert_true(d->blk.q[0].stats->depth_sum >= 320);
		assert_true(d->blk.q[0].stats->interrupts >= 1 && d->blk.q[0].stats->interrupts <= 320);
		detach();
	}
}

/*
 * A reset while requests are under way: when it returns the device has let go of the memory, and
 * what was under way is whole or not there.
 */
static void reset_in_flight(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		attach(kinds[k].opts);
		for (unsigned round = 0; round < 50; round++) {
			struct drv_ring before;

			bring_up(kinds[k].features, 1);
			for (unsigned i = 0; i < 16; i++)
				add(0, i, VIRTIO_BLK_T_IN, 16 * i, DATA_GPA + 4096 * i, 4096, true);
			kick(0);
			if (round % 4)
				usleep(round * 4);
			wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
			before = ring[0];
			memset(mem(DATA_GPA, 16 * 4096), 0x99, 16 * 4096);
			memset(mem(ring[0].l.desc, 16384), 0x99, 16384);
			usleep(200);
			assert_true(all(mem(DATA_GPA, 16 * 4096), 16 * 4096, 0x99));
			assert_true(all(mem(before.l.desc, 16384), 16384, 0x99));
		}
		bring_up(kinds[k].features, 1);
		assert_int_equal(read_at(0, 512), VIRTIO_BLK_S_OK);
		detach();
	}
}

/* The same of one queue, while the other goes on. */
static void queue_reset(void **state)
{
	(void)state;
	attach(",queues=2");
	bring_up(F(MQ) | 1ull << VIRTIO_F_RING_RESET, 2);
	for (unsigned round = 0; round < 20; round++) {
		add(1, 1, VIRTIO_BLK_T_IN, 0, DATA_GPA + 8192, 4096, true);
		kick(1);
		wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
		wr(RESET_REG, 2, 1);
		memset(mem(DATA_GPA + 8192, 4096), 0x99, 4096);
		assert_int_equal(read_at(0, 4096), VIRTIO_BLK_S_OK);
		assert_true(all(mem(DATA_GPA + 8192, 4096), 4096, 0x99));
		set_queue(1, 64, F(MQ));
	}
	detach();
}

/* One head twice in a ring, and more chains than there are descriptors. */
static void heads_twice(void **state)
{
	(void)state;
	attach("");
	bring_up(0, 1);
	add(0, 0, VIRTIO_BLK_T_IN, 0, DATA_GPA, 4096, true);
	for (unsigned i = 0; i < 40; i++)
		drv_split_offer(&ring[0], 0);
	kick(0);
	for (unsigned n = 0; n < 5000 && !(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET); n++)
		usleep(1000);
	/* Either it saw the head while it was in flight, or each time a finished one. */
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	bring_up(0, 1);
	assert_int_equal(read_at(0, 512), VIRTIO_BLK_S_OK);
	detach();
}

/* ---- options ---- */

static void bad_options(void **state)
{
	static const char *const t[] = {",queues=0",  ",queues=9",     ",size=100",   ",size=8",
					",size=2048", ",engine=aio",   ",poll_us=-1", ",irq=msi",
					",flush=2",   ",cache=unsafe", ",colour=red", ",file=x"};

	(void)state;
	vm = fake_vm_create(4 * MIB);
	assert_int_equal(truncate(path, DISK_BYTES), 0);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		char text[256];

		snprintf(text, sizeof(text), "file=%s,direct=off%s", path, t[i]);
		assert_null(fake_attach(vm, &virtio_blk_ops, text));
	}
	assert_null(fake_attach(vm, &virtio_blk_ops, ""));
	detach();
}

static int make_file(void **state)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);

	(void)state;
	log_init("test", LOG_ERROR);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fd < 0 ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configuration),   cmocka_unit_test(knobs),
		cmocka_unit_test(read_and_write),  cmocka_unit_test(refused),
		cmocka_unit_test(framing),	   cmocka_unit_test(no_request_at_all),
		cmocka_unit_test(identity),	   cmocka_unit_test(ranges),
		cmocka_unit_test(many_ranges),	   cmocka_unit_test(no_discard),
		cmocka_unit_test(write_cache),
		cmocka_unit_test(read_only),	   cmocka_unit_test(medium_shrinks),
		cmocka_unit_test(medium_errors),
		cmocka_unit_test(batches),	   cmocka_unit_test(reset_in_flight),
		cmocka_unit_test(queue_reset),	   cmocka_unit_test(heads_twice),
		cmocka_unit_test(bad_options),
	};

	return cmocka_run_group_tests(tests, make_file, NULL);
}
