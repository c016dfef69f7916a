// SPDX-License-Identifier: MIT
/*
 * The NVMe controller on a machine without KVM: a driver that brings it up and moves data with
 * every shape of its pointers, and one that says what no driver should.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/fake.h"
#include "vmm/devices.h"
#include "vmm/devices/nvme/nvme.h"

#define DISK_BYTES (4 * MIB)
#define BLOCKS	   (DISK_BYTES / 512)
#define ASQ_AT	   0x100000
#define ACQ_AT	   0x102000
#define SQ_AT	   0x104000
#define CQ_AT	   0x108000
#define SHADOW_AT  0x10c000
#define EVENT_AT   0x10d000
#define LIST_AT	   0x110000
#define DATA_AT	   0x200000
#define ENTRIES	   16

enum { CC = 0x14, CSTS = 0x1c, AQA = 0x24, ASQ = 0x28, ACQ = 0x30, BELLS = 0x1000 };

static char path[64];
static struct vm *vm;
static struct pci_dev *dev;
static struct {
	gpa_t sq, cq;
	unsigned tail, head;
	bool phase;
	bool shadow;
} ring[2];

static void *mem(gpa_t gpa, uint64_t len)
{
	void *p = gmem_ptr(dev->gm, gpa, len);

	assert_non_null(p);
	return p;
}

static void wr(unsigned off, unsigned len, uint64_t val)
{
	fake_write(dev, 0, off, len, val);
}

static void bell(unsigned i, uint32_t val)
{
	if (ring[i / 2].shadow)
		__atomic_store_n((uint32_t *)mem(SHADOW_AT + 4 * i, 4), val, __ATOMIC_RELEASE);
	wr(BELLS + 4 * i, 4, val);
}

static void post(unsigned q, const struct nvme_cmd *cmd)
{
	memcpy(mem(ring[q].sq + 64 * ring[q].tail, 64), cmd, 64);
	ring[q].tail = (ring[q].tail + 1) % ENTRIES;
	bell(2 * q, ring[q].tail);
}

static bool completion(unsigned q, struct nvme_cqe *out)
{
	struct nvme_cqe *e = mem(ring[q].cq + 16 * ring[q].head, 16);
	uint16_t status = __atomic_load_n(&e->status, __ATOMIC_ACQUIRE);

	if ((status & 1) != ring[q].phase)
		return false;
	*out = *e;
	ring[q].head = (ring[q].head + 1) % ENTRIES;
	ring[q].phase ^= !ring[q].head;
	bell(2 * q + 1, ring[q].head);
	return true;
}

/* One command from beginning to end. */
static struct nvme_cqe command_end(unsigned q, const struct nvme_cmd *cmd)
{
	uint64_t end = clock_ns() + 10 * NSEC_PER_SEC;
	struct nvme_cqe e;

	post(q, cmd);
	while (!completion(q, &e))
		if (clock_ns() > end)
			fail_msg("no completion of opcode %u", cmd->opcode);
	assert_int_equal(e.cid, cmd->cid);
	return e;
}

/* Its status. */
static uint16_t command(unsigned q, const struct nvme_cmd *cmd)
{
	return command_end(q, cmd).status >> 1;
}

static void enable(void)
{
	memset(mem(ASQ_AT, 0x10000), 0, 0x10000);
	memset(ring, 0, sizeof(ring));
	ring[0].sq = ASQ_AT, ring[0].cq = ACQ_AT, ring[1].sq = SQ_AT, ring[1].cq = CQ_AT;
	ring[0].phase = ring[1].phase = true;
	wr(CC, 4, 0);
	wr(AQA, 4, (ENTRIES - 1) << 16 | (ENTRIES - 1));
	wr(ASQ, 8, ASQ_AT);
	wr(ACQ, 4, ACQ_AT);
	wr(ACQ + 4, 4, 0);
	wr(CC, 4, 0x460001);
	assert_int_equal(fake_read(dev, 0, CSTS, 4), 1);
}

static void make_queues(bool shadow)
{
	if (shadow)
		assert_int_equal(
			command(0, &(struct nvme_cmd){.opcode = 0x7c, .prp1 = SHADOW_AT, .prp2 = EVENT_AT}),
			0);
	assert_int_equal(command(0, &(struct nvme_cmd){.opcode = 5,
						       .prp1 = CQ_AT,
						       .cdw10 = (ENTRIES - 1) << 16 | 1,
						       .cdw11 = 3}),
			 0);
	assert_int_equal(command(0, &(struct nvme_cmd){.opcode = 1,
						       .prp1 = SQ_AT,
						       .cdw10 = (ENTRIES - 1) << 16 | 1,
						       .cdw11 = 1 << 16 | 1}),
			 0);
	ring[1].shadow = shadow;
}

