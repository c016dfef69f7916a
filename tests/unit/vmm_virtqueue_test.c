// SPDX-License-Identifier: MIT
/* Virtqueues in plain memory, driven by an honest driver and by hostile ones. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <cmocka.h>

#include "tests/unit/drv_ring.h"
#include "tests/unit/seed.h"

#define RING_GPA 0x10000
#define BUF_GPA  0x200000
#define RAM      (4 * MIB)
#define SIZE     8

struct rig {
	struct gmem *gm;
	struct drv_ring drv;
	struct virtq vq;
	struct virtq_chain c;
	struct iovec iov[VIRTQ_SIZE_MAX];
};

static struct rig rig;

static int setup(void **state)
{
	(void)state;
	return gmem_create(&rig.gm, RAM);
}

static int teardown(void **state)
{
	(void)state;
	gmem_destroy(rig.gm);
	return 0;
}

static void start(uint16_t size, uint64_t features)
{
	drv_ring_init(&rig.drv, rig.gm, RING_GPA, size, features);
	assert_int_equal(virtq_start(&rig.vq, rig.gm, &rig.drv.l, features, virtq_base_new(features)), 0);
}

static int pop(void)
{
	return virtq_pop(&rig.vq, &rig.c, rig.iov, VIRTQ_SIZE_MAX);
}

static const uint64_t layouts[] = {
	0, F_INDIRECT, F_EVENT_IDX, F_INDIRECT | F_EVENT_IDX,
	F_PACKED, F_PACKED | F_INDIRECT, F_PACKED | F_EVENT_IDX, F_PACKED | F_INDIRECT | F_EVENT_IDX,
	F_IN_ORDER, F_PACKED | F_IN_ORDER,
};

static const char *layout_name(uint64_t f)
{
	static char buf[64];

	snprintf(buf, sizeof(buf), "%s%s%s%s", f & F_PACKED ? "packed" : "split",
		 f & F_INDIRECT ? "+indirect" : "", f & F_EVENT_IDX ? "+event_idx" : "",
		 f & F_IN_ORDER ? "+in_order" : "");
	return buf;
}

/* Requests of 1..4 segments for many laps around the ring; every one comes back once, with its length. */
static void round_trips(uint64_t features)
{
	struct virtq_chain none;
	unsigned seed = 1;

	start(SIZE, features);
	for (unsigned i = 0; i < 5000; i++) {
		unsigned n = 1 + rand_r(&seed) % 4, n_out = rand_r(&seed) % (n + 1);
		struct drv_seg seg[4];
		uint32_t len;
		uint16_t id, got;

		for (unsigned k = 0; k < n; k++)
			seg[k] = (struct drv_seg){BUF_GPA + 4096 * k, 100 + k, k >= n_out};
		id = drv_add(&rig.drv, seg, n, features & F_INDIRECT && n > 1);
		assert_int_equal(pop(), 1);
		assert_int_equal(rig.c.n_out, n_out);
		assert_int_equal(rig.c.n_in, n - n_out);
		for (unsigned k = 0; k < n; k++) {
			assert_ptr_equal(rig.iov[k].iov_base, gmem_ptr(rig.gm, seg[k].gpa, 1));
			assert_int_equal(rig.iov[k].iov_len, seg[k].len);
		}
		assert_int_equal(virtq_pop(&rig.vq, &none, rig.iov, VIRTQ_SIZE_MAX), 0);
		virtq_push(&rig.vq, &rig.c, n_out < n ? i : 0);
		assert_false(drv_get(&rig.drv, &got, &len)); /* not before publish */
		virtq_publish(&rig.vq);
		assert_true(drv_get(&rig.drv, &got, &len));
		assert_int_equal(got, id);
		assert_int_equal(len, n_out < n ? i : 0);
	}
}

static void test_round_trips(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		print_message("  %s\n", layout_name(layouts[i]));
		round_trips(layouts[i]);
	}
}

/* Several chains at once, completed out of order, seen as one batch. */
static void test_batches(void **state)
{
	static const uint8_t order[] = {2, 0, 3, 1};
	const struct drv_seg seg = {BUF_GPA, 64, true};
	struct virtq_chain c[4];
	struct iovec iov[4][4];
	uint16_t id;
	uint32_t len;

	(void)state;
	for (size_t f = 0; f < 8; f++) {
		start(SIZE, layouts[f]);
		for (unsigned lap = 0; lap < 50; lap++) {
			for (unsigned i = 0; i < 4; i++) {
				drv_add(&rig.drv, &seg, 1, false);
				assert_int_equal(virtq_pop(&rig.vq, &c[i], iov[i], 4), 1);
			}
			for (unsigned i = 0; i < 4; i++)
				virtq_push(&rig.vq, &c[order[i]], 10u + order[i]);
			assert_false(drv_get(&rig.drv, &id, &len));
			virtq_publish(&rig.vq);
			for (unsigned i = 0; i < 4; i++) {
				assert_true(drv_get(&rig.drv, &id, &len));
				assert_int_equal(id, c[order[i]].id);
				assert_int_equal(len, 10 + order[i]);
			}
			assert_false(drv_get(&rig.drv, &id, &len));
		}
	}
}