static void bring_up(bool shadow)
{
	enable();
	make_queues(shadow);
}

static void attach_medium(const char *medium, const char *opts)
{
	char text[256];

	snprintf(text, sizeof(text), "file=%s,direct=off%s", medium, opts);
	vm = fake_vm_create(32 * MIB);
	dev = fake_attach(vm, &nvme_ops, text);
	assert_non_null(dev);
}

static void attach(const char *opts)
{
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(truncate(path, DISK_BYTES), 0);
	attach_medium(path, opts);
}

static uint16_t move(uint8_t opcode, uint64_t lba, unsigned blocks, gpa_t prp1, gpa_t prp2)
{
	return command(1, &(struct nvme_cmd){.opcode = opcode,
					     .cid = 7,
					     .nsid = 1,
					     .prp1 = prp1,
					     .prp2 = prp2,
					     .cdw10 = (uint32_t)lba,
					     .cdw11 = (uint32_t)(lba >> 32),
					     .cdw12 = blocks - 1});
}

/* A list of pages from DATA_AT on, in reverse, in lists of n entries each that chain. */
static void make_list(unsigned pages, unsigned per_list)
{
	gpa_t list = LIST_AT + NVME_PAGE - 8 * per_list;
	uint64_t *e = mem(list, 8 * per_list);

	for (unsigned i = 1, at = 0; i <= pages; i++) {
		if (at + 1 == per_list && i < pages) {
			list += NVME_PAGE;
			e[at] = list;
			e = mem(list, 8 * per_list);
			at = 0;
		}
		e[at++] = DATA_AT + (uint64_t)(pages - i) * NVME_PAGE;
	}
}

static void data_pointers(void **state)
{
	uint8_t was[128 * 1024];

	(void)state;
	for (unsigned mode = 0; mode < 4; mode++) {
		attach(mode & 1 ? ",engine=sync" : ",engine=io_uring");
		bring_up(mode & 2);
		for (size_t i = 0; i < sizeof(was); i++)
			was[i] = (uint8_t)(i * 31 + i / 4096);
		memcpy(mem(DATA_AT, sizeof(was)), was, sizeof(was));
		/* One page, two that begin amid the first, a list. */
		assert_int_equal(move(1, 8, 8, DATA_AT, 0), 0);
		assert_int_equal(move(1, 16, 8, DATA_AT + 512, DATA_AT + NVME_PAGE), 0);
		make_list(31, 512);
		assert_int_equal(move(1, 1024, 256, DATA_AT + 31 * NVME_PAGE, LIST_AT), 0);
		make_list(31, 5);
		memset(mem(DATA_AT, sizeof(was)), 0, sizeof(was));
		assert_int_equal(move(2, 1024, 256, DATA_AT + 31 * NVME_PAGE, LIST_AT + NVME_PAGE - 40), 0);
		assert_memory_equal(mem(DATA_AT, sizeof(was)), was, sizeof(was));
		assert_int_equal(move(2, 8, 8, DATA_AT + NVME_PAGE, 0), 0);
		assert_memory_equal(mem(DATA_AT + NVME_PAGE, 4096), was, 4096);
		assert_int_equal(move(2, 16, 8, DATA_AT, 0), 0);
		assert_memory_equal(mem(DATA_AT, 3584), was + 512, 3584);
		for (unsigned i = 0; i < 100; i++) /* laps */
			assert_int_equal(move(2, i, 1, DATA_AT, 0), 0);
		fake_vm_destroy(vm);
	}
}