/* In order: three transmitted buffers are one used entry that carries the last one's ID. */
static void test_in_order_batch(void **state)
{
	const struct drv_seg seg = {BUF_GPA, 64, false};
	struct virtq_chain c[3];
	struct iovec iov[3];

	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		start(SIZE, F_IN_ORDER | (packed ? F_PACKED : 0));
		for (unsigned i = 0; i < 3; i++) {
			drv_add(&rig.drv, &seg, 1, false);
			assert_int_equal(virtq_pop(&rig.vq, &c[i], &iov[i], 1), 1);
		}
		for (unsigned i = 0; i < 3; i++)
			virtq_push(&rig.vq, &c[i], 0);
		virtq_publish(&rig.vq);
		if (packed) {
			assert_int_equal(rig.drv.pdesc[0].id, c[2].id);
			assert_int_equal(rig.vq.used_idx, 3);
		} else {
			assert_int_equal(rig.drv.used->idx, 3);
			assert_int_equal(rig.drv.used->ring[0].id, c[2].id);
		}
	}
}

static void test_unpop_and_base(void **state)
{
	const struct drv_seg seg[2] = {{BUF_GPA, 64, true}, {BUF_GPA + 64, 64, true}};
	struct virtq_chain c[3];
	struct iovec iov[3][2];
	uint32_t base, len;
	uint16_t id;

	(void)state;
	for (size_t f = 0; f < 8; f++) {
		start(SIZE, layouts[f]);
		for (unsigned lap = 0; lap < 40; lap++) {
			for (unsigned i = 0; i < 3; i++) {
				drv_add(&rig.drv, seg, 2, false);
				assert_int_equal(virtq_pop(&rig.vq, &c[i], iov[i], 2), 1);
			}
			virtq_push(&rig.vq, &c[0], 1);
			virtq_publish(&rig.vq);
			virtq_unpop(&rig.vq, &c[2]);
			virtq_unpop(&rig.vq, &c[1]);
			base = virtq_base(&rig.vq);
			assert_int_equal(virtq_start(&rig.vq, rig.gm, &rig.drv.l, layouts[f], base), 0);
			for (unsigned i = 1; i < 3; i++) {
				assert_int_equal(pop(), 1);
				assert_int_equal(rig.c.id, c[i].id);
				virtq_push(&rig.vq, &rig.c, 1);
			}
			assert_int_equal(pop(), 0);
			virtq_publish(&rig.vq);
			for (unsigned i = 0; i < 3; i++)
				assert_true(drv_get(&rig.drv, &id, &len));
		}
	}
}

/* ---- notifications ---- */

static unsigned complete(unsigned n)
{
	const struct drv_seg seg = {BUF_GPA, 64, true};
	uint16_t id;
	uint32_t len;

	for (unsigned i = 0; i < n; i++) {
		drv_add(&rig.drv, &seg, 1, false);
		assert_int_equal(pop(), 1);
		virtq_push(&rig.vq, &rig.c, 1);
	}
	virtq_publish(&rig.vq);
	for (unsigned i = 0; i < n; i++)
		assert_true(drv_get(&rig.drv, &id, &len));
	return virtq_should_call(&rig.vq);
}

/*
 * "Interrupt me when the buffer after the next `delay` is used", asked anew after each interrupt: one in
 * delay + 1.
 */
static void test_call_event_idx(void **state)
{
	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		for (unsigned delay = 0; delay < SIZE; delay++) {
			unsigned calls = 0, expect = 0;

			start(SIZE, F_EVENT_IDX | (packed ? F_PACKED : 0));
			rig.drv.pdriver->flags = packed ? VRING_PACKED_EVENT_FLAG_DESC : 0;
			for (unsigned i = 0, next = 0; i < 1000; i++) {
				if (i == next) { /* arm at the current used position */
					unsigned at = rig.drv.seen + delay;
					bool wrap = rig.drv.used_wrap;

					if (packed && at >= SIZE) {
						at -= SIZE;
						wrap = !wrap;
					}
					if (packed)
						rig.drv.pdriver->off_wrap = (uint16_t)(at | wrap << 15);
					else
						rig.drv.avail->ring[SIZE] = (uint16_t)at;
				}
				assert_int_equal(virtq_driver_waits(&rig.vq), i == next + delay);
				if (complete(1)) {
					calls++;
					assert_int_equal(i, next + delay);
					next = i + 1;
				}
			}
			expect = 1000 / (delay + 1);
			assert_int_equal(calls, expect);
		}
	}
}

/* A batch that steps over the event calls once, whatever its size. */
static void test_call_event_in_batch(void **state)
{
	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		start(SIZE, F_EVENT_IDX | (packed ? F_PACKED : 0));
		for (unsigned lap = 0; lap < 100; lap++) {
			unsigned at = rig.drv.seen + 2;
			bool wrap = rig.drv.used_wrap;

			if (packed && at >= SIZE) {
				at -= SIZE;
				wrap = !wrap;
			}
			if (packed)
				*rig.drv.pdriver = (struct vring_packed_desc_event){
					(uint16_t)(at | wrap << 15), VRING_PACKED_EVENT_FLAG_DESC};
			else
				rig.drv.avail->ring[SIZE] = (uint16_t)at;
			assert_false(complete(2));
			assert_true(complete(3));
			assert_false(complete(2));
			assert_false(virtq_should_call(&rig.vq));
		}
	}
}