static void refused(void **state)
{
	static const struct {
		struct nvme_cmd c;
		uint16_t status;
	} t[] = {
		{{.opcode = 2, .nsid = 1, .prp1 = DATA_AT, .cdw10 = BLOCKS}, NVME_LBA_RANGE},
		{{.opcode = 1, .nsid = 1, .prp1 = DATA_AT, .cdw10 = BLOCKS - 1, .cdw12 = 1}, NVME_LBA_RANGE},
		{{.opcode = 2, .nsid = 1, .prp1 = DATA_AT, .cdw10 = ~0u, .cdw11 = ~0u}, NVME_LBA_RANGE},
		{{.opcode = 2, .nsid = 1, .prp1 = DATA_AT, .cdw11 = 0x800000}, NVME_LBA_RANGE}, /* wraps */
		{{.opcode = 2, .nsid = 1, .prp1 = DATA_AT, .cdw12 = 2048}, NVME_INVALID_FIELD}, /* > MDTS */
		{{.opcode = 2, .nsid = 1, .prp1 = DATA_AT + 1}, NVME_BAD_PRP_OFFSET},
		{{.opcode = 2, .nsid = 1, .prp1 = DATA_AT, .prp2 = DATA_AT + 4, .cdw12 = 15},
		 NVME_BAD_PRP_OFFSET},
		{{.opcode = 2, .nsid = 1, .prp1 = 1ull << 40}, NVME_DATA_ERROR},
		{{.opcode = 2, .nsid = 1, .prp1 = UINT64_MAX - 511}, NVME_DATA_ERROR},
		{{.opcode = 2, .nsid = 1, .prp1 = DATA_AT, .prp2 = 1ull << 40, .cdw12 = 31}, NVME_DATA_ERROR},
		{{.opcode = 2, .nsid = 1, .flags = 0x40, .prp1 = DATA_AT}, NVME_INVALID_FIELD},
		{{.opcode = 2, .nsid = 2, .prp1 = DATA_AT}, NVME_INVALID_NS},
		{{.opcode = 2, .nsid = 0, .prp1 = DATA_AT}, NVME_INVALID_NS},
		{{.opcode = 2, .nsid = UINT32_MAX, .prp1 = DATA_AT}, NVME_INVALID_NS},
		{{.opcode = 0x80, .nsid = 1}, NVME_INVALID_OPCODE},
		{{.opcode = 8, .nsid = 1, .cdw10 = BLOCKS}, NVME_LBA_RANGE},
		{{.opcode = 8, .nsid = 1, .cdw12 = 7}, NVME_OK},
		{{.opcode = 0, .nsid = UINT32_MAX}, NVME_OK},
		{{.opcode = 9, .nsid = 1, .prp1 = 1ull << 40, .cdw11 = 4}, NVME_DATA_ERROR},
		{{.opcode = 9, .nsid = 1, .cdw11 = 1}, NVME_OK},
	};

	(void)state;
	attach("");
	bring_up(false);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		uint16_t status = command(1, &t[i].c);

		if (status != t[i].status)
			fail_msg("case %zu: status %x", i, status);
	}
	fake_vm_destroy(vm);
}

/*
 * Lists that point to themselves end with the data, or are refused (they must not go on for ever).
 */
static void lists_that_loop(void **state)
{
	uint64_t *list;

	(void)state;
	attach("");
	bring_up(false);
	list = mem(LIST_AT, NVME_PAGE);
	list[511] = LIST_AT + NVME_PAGE - 8;
	assert_int_equal(move(2, 0, 1024, DATA_AT, LIST_AT + NVME_PAGE - 8), NVME_DATA_ERROR);
	for (unsigned i = 0; i < 512; i++)
		list[i] = LIST_AT;
	assert_int_equal(move(2, 0, 2048, DATA_AT, LIST_AT), 0); /* over the list itself: its own memory */
	fake_vm_destroy(vm);
}

static void ranges(void **state)
{
	struct {
		uint32_t attributes, blocks;
		uint64_t lba;
	} r[] = {{0, 8, 8}, {0, 0, 0}, {0, 8, 24}};
	uint8_t *data;

	(void)state;
	attach("");
	bring_up(false);
	data = mem(DATA_AT, 32 * 512);
	memset(data, 0x55, 32 * 512);
	make_list(3, 8);
	assert_int_equal(move(1, 0, 8, DATA_AT, 0), 0);
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(move(1, 8 * i, 8, DATA_AT, 0), 0);
	memcpy(mem(LIST_AT, sizeof(r)), r, sizeof(r));
	assert_int_equal(
		command(1,
			&(struct nvme_cmd){.opcode = 9, .nsid = 1, .prp1 = LIST_AT, .cdw10 = 2, .cdw11 = 4}),
		0);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(move(2, 8 * i, 8, DATA_AT, 0), 0);
		assert_int_equal(data[100], i % 2 ? 0 : 0x55);
	}
	r[0].lba = UINT64_MAX / 512;
	memcpy(mem(LIST_AT, sizeof(r)), r, sizeof(r));
	assert_int_equal(command(1, &(struct nvme_cmd){.opcode = 9, .nsid = 1, .prp1 = LIST_AT, .cdw11 = 4}),
			 NVME_LBA_RANGE);
	fake_vm_destroy(vm);
}

/* Each error of the host has its own word here. */
static void medium_errors(void **state)
{
	static const struct {
		int err;
		uint16_t read, write, flush;
	} t[] = {
		{-EIO, NVME_READ_ERROR, NVME_WRITE_FAULT, NVME_WRITE_FAULT},
		{-ENODEV, NVME_READ_ERROR, NVME_WRITE_FAULT, NVME_WRITE_FAULT},
		{-ENOSPC, NVME_CAPACITY, NVME_CAPACITY, NVME_CAPACITY},
		{-EFBIG, NVME_CAPACITY, NVME_CAPACITY, NVME_CAPACITY},
		{-EROFS, NVME_READ_ONLY, NVME_READ_ONLY, NVME_READ_ONLY},
		{0, NVME_OK, NVME_OK, NVME_OK},
	};

	(void)state;
	attach(",engine=sync");
	bring_up(false);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		fake_disk_error(((struct nvme *)dev->priv)->disk, t[i].err);
		assert_int_equal(move(2, 0, 1, DATA_AT, 0), t[i].read);
		assert_int_equal(move(1, 0, 1, DATA_AT, 0), t[i].write);
		assert_int_equal(command(1, &(struct nvme_cmd){.opcode = 0, .nsid = 1}), t[i].flush);
	}
	fake_vm_destroy(vm);
	attach(",readonly=on");
	bring_up(false);
	assert_int_equal(move(1, 0, 1, DATA_AT, 0), NVME_READ_ONLY);
	assert_int_equal(command(1, &(struct nvme_cmd){.opcode = 8, .nsid = 1}), NVME_READ_ONLY);
	assert_int_equal(move(2, 0, 1, DATA_AT, 0), NVME_OK);
	fake_vm_destroy(vm);
	attach("");
	bring_up(false);
	assert_int_equal(truncate(path, DISK_BYTES / 2), 0);
	assert_int_equal(move(2, BLOCKS - 1, 1, DATA_AT, 0), NVME_READ_ERROR);
	assert_int_equal(move(1, 0, 1, DATA_AT, 0), NVME_WRITE_FAULT); /* from then on, all of it */
	fake_vm_destroy(vm);
}

static unsigned optional_commands(void)
{
	uint16_t oncs;

	assert_int_equal(command(0, &(struct nvme_cmd){.opcode = 6, .prp1 = DATA_AT, .cdw10 = 1}), 0);
	memcpy(&oncs, mem(DATA_AT + 520, 2), 2);
	return oncs;
}

/* Dataset management is there where the medium can discard, and only there. */
static void no_discard(void **state)
{
	static const struct nvme_cmd dataset = {.opcode = 9, .nsid = 1, .prp1 = LIST_AT, .cdw11 = 4};
	uint32_t range[4] = {0, 8, 0, 0};
	char medium[64];
	int fd;

	(void)state;
	attach("");
	bring_up(false);
	assert_int_equal(optional_commands(), 0xc);
	memcpy(mem(LIST_AT, sizeof(range)), range, sizeof(range));
	assert_int_equal(command(1, &dataset), NVME_OK);
	fake_vm_destroy(vm);
	fd = fake_medium_no_holes(DISK_BYTES, medium);
	attach_medium(medium, "");
	bring_up(false);
	assert_int_equal(optional_commands(), 8);
	memcpy(mem(LIST_AT, sizeof(range)), range, sizeof(range));
	assert_int_equal(command(1, &dataset), NVME_INVALID_OPCODE);
	assert_int_equal(command(1, &(struct nvme_cmd){.opcode = 9, .nsid = 1}), NVME_INVALID_OPCODE);
	fake_vm_destroy(vm);
	close(fd);
}