static void test_call_flags(void **state)
{
	(void)state;
	start(SIZE, 0);
	assert_true(complete(1));
	rig.drv.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	assert_false(complete(1));
	start(SIZE, F_PACKED);
	rig.drv.pdriver->flags = VRING_PACKED_EVENT_FLAG_ENABLE;
	assert_true(complete(1));
	rig.drv.pdriver->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
	assert_false(complete(1));
	start(SIZE, F_PACKED | F_EVENT_IDX);
	rig.drv.pdriver->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
	assert_false(complete(1));
	rig.drv.pdriver->flags = VRING_PACKED_EVENT_FLAG_ENABLE;
	assert_true(complete(1));
}

/* What is not negotiated is not looked at: the event index, or the flag it replaces (2.7.7.2, 2.7.10). */
static void test_call_ignores_what_was_not_negotiated(void **state)
{
	(void)state;
	start(SIZE, 0);
	for (unsigned i = 0; i < 4 * SIZE; i++) {
		rig.drv.avail->ring[SIZE] = (uint16_t)(i * 7919);
		assert_true(complete(1));
	}
	start(SIZE, F_EVENT_IDX);
	rig.drv.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	for (unsigned i = 0; i < 4 * SIZE; i++) {
		rig.drv.avail->ring[SIZE] = rig.drv.seen;
		assert_true(complete(1));
		virtq_kicks_off(&rig.vq);
		assert_int_equal(rig.drv.used->flags, 0);
		virtq_kicks_on(&rig.vq);
		assert_int_equal(rig.drv.used->flags, 0);
	}
}

/* The table is the driver's (2.7.5.1), and so is one that it points to. */
static void test_descriptors_are_not_written(void **state)
{
	static const uint64_t features[] = {0, F_INDIRECT, F_EVENT_IDX, F_IN_ORDER};
	const struct drv_seg seg[3] = {
		{BUF_GPA, 9, false}, {BUF_GPA + 64, 64, true}, {BUF_GPA + 128, 1, true}};
	struct vring_desc was[SIZE];

	(void)state;
	for (size_t f = 0; f < ARRAY_SIZE(features); f++) {
		start(SIZE, features[f]);
		for (unsigned lap = 0; lap < 4 * SIZE; lap++) {
			uint32_t len;
			uint16_t id;

			drv_add(&rig.drv, seg, 3, features[f] & F_INDIRECT);
			memcpy(was, rig.drv.desc, sizeof(was));
			assert_int_equal(pop(), 1);
			virtq_push(&rig.vq, &rig.c, 65);
			virtq_publish(&rig.vq);
			assert_memory_equal(was, rig.drv.desc, sizeof(was));
			assert_true(drv_get(&rig.drv, &id, &len));
		}
	}
}

static void test_kicks(void **state)
{
	const struct drv_seg seg = {BUF_GPA, 64, true};
	uint16_t event;

	(void)state;
	start(SIZE, 0);
	virtq_kicks_off(&rig.vq);
	assert_int_equal(rig.drv.used->flags, VRING_USED_F_NO_NOTIFY);
	assert_false(virtq_kicks_on(&rig.vq));
	assert_int_equal(rig.drv.used->flags, 0);
	drv_add(&rig.drv, &seg, 1, false);
	assert_true(virtq_kicks_on(&rig.vq));

	start(SIZE, F_EVENT_IDX);
	drv_add(&rig.drv, &seg, 1, false);
	assert_int_equal(pop(), 1);
	assert_false(virtq_kicks_on(&rig.vq));
	memcpy(&event, &rig.drv.used->ring[SIZE], sizeof(event));
	assert_int_equal(event, 1);
	virtq_kicks_off(&rig.vq);
	memcpy(&event, &rig.drv.used->ring[SIZE], sizeof(event));
	for (uint16_t n = 1; n <= SIZE; n++)
		assert_false(vring_need_event(event, 1 + n, 1));

	start(SIZE, F_PACKED);
	virtq_kicks_off(&rig.vq);
	assert_int_equal(rig.drv.pdevice->flags, VRING_PACKED_EVENT_FLAG_DISABLE);
	assert_false(virtq_kicks_on(&rig.vq));
	assert_int_equal(rig.drv.pdevice->flags, VRING_PACKED_EVENT_FLAG_ENABLE);
	drv_add(&rig.drv, &seg, 1, false);
	assert_true(virtq_kicks_on(&rig.vq));

	start(SIZE, F_PACKED | F_EVENT_IDX);
	drv_add(&rig.drv, &seg, 1, false);
	assert_int_equal(pop(), 1);
	assert_false(virtq_kicks_on(&rig.vq));
	assert_int_equal(rig.drv.pdevice->flags, VRING_PACKED_EVENT_FLAG_DESC);
	assert_int_equal(rig.drv.pdevice->off_wrap, 1 | 1 << 15);
}

/* ---- bad rings: classes 5, 6, 8 ---- */

struct bad_desc {
	const char *what;
	struct vring_desc d[4]; /* from index 0; the head is 0 */
	int expect;
};

#define N VRING_DESC_F_NEXT
#define W VRING_DESC_F_WRITE
#define I VRING_DESC_F_INDIRECT
#define OK {BUF_GPA, 64, 0, 0}

static const struct bad_desc bad_split[] = {
	{"one good descriptor", {OK}, 1},
	{"loop to itself", {{BUF_GPA, 64, N, 0}}, -EBADMSG},
	{"loop of two", {{BUF_GPA, 64, N, 1}, {BUF_GPA, 64, N, 0}}, -EBADMSG},
	{"loop of two, writable", {{BUF_GPA, 64, N | W, 1}, {BUF_GPA, 64, N | W, 0}}, -EBADMSG},
	{"loop behind a good start",
	 {{BUF_GPA, 64, N, 1}, {BUF_GPA, 64, N, 2}, {BUF_GPA, 64, N, 1}},
	 -EBADMSG},
	{"next outside the table", {{BUF_GPA, 64, N, SIZE}}, -EBADMSG},
	{"next at 65535", {{BUF_GPA, 64, N, 0xffff}}, -EBADMSG},
	{"length 0", {{BUF_GPA, 0, 0, 0}}, -EBADMSG},
	{"length 0 in the middle", {{BUF_GPA, 64, N, 1}, {BUF_GPA, 0, N, 2}, OK}, -EBADMSG},
	{"length 2^32-1", {{BUF_GPA, UINT32_MAX, 0, 0}}, -EBADMSG},
	{"one byte over the end of RAM", {{RAM - 63, 64, 0, 0}}, -EBADMSG},
	{"last bytes of RAM", {{RAM - 64, 64, 0, 0}}, 1},
	{"above RAM", {{RAM, 1, 0, 0}}, -EBADMSG},
	{"in the hole", {{0xfee00000, 4, W, 0}}, -EBADMSG},
	{"address wraps", {{UINT64_MAX - 31, 64, 0, 0}}, -EBADMSG},
	{"address and length wrap to RAM", {{UINT64_MAX, 2, 0, 0}}, -EBADMSG},
	{"readable after writable", {{BUF_GPA, 64, N | W, 1}, OK}, -EBADMSG},
	{"indirect that was not negotiated", {{BUF_GPA, 16, I, 0}}, -EBADMSG},
};

static void test_bad_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_split); i++) {
		start(SIZE, 0);
		memcpy(rig.drv.desc, bad_split[i].d, sizeof(bad_split[i].d));
		drv_split_offer(&rig.drv, 0);
		print_message("  %s\n", bad_split[i].what);
		assert_int_equal(pop(), bad_split[i].expect);
		assert_int_equal(rig.vq.broken, bad_split[i].expect < 0);
		if (bad_split[i].expect < 0) { /* and it stays so */
			rig.drv.desc[0] = (struct vring_desc)OK;
			assert_int_equal(pop(), -EBADMSG);
		}
	}
}

struct bad_packed {
	const char *what;
	struct vring_packed_desc d[4]; /* AVAIL is added to all */
	int expect;
};

static const struct bad_packed bad_packed[] = {
	{"one good descriptor", {{BUF_GPA, 64, 3, 0}}, 1},
	{"any 16-bit buffer ID", {{BUF_GPA, 64, 0xffff, 0}}, 1},
	{"NEXT for ever",
	 {{BUF_GPA, 64, 0, N}, {BUF_GPA, 64, 0, N}, {BUF_GPA, 64, 0, N}, {BUF_GPA, 64, 0, N}},
	 -EBADMSG},
	{"length 0", {{BUF_GPA, 0, 0, 0}}, -EBADMSG},
	{"length 2^32-1", {{BUF_GPA, UINT32_MAX, 0, W}}, -EBADMSG},
	{"address wraps", {{UINT64_MAX - 31, 64, 0, 0}}, -EBADMSG},
	{"above RAM", {{RAM, 1, 0, 0}}, -EBADMSG},
	{"readable after writable", {{BUF_GPA, 64, 0, W | N}, {BUF_GPA, 64, 0, 0}}, -EBADMSG},
	{"indirect that was not negotiated", {{BUF_GPA, 16, 0, I}}, -EBADMSG},
};

static void test_bad_packed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_packed); i++) {
		start(SIZE, F_PACKED);
		for (unsigned k = 0; k < SIZE; k++) {
			rig.drv.pdesc[k] = bad_packed[i].d[k % 4];
			rig.drv.pdesc[k].flags |= 1u << VRING_PACKED_DESC_F_AVAIL;
		}
		print_message("  %s\n", bad_packed[i].what);
		assert_int_equal(pop(), bad_packed[i].expect);
		assert_int_equal(rig.vq.broken, bad_packed[i].expect < 0);
	}
}