static void admin(void **state)
{
	static const struct {
		struct nvme_cmd c;
		uint16_t status;
	} t[] = {
		{{.opcode = 6, .prp1 = DATA_AT, .cdw10 = 1}, NVME_OK},
		{{.opcode = 6, .prp1 = DATA_AT, .nsid = 1}, NVME_OK},
		{{.opcode = 6, .prp1 = DATA_AT, .nsid = 2}, NVME_INVALID_NS},
		{{.opcode = 6, .prp1 = DATA_AT, .cdw10 = 99}, NVME_INVALID_FIELD},
		{{.opcode = 6, .prp1 = UINT64_MAX, .cdw10 = 1}, NVME_DATA_ERROR},
		{{.opcode = 2, .prp1 = DATA_AT, .cdw10 = 0xffff0002, .cdw11 = 0xffff},
		 NVME_OK}, /* a long log */
		{{.opcode = 5, .prp1 = CQ_AT, .cdw10 = 15 << 16, .cdw11 = 1}, NVME_QID_INVALID},
		{{.opcode = 5, .prp1 = CQ_AT, .cdw10 = 15 << 16 | 1, .cdw11 = 1},
		 NVME_QID_INVALID}, /* there is one */
		{{.opcode = 5, .prp1 = CQ_AT, .cdw10 = 15 << 16 | 9, .cdw11 = 1}, NVME_QID_INVALID},
		{{.opcode = 5, .prp1 = CQ_AT, .cdw10 = 2, .cdw11 = 1}, NVME_QSIZE_INVALID},
		{{.opcode = 5, .prp1 = CQ_AT, .cdw10 = 0xffff0002, .cdw11 = 1}, NVME_QSIZE_INVALID},
		{{.opcode = 5, .prp1 = CQ_AT, .cdw10 = 15 << 16 | 2, .cdw11 = 0xffff0003},
		 NVME_VECTOR_INVALID},
		{{.opcode = 5, .prp1 = 1ull << 40, .cdw10 = 15 << 16 | 2, .cdw11 = 1}, NVME_DATA_ERROR},
		{{.opcode = 1, .prp1 = SQ_AT, .cdw10 = 15 << 16 | 2, .cdw11 = 2 << 16 | 1}, NVME_CQ_INVALID},
		{{.opcode = 4, .cdw10 = 1}, NVME_QUEUE_DELETION}, /* its submission queue is there */
		{{.opcode = 0, .cdw10 = 0}, NVME_QID_INVALID},
		{{.opcode = 0, .cdw10 = 1}, NVME_OK},
		{{.opcode = 0, .cdw10 = 1}, NVME_QID_INVALID},
		{{.opcode = 4, .cdw10 = 1}, NVME_OK},
		{{.opcode = 0x7c, .prp1 = 1ull << 40, .prp2 = EVENT_AT}, NVME_INVALID_FIELD},
		{{.opcode = 0xff}, NVME_INVALID_OPCODE},
	};

	(void)state;
	attach(",queues=2");
	bring_up(false);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		uint16_t status = command(0, &t[i].c);

		if (status != t[i].status)
			fail_msg("case %zu: status %x", i, status);
	}
	for (unsigned i = 0; i < NVME_EVENTS; i++)
		post(0, &(struct nvme_cmd){.opcode = 12});
	assert_int_equal(command(0, &(struct nvme_cmd){.opcode = 12}), NVME_EVENT_LIMIT);
	fake_vm_destroy(vm);
}