/* A packed chain that continues into entries that the device still holds is longer than the ring. */
static void test_packed_chain_into_held_entries(void **state)
{
	const struct drv_seg seg = {BUF_GPA, 64, false};

	(void)state;
	start(SIZE, F_PACKED);
	for (unsigned i = 0; i < SIZE - 1; i++) {
		drv_add(&rig.drv, &seg, 1, false);
		assert_int_equal(pop(), 1);
	}
	rig.drv.pdesc[SIZE - 1] =
		(struct vring_packed_desc){BUF_GPA, 64, 7, N | 1u << VRING_PACKED_DESC_F_AVAIL};
	assert_int_equal(pop(), -EBADMSG);
}

struct bad_indirect {
	const char *what;
	uint32_t len;   /* of the table */
	uint16_t flags; /* added to the descriptor that points to it */
	gpa_t gpa;
	uint16_t table_flags, next; /* of every table entry but the last */
	int expect;
};

#define TABLE 0x300000

static const struct bad_indirect bad_indirect[] = {
	{"two entries", 32, 0, TABLE, N, 1, 1},
	{"as long as the queue", 16 * SIZE, 0, TABLE, N, 1, 1},
	{"empty", 0, 0, TABLE, N, 1, -EBADMSG},
	{"one longer than the queue", 16 * (SIZE + 1), 0, TABLE, N, 1, -EBADMSG},
	{"2^32-16 bytes", UINT32_MAX - 15, 0, TABLE, N, 1, -EBADMSG},
	{"half a descriptor", 8, 0, TABLE, N, 1, -EBADMSG},
	{"one and a bit", 17, 0, TABLE, N, 1, -EBADMSG},
	{"one short of two", 31, 0, TABLE, N, 1, -EBADMSG},
	{"with NEXT", 32, N, TABLE, N, 1, -EBADMSG},
	{"with WRITE, which means nothing there", 32, W, TABLE, N, 1, 1},
	{"half outside RAM", 32, 0, RAM - 16, 0, 0, -EBADMSG},
	{"not in RAM", 32, 0, 0xfee00000, 0, 0, -EBADMSG},
	{"wraps", 32, 0, UINT64_MAX - 15, 0, 0, -EBADMSG},
	{"nested", 32, 0, TABLE, I, 1, -EBADMSG},
};

static void fill_table(const struct bad_indirect *b, bool packed)
{
	unsigned n = MIN(b->len, 64u * 16) / 16;

	for (unsigned i = 0; b->gpa == TABLE && i < n; i++) {
		uint16_t flags = i + 1 < n ? b->table_flags : 0;

		if (packed) {
			struct vring_packed_desc d = {BUF_GPA, 64, 0, flags};

			gmem_write(rig.gm, TABLE + 16ull * i, &d, 16);
		} else {
			struct vring_desc d = {BUF_GPA, 64, flags, (uint16_t)(i + b->next)};

			gmem_write(rig.gm, TABLE + 16ull * i, &d, 16);
		}
	}
}

static void test_bad_indirect(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(bad_indirect); i++) {
		const struct bad_indirect *b = &bad_indirect[i / 2];
		bool packed = i & 1;

		start(SIZE, F_INDIRECT | (packed ? F_PACKED : 0));
		fill_table(b, packed);
		if (packed) {
			rig.drv.pdesc[0] =
				(struct vring_packed_desc){b->gpa, b->len, 0,
							   (uint16_t)(I | b->flags |
								      1u << VRING_PACKED_DESC_F_AVAIL)};
		} else {
			rig.drv.desc[0] = (struct vring_desc){b->gpa, b->len, (uint16_t)(I | b->flags), 1};
			rig.drv.desc[1] = (struct vring_desc)OK;
			drv_split_offer(&rig.drv, 0);
		}
		print_message("  %s, %s\n", b->what, packed ? "packed" : "split");
		assert_int_equal(pop(), b->expect);
	}
}

/*
 * Two regions that are neighbours for the guest and apart for us: tables, buffers and rings that begin in
 * one and end in the other (CVE-2011-2212, CVE-2018-1059). Behind each region lies a page that nobody may
 * touch.
 */
static void test_split_across_a_gap(void **state)
{
	const size_t half = RAM / 2;
	struct gmem_region region[2];
	struct gmem *whole = rig.gm;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		char *p = mmap(NULL, half + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		assert_ptr_not_equal(p, MAP_FAILED);
		mprotect(p + half, 4096, PROT_NONE);
		region[i] = (struct gmem_region){i * half, half, p, 0};
	}
	assert_int_equal(gmem_adopt(&rig.gm, region, 2), 0);
	for (unsigned i = 0; i < 16; i++) {
		bool packed = i & 1, buffer = i & 2, whole_one = i & 4, second = i & 8;
		const struct vring_desc ok = {BUF_GPA + 4096, 64, 0, 0};
		gpa_t at = whole_one ? half - 64 : second ? half - 32 : half - 16;
		uint16_t flags = buffer ? 0 : I;

		start(SIZE, F_INDIRECT | (packed ? F_PACKED : 0));
		for (unsigned k = 0; k < 4; k++) { /* good on both sides */
			struct vring_desc d = ok;

			d.flags = packed || k == 3 ? 0 : N;
			d.next = packed ? 0 : (uint16_t)(k + 1); /* there: the flags */
			assert_int_equal(gmem_write(rig.gm, at + k * 16, &d, 16), 0);
		}
		if (packed) {
			rig.drv.pdesc[0] = (struct vring_packed_desc){
				at, 64, 0, (uint16_t)(flags | 1u << VRING_PACKED_DESC_F_AVAIL)};
		} else {
			rig.drv.desc[0] = (struct vring_desc){at, 64, flags, 0};
			drv_split_offer(&rig.drv, 0);
		}
		assert_int_equal(pop(), whole_one ? 1 : -EBADMSG);
	}
	rig.drv.l.desc = half - 64;
	assert_int_equal(virtq_start(&rig.vq, rig.gm, &rig.drv.l, 0, 0), -EFAULT);
	gmem_destroy(rig.gm);
	rig.gm = whole;
	for (unsigned i = 0; i < 2; i++)
		munmap(region[i].hva, half + 4096);
}

/* A good table, for a driver that did not ask for such tables. */
static void test_indirect_not_negotiated(void **state)
{
	const struct bad_indirect good = {"good", 32, 0, TABLE, N, 1, 1};

	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		start(SIZE, packed ? F_PACKED : 0);
		fill_table(&good, packed);
		if (packed) {
			rig.drv.pdesc[0] = (struct vring_packed_desc){
				TABLE, 32, 0, (uint16_t)(I | 1u << VRING_PACKED_DESC_F_AVAIL)};
		} else {
			rig.drv.desc[0] = (struct vring_desc){TABLE, 32, I, 0};
			drv_split_offer(&rig.drv, 0);
		}
		assert_int_equal(pop(), -EBADMSG);
	}
}

/* Loops inside a table, and a table that points at itself or at the ring. */
static void test_indirect_loops(void **state)
{
	static const struct vring_desc loops[][2] = {
		{{BUF_GPA, 64, N, 0}, OK},
		{{BUF_GPA, 64, N, 1}, {BUF_GPA, 64, N, 0}},
		{{BUF_GPA, 64, N, 2}, OK},
		{{TABLE, 32, I, 0}, OK},
		{{RING_GPA, 32, I, 0}, OK},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(loops); i++) {
		start(SIZE, F_INDIRECT);
		gmem_write(rig.gm, TABLE, loops[i], sizeof(loops[i]));
		rig.drv.desc[0] = (struct vring_desc){TABLE, sizeof(loops[i]), I, 0};
		drv_split_offer(&rig.drv, 0);
		assert_int_equal(pop(), -EBADMSG);
	}
}

/* 2.7.5.3.2: the device must take direct descriptors that end in an indirect one. */
static void test_direct_then_indirect(void **state)
{
	static const struct vring_desc table[2] = {{BUF_GPA + 64, 32, N, 1}, {BUF_GPA + 128, 16, W, 0}};

	(void)state;
	start(SIZE, F_INDIRECT);
	gmem_write(rig.gm, TABLE, table, sizeof(table));
	rig.drv.desc[0] = (struct vring_desc){BUF_GPA, 64, N, 1};
	rig.drv.desc[1] = (struct vring_desc){TABLE, sizeof(table), I, 0};
	drv_split_offer(&rig.drv, 0);
	assert_int_equal(pop(), 1);
	assert_int_equal(rig.c.n_out, 2);
	assert_int_equal(rig.c.n_in, 1);
	assert_int_equal(rig.c.out_len, 96);
}

/*
 * Lengths whose sum does not fit used.len: needs more than 4 GiB in one chain, so the same RAM several
 * times.
 */
static void test_total_length_wraps(void **state)
{
	(void)state;
	start(1024, F_INDIRECT);
	for (unsigned i = 0; i < 1024; i++) {
		struct vring_desc d = {0, RAM, W | (i < 1023 ? N : 0), (uint16_t)(i + 1)};

		gmem_write(rig.gm, TABLE + 16ull * i, &d, 16);
	}
	rig.drv.desc[0] = (struct vring_desc){TABLE, 16 * 1023, I, 0};
	drv_split_offer(&rig.drv, 0);
	assert_int_equal(pop(), -EBADMSG); /* the last NEXT leads out of the table */
	start(1024, F_INDIRECT);
	rig.drv.desc[0] = (struct vring_desc){TABLE, 16 * 1024, I, 0};
	drv_split_offer(&rig.drv, 0);
	assert_int_equal(pop(), -EBADMSG); /* 1024 x 4 MiB = 2^32 */
}

static void test_bad_heads(void **state)
{
	(void)state;
	for (unsigned head = SIZE; head <= 0xffff; head += head < 100 ? 1 : 7919) {
		start(SIZE, 0);
		drv_split_offer(&rig.drv, (uint16_t)head);
		assert_int_equal(pop(), -EBADMSG);
	}
	/* The same head twice while it is in flight, and again when it is free. */
	start(SIZE, 0);
	rig.drv.desc[3] = (struct vring_desc)OK;
	drv_split_offer(&rig.drv, 3);
	assert_int_equal(pop(), 1);
	virtq_push(&rig.vq, &rig.c, 0);
	drv_split_offer(&rig.drv, 3);
	assert_int_equal(pop(), 1);
	drv_split_offer(&rig.drv, 3);
	assert_int_equal(pop(), -EBADMSG);
}