/* The same, of what a driver asks before it has a queue: each field that can be wrong, one by one. */
static void admin_without_queues(void **state)
{
	static const struct {
		struct nvme_cmd c;
		uint16_t status;
		uint32_t result;
	} t[] = {
		{{.opcode = 6, .prp1 = DATA_AT, .cdw10 = 2}, NVME_OK, 0},
		{{.opcode = 6, .prp1 = DATA_AT, .cdw10 = 2, .nsid = UINT32_MAX}, NVME_INVALID_NS, 0},
		{{.opcode = 6, .prp1 = DATA_AT, .cdw10 = 2, .nsid = UINT32_MAX - 1}, NVME_INVALID_NS, 0},
		{{.opcode = 6, .prp1 = DATA_AT, .cdw10 = 3, .nsid = 1}, NVME_OK, 0},
		{{.opcode = 6, .prp1 = DATA_AT, .cdw10 = 3, .nsid = 2}, NVME_INVALID_NS, 0},
		/* Data in two pages, of which the second is none. */
		{{.opcode = 6, .prp1 = DATA_AT + 512, .prp2 = 1ull << 40, .cdw10 = 1}, NVME_DATA_ERROR, 0},
		{{.opcode = 2, .prp1 = DATA_AT, .cdw10 = 0}, 0x4109, 0},
		{{.opcode = 2, .prp1 = DATA_AT, .cdw10 = 4}, 0x4109, 0},
		{{.opcode = 5, .prp1 = CQ_AT, .cdw10 = 15 << 16 | 1}, NVME_INVALID_FIELD, 0},
		{{.opcode = 5, .prp1 = CQ_AT + 64, .cdw10 = 15 << 16 | 1, .cdw11 = 1}, NVME_INVALID_FIELD, 0},
		{{.opcode = 4, .cdw10 = 1}, NVME_QID_INVALID, 0},
		{{.opcode = 4, .cdw10 = 0}, NVME_QID_INVALID, 0},
		{{.opcode = 5, .prp1 = CQ_AT, .cdw10 = 15 << 16 | 1, .cdw11 = 1}, NVME_OK, 0},
		{{.opcode = 1, .prp1 = SQ_AT, .cdw10 = 15 << 16, .cdw11 = 1 << 16 | 1}, NVME_QID_INVALID, 0},
		{{.opcode = 1, .prp1 = SQ_AT, .cdw10 = 15 << 16 | 3, .cdw11 = 1 << 16 | 1},
		 NVME_QID_INVALID,
		 0},
		{{.opcode = 1, .prp1 = SQ_AT, .cdw10 = 15 << 16 | 1, .cdw11 = 1}, NVME_CQ_INVALID, 0},
		{{.opcode = 1, .prp1 = SQ_AT, .cdw10 = 1, .cdw11 = 1 << 16 | 1}, NVME_QSIZE_INVALID, 0},
		{{.opcode = 1, .prp1 = SQ_AT, .cdw10 = 15 << 16 | 1, .cdw11 = 1 << 16},
		 NVME_INVALID_FIELD,
		 0},
		{{.opcode = 1, .prp1 = SQ_AT + 4, .cdw10 = 15 << 16 | 1, .cdw11 = 1 << 16 | 1},
		 NVME_INVALID_FIELD,
		 0},
		{{.opcode = 1, .prp1 = 1ull << 40, .cdw10 = 15 << 16 | 1, .cdw11 = 1 << 16 | 1},
		 NVME_DATA_ERROR,
		 0},
		{{.opcode = 10, .cdw10 = 7}, NVME_OK, 1 << 16 | 1},
		{{.opcode = 9, .cdw10 = 7, .cdw11 = 0xffff}, NVME_OK, 1 << 16 | 1},
		{{.opcode = 10, .cdw10 = 6}, NVME_OK, 1},
		{{.opcode = 9, .cdw10 = 11}, NVME_OK, 0},
		{{.opcode = 10, .cdw10 = 3}, NVME_INVALID_FIELD, 0},
		{{.opcode = 10, .cdw10 = 0}, NVME_INVALID_FIELD, 0},
		{{.opcode = 8, .cdw10 = 5 << 16}, NVME_OK, 1}, /* not aborted */
		{{.opcode = 0x7c, .prp1 = SHADOW_AT + 8, .prp2 = EVENT_AT}, NVME_INVALID_FIELD, 0},
		{{.opcode = 0x7c, .prp1 = SHADOW_AT, .prp2 = 1ull << 40}, NVME_INVALID_FIELD, 0},
	};

	(void)state;
	attach(",queues=2");
	enable();
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct nvme_cqe e = command_end(0, &t[i].c);

		if (e.status >> 1 != t[i].status || e.result != t[i].result)
			fail_msg("case %zu: status %x, result %x", i, e.status >> 1, e.result);
	}
	fake_vm_destroy(vm);
}

static void what_the_controller_says(void **state)
{
	uint8_t *page;

	(void)state;
	attach(",shadow=off,serial=abc");
	enable();
	assert_int_equal(command(0, &(struct nvme_cmd){.opcode = 0x7c, .prp1 = SHADOW_AT, .prp2 = EVENT_AT}),
			 NVME_INVALID_OPCODE);
	page = mem(DATA_AT, 2 * NVME_PAGE);
	/* From amid a page on. */
	assert_int_equal(command(0, &(struct nvme_cmd){.opcode = 6,
						       .prp1 = DATA_AT + 512,
						       .prp2 = DATA_AT + NVME_PAGE,
						       .cdw10 = 1}),
			 NVME_OK);
	assert_memory_equal(page + 512 + 4, "abc                 ", 20);
	assert_int_equal(page[512 + 256], 0); /* no shadow doorbells */
	assert_int_equal(command(0, &(struct nvme_cmd){.opcode = 6, .prp1 = DATA_AT, .cdw10 = 2}), NVME_OK);
	assert_int_equal(page[0], 1); /* the one namespace */
	assert_int_equal(command(0, &(struct nvme_cmd){.opcode = 6, .prp1 = DATA_AT, .cdw10 = 2, .nsid = 1}),
			 NVME_OK);
	assert_int_equal(page[0], 0);
	assert_int_equal(command(0, &(struct nvme_cmd){.opcode = 6, .prp1 = DATA_AT, .cdw10 = 3, .nsid = 1}),
			 NVME_OK);
	assert_memory_equal(page + 4, "abc", 3);
	fake_vm_destroy(vm);
}