static void test_avail_index_jumps(void **state)
{
	static const struct { uint16_t idx; int expect;
	} t[] = {
		{0, 0},
		{1, 1},
		{SIZE, 1},
		{SIZE + 1, -EBADMSG},
		{0x7fff, -EBADMSG},
		{0x8000, -EBADMSG},
		{0xffff, -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		start(SIZE, 0);
		rig.drv.desc[0] = (struct vring_desc)OK;
		rig.drv.avail->idx = t[i].idx;
		assert_int_equal(pop(), t[i].expect);
	}
}

static void test_iov_limit(void **state)
{
	const struct drv_seg seg[3] = {{BUF_GPA, 1, false}, {BUF_GPA, 1, false}, {BUF_GPA, 1, true}};

	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		start(SIZE, packed ? F_PACKED : 0);
		drv_add(&rig.drv, seg, 3, false);
		assert_int_equal(virtq_pop(&rig.vq, &rig.c, rig.iov, 2), -EBADMSG);
		start(SIZE, packed ? F_PACKED : 0);
		drv_add(&rig.drv, seg, 3, false);
		assert_int_equal(virtq_pop(&rig.vq, &rig.c, rig.iov, 3), 1);
	}
}

static void test_start_checks(void **state)
{
	static const struct { struct virtq_layout l; uint64_t features; int expect; } t[] = {
		{{8, 0x1000, 0x2000, 0x3000}, 0, 0},
		{{0, 0x1000, 0x2000, 0x3000}, 0, -EINVAL},
		{{7, 0x1000, 0x2000, 0x3000}, 0, -EINVAL},
		{{7, 0x1000, 0x2000, 0x3000}, F_PACKED, 0},
		{{2048, 0x10000, 0x20000, 0x30000}, 0, -EINVAL},
		{{8, 0x1008, 0x2000, 0x3000}, 0, -EINVAL},
		{{8, 0x1000, 0x2001, 0x3000}, 0, -EINVAL},
		{{8, 0x1000, 0x2000, 0x3002}, 0, -EINVAL},
		{{8, 0x1000, 0x2002, 0x3000}, F_PACKED, -EINVAL},
		{{8, RAM - 64, 0x2000, 0x3000}, 0, -EFAULT},
		{{8, 0x1000, RAM - 20, 0x3000}, 0, -EFAULT},
		{{8, 0x1000, 0x2000, RAM - 68}, 0, -EFAULT},
		{{8, 0x1000, 0x2000, 0xfee00000}, 0, -EFAULT},
		{{8, UINT64_MAX - 15, 0x2000, 0x3000}, 0, -EFAULT},
	};

	static const struct { uint64_t features; uint32_t base; } beyond[] = {
		{0, 0x10000}, {F_PACKED, 8}, {F_PACKED, 8u << 16}, {F_PACKED, 0x7fff},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(virtq_start(&rig.vq, rig.gm, &t[i].l, t[i].features,
					     virtq_base_new(t[i].features)),
				 t[i].expect);
	/* A base that lies outside of the ring: refused, and a kick all the same finds a broken queue. */
	for (size_t i = 0; i < ARRAY_SIZE(beyond); i++) {
		assert_int_equal(virtq_start(&rig.vq, rig.gm, &t[0].l, beyond[i].features, beyond[i].base),
				 -EINVAL);
		assert_int_equal(virtq_pop(&rig.vq, &rig.c, rig.iov, SIZE), -EBADMSG);
	}
}

/*
 * Class 18: in order, a used entry is deferred and stands for a whole batch. A driver that makes entries
 * available again which are still in the batch must not make its sum longer than the ring: what follows
 * would be written behind it. progress is as long as the ring, so that the sanitizer sees that too.
 */
static void in_order_laps(uint16_t size, bool tracked)
{
	struct virtq_progress *progress = calloc(1, sizeof(*progress) + size * sizeof(progress->saved[0]));
	unsigned n = 0;

	assert_non_null(progress);
	start(size, F_PACKED | F_IN_ORDER);
	virtq_track(&rig.vq, tracked ? progress : NULL);
	for (; n < 5u * size; n++) {
		unsigned bit = rig.vq.avail_wrap ? VRING_PACKED_DESC_F_AVAIL : VRING_PACKED_DESC_F_USED;

		rig.drv.pdesc[rig.vq.avail_idx] =
			(struct vring_packed_desc){BUF_GPA, 64, 0, (uint16_t)(1u << bit)};
		if (pop() != 1)
			break;
		virtq_push(&rig.vq, &rig.c, 0);
	}
	virtq_publish(&rig.vq);
	free(progress);
	assert_int_equal(n, size);
	assert_true(rig.vq.broken);
	assert_int_equal(rig.vq.used_idx, 0); /* one lap */
	assert_false(rig.vq.used_wrap);
}

static void test_in_order_batch_longer_than_the_ring(void **state)
{
	static const uint16_t sizes[] = {1, 2, 3, 4, 7, 8, 256, 1024};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(sizes); i++)
		in_order_laps(sizes[i / 2], i & 1);
}

/* ---- class 10: a second vCPU rewrites descriptors while they are read ---- */

struct flipper {
	pthread_t thread;
	bool stop;
	unsigned rounds;
};