/* Registers that a running controller does not let go, and those that are not there. */
static void registers(void **state)
{
	(void)state;
	attach("");
	assert_int_equal(fake_read(dev, 0, 0, 8) & 0xffff, NVME_ENTRIES - 1);
	assert_int_equal(fake_read(dev, 0, 8, 4), 0x10400);
	enable();
	wr(AQA, 4, 0);
	wr(ASQ, 8, 0);
	wr(ACQ + 4, 4, 7);
	assert_int_equal(fake_read(dev, 0, AQA, 4), (ENTRIES - 1) << 16 | (ENTRIES - 1));
	assert_int_equal(fake_read(dev, 0, ASQ, 8), ASQ_AT);
	assert_int_equal(fake_read(dev, 0, ACQ + 4, 4), 0);
	wr(CC, 2, 0); /* narrower than a register */
	assert_int_equal(fake_read(dev, 0, CSTS, 4), 1);
	wr(0xc, 4, 5);
	wr(0x10, 4, 4);
	assert_int_equal(fake_read(dev, 0, 0xc, 4), 1);
	assert_int_equal(fake_read(dev, 0, 0x10, 4), 1);
	assert_int_equal(fake_read(dev, 0, 0x800, 8), 0);
	/* An orderly shutdown, taken back. */
	wr(CC, 4, 0x464001);
	assert_int_equal(fake_read(dev, 0, CSTS, 4), 1 | 8);
	wr(CC, 4, 0x460001);
	assert_int_equal(fake_read(dev, 0, CSTS, 4), 1);
	fake_vm_destroy(vm);
}

/* Without MSI-X: the line, unless it is masked; down with the driver's doorbell. */
static void line_interrupt(void **state)
{
	uint64_t end = clock_ns() + 10 * NSEC_PER_SEC;
	struct nvme_cqe e;
	bool *line;

	(void)state;
	attach("");
	line = &fake_of(vm)->line[pci_dev_gsi(dev)];
	enable();
	post(0, &(struct nvme_cmd){.opcode = 8});
	while (!__atomic_load_n(line, __ATOMIC_ACQUIRE) && clock_ns() < end)
		usleep(100);
	assert_true(*line);
	assert_true(completion(0, &e));
	assert_false(*line);
	wr(0xc, 4, 1);
	assert_int_equal(command(0, &(struct nvme_cmd){.opcode = 8}), NVME_OK);
	usleep(1000);
	assert_false(*line);
	fake_vm_destroy(vm);
}

/* Completions that the driver does not take: commands wait for room, and none is lost. */
static void a_full_completion_queue(void **state)
{
	uint64_t end = clock_ns() + 10 * NSEC_PER_SEC;
	struct nvme_cqe e;
	unsigned got = 0;

	(void)state;
	for (unsigned shadow = 0; shadow < 2; shadow++) {
		attach("");
		bring_up(shadow);
		for (unsigned i = 0; i < ENTRIES - 1; i++)
			post(1, &(struct nvme_cmd){.opcode = 0, .cid = (uint16_t)i, .nsid = 1});
		for (got = 0; got < 100 && clock_ns() < end;) {
			if (!completion(1, &e))
				continue;
			got++;
			post(1, &(struct nvme_cmd){.opcode = 0, .nsid = 1});
		}
		assert_int_equal(got, 100);
		fake_vm_destroy(vm);
	}
}