/*
 * Addresses that are good only in the pairings A/A and B/B: whoever checks one copy and uses another is
 * caught.
 */
static void *flip(void *arg)
{
	struct flipper *f = arg;

	while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED)) {
		__atomic_store_n(&rig.drv.desc[0].len, 0xfffffff0u, __ATOMIC_RELAXED);
		__atomic_store_n(&rig.drv.desc[0].addr, 0xfee00000ull, __ATOMIC_RELAXED);
		__atomic_store_n(&rig.drv.desc[0].flags, (uint16_t)(N | W), __ATOMIC_RELAXED);
		__atomic_store_n(&rig.drv.desc[0].addr, (uint64_t)BUF_GPA, __ATOMIC_RELAXED);
		__atomic_store_n(&rig.drv.desc[0].len, 64u, __ATOMIC_RELAXED);
		__atomic_store_n(&rig.drv.desc[0].flags, (uint16_t)0, __ATOMIC_RELAXED);
		if (++f->rounds % 16 == 0)
			/* in the good state: with one CPU the reader would never see it otherwise */
			sched_yield();
	}
	return NULL;
}

static void test_racing_driver(void **state)
{
	struct flipper f = {.stop = false};
	const char *ram = gmem_ptr(rig.gm, 0, RAM);
	clock_t end = clock() + 10 * CLOCKS_PER_SEC; /* of processor time: a busy machine gives us little */
	bool ok = false, was;
	unsigned good = 0, turns = 0;

	(void)state;
	start(SIZE, 0);
	assert_int_equal(pthread_create(&f.thread, NULL, flip, &f), 0);
	/* Until both threads have run at one time for a while: then what is read changes from pop to pop. */
	for (unsigned i = 0; turns < 20000 && (i % 1024 || clock() < end || !good); i++) {
		assert_int_equal(virtq_start(&rig.vq, rig.gm, &rig.drv.l, 0, 0), 0);
		rig.drv.avail->idx = 1;
		if (i % 64 == 0)
			sched_yield();
		was = ok;
		ok = pop() == 1;
		turns += ok != was;
		if (!ok)
			continue;
		good++;
		for (unsigned k = 0; k < rig.c.n_out + rig.c.n_in; k++) {
			const char *p = rig.iov[k].iov_base;

			assert_true(p >= ram && rig.iov[k].iov_len <= RAM &&
				    p + rig.iov[k].iov_len <= ram + RAM);
		}
	}
	__atomic_store_n(&f.stop, true, __ATOMIC_RELAXED);
	pthread_join(f.thread, NULL);
	assert_true(good > 0);
}

/* Random bytes for a ring: whatever comes out of pop lies in RAM, and it ends. */
static void test_random_rings(void **state)
{
	unsigned seed = test_seed();
	const char *ram = gmem_ptr(rig.gm, 0, RAM);

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		uint64_t features = layouts[rand_r(&seed) % ARRAY_SIZE(layouts)];
		uint8_t *p;

		start(SIZE, features);
		p = (void *)rig.drv.desc;
		for (unsigned i = 0; i < 16 * SIZE + 64; i++)
			if (rand_r(&seed) & 1)
				p[i] = (uint8_t)(rand_r(&seed) >> 8 &
						 (i % 16 >= 3 && i % 16 < 12 ? 0 : 0xff));
		for (unsigned n = 0; n <= SIZE; n++) {
			if (pop() != 1)
				break;
			for (unsigned k = 0; k < rig.c.n_out + rig.c.n_in; k++)
				assert_true((char *)rig.iov[k].iov_base >= ram &&
					    (char *)rig.iov[k].iov_base + rig.iov[k].iov_len <= ram + RAM);
			virtq_push(&rig.vq, &rig.c, rig.c.in_len);
			virtq_publish(&rig.vq);
			virtq_should_call(&rig.vq);
			virtq_kicks_on(&rig.vq);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_in_order_batch),
		cmocka_unit_test(test_unpop_and_base),
		cmocka_unit_test(test_call_event_idx),
		cmocka_unit_test(test_call_event_in_batch),
		cmocka_unit_test(test_call_flags),
		cmocka_unit_test(test_call_ignores_what_was_not_negotiated),
		cmocka_unit_test(test_descriptors_are_not_written),
		cmocka_unit_test(test_kicks),
		cmocka_unit_test(test_bad_split),
		cmocka_unit_test(test_bad_packed),
		cmocka_unit_test(test_packed_chain_into_held_entries),
		cmocka_unit_test(test_bad_indirect),
		cmocka_unit_test(test_split_across_a_gap),
		cmocka_unit_test(test_indirect_not_negotiated),
		cmocka_unit_test(test_indirect_loops),
		cmocka_unit_test(test_direct_then_indirect),
		cmocka_unit_test(test_total_length_wraps),
		cmocka_unit_test(test_bad_heads),
		cmocka_unit_test(test_avail_index_jumps),
		cmocka_unit_test(test_iov_limit),
		cmocka_unit_test(test_start_checks),
		cmocka_unit_test(test_in_order_batch_longer_than_the_ring),
		cmocka_unit_test(test_racing_driver),
		cmocka_unit_test(test_random_rings),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