/* Doorbells of queues that are not there, and tails that are outside of them. */
static void doorbells(void **state)
{
	(void)state;
	attach("");
	for (unsigned i = 0; i < 32; i++)
		wr(BELLS + 4 * i, 4, 5); /* before it is enabled */
	bring_up(false);
	for (unsigned i = 4; i < 0xc00; i++)
		wr(BELLS + 4 * i, 4, ~0u);
	wr(BELLS + 8, 4, ENTRIES);
	wr(BELLS + 8, 4, ~0u);
	wr(BELLS + 12, 4, ~0u);
	assert_int_equal(move(2, 0, 1, DATA_AT, 0), 0);
	fake_vm_destroy(vm);
}

static void reset_in_flight(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 2; mode++) {
		attach(mode ? ",engine=sync" : "");
		for (unsigned round = 0; round < 50; round++) {
			bring_up(round & 1);
			for (unsigned i = 0; i < 8; i++)
				post(1, &(struct nvme_cmd){.opcode = 2,
							   .nsid = 1,
							   .prp1 = DATA_AT + i * NVME_PAGE,
							   .cdw10 = 8 * i,
							   .cdw12 = 7});
			if (round % 4)
				usleep(round * 4);
			wr(CC, 4, 0);
			assert_int_equal(fake_read(dev, 0, CSTS, 4), 0);
			memset(mem(DATA_AT, 32768), 0x99, 32768);
			memset(mem(CQ_AT, 256), 0x99, 256);
			usleep(100);
			for (unsigned i = 0; i < 32768; i++)
				assert_int_equal(((uint8_t *)mem(DATA_AT, 32768))[i], 0x99);
			assert_int_equal(*(uint8_t *)mem(CQ_AT, 1), 0x99);
		}
		fake_vm_destroy(vm);
	}
}

/* 5.7: a reset ends them. Their pages are the driver's again, and who has not asked for new ones rings. */
static void shadow_doorbells_end_with_a_reset(void **state)
{
	(void)state;
	attach("");
	bring_up(true);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(move(2, i, 1, DATA_AT, 0), 0);
	wr(CC, 4, 0);
	enable();
	memset(mem(SHADOW_AT, NVME_PAGE), 0x99, NVME_PAGE);
	memset(mem(EVENT_AT, NVME_PAGE), 0x99, NVME_PAGE);
	make_queues(false);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(move(2, i, 1, DATA_AT, 0), 0);
	for (unsigned i = 0; i < NVME_PAGE; i++) {
		assert_int_equal(*(uint8_t *)mem(SHADOW_AT + i, 1), 0x99);
		assert_int_equal(*(uint8_t *)mem(EVENT_AT + i, 1), 0x99);
	}
	fake_vm_destroy(vm);
}

/* Admin queues that are no memory, too small or misaligned; page sizes that we have not. */
static void bad_enable(void **state)
{
	static const struct {
		uint32_t aqa, cc;
		uint64_t asq, acq;
	} t[] = {
		{0xf000f, 1, 1ull << 40, ACQ_AT}, {0xf000f, 1, ASQ_AT, UINT64_MAX & ~0xfffull},
		{0xf000f, 1, ASQ_AT + 8, ACQ_AT}, {0, 1, ASQ_AT, ACQ_AT}, {0xf000f, 0x81, ASQ_AT, ACQ_AT},
	};

	(void)state;
	attach("");
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		wr(CC, 4, 0);
		wr(AQA, 4, t[i].aqa);
		wr(ASQ, 8, t[i].asq);
		wr(ACQ, 8, t[i].acq);
		wr(CC, 4, t[i].cc);
		assert_int_equal(fake_read(dev, 0, CSTS, 4), 2);
	}
	bring_up(false);
	assert_int_equal(move(2, 0, 1, DATA_AT, 0), 0);
	fake_vm_destroy(vm);
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
		cmocka_unit_test(data_pointers),
		cmocka_unit_test(refused),
		cmocka_unit_test(lists_that_loop),
		cmocka_unit_test(ranges),
		cmocka_unit_test(admin),
		cmocka_unit_test(admin_without_queues),
		cmocka_unit_test(what_the_controller_says),
		cmocka_unit_test(registers),
		cmocka_unit_test(line_interrupt),
		cmocka_unit_test(a_full_completion_queue),
		cmocka_unit_test(doorbells),
		cmocka_unit_test(no_discard),
		cmocka_unit_test(shadow_doorbells_end_with_a_reset),
		cmocka_unit_test(medium_errors),
		cmocka_unit_test(bad_enable),
		cmocka_unit_test(reset_in_flight),
	};

	return cmocka_run_group_tests(tests, make_file, NULL);
}
