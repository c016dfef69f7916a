// SPDX-License-Identifier: MIT
/*
 * A packed ring whose back-end is killed at every point around a publication, and goes on in the next one:
 * no chain is lost and none is completed twice. And regions that lie.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/drv_ring.h"
#include "vmm/vhost/inflight.h"

#define SIZE 8
#define FEATURES (F_PACKED | 1ull << VIRTIO_F_VERSION_1)

/* Where the process dies. */
enum death { LIVES, BEFORE_PUBLISH, PUBLISHED, DEATHS };

static union {
	struct virtq_progress p;
	uint8_t room[sizeof(struct virtq_progress) + SIZE * sizeof(struct virtq_saved)];
} kept;

static uint32_t base_at(uint16_t idx, bool wrap)
{
	uint32_t at = idx | (uint32_t)wrap << 15;

	return at | at << 16;
}

/* Pop up to n chains, push them, and die; the base at which the next one must go on. */
static uint32_t serve_and_die(struct virtq *vq, int n, enum death death)
{
	uint64_t before;
	struct iovec iov[SIZE];
	struct virtq_chain c;
	uint32_t old = base_at(vq->used_idx, vq->used_wrap);
	int served = 0;

	while (served < n && virtq_pop(vq, &c, iov, SIZE) == 1) {
		virtq_push(vq, &c, 0);
		served++;
	}
	before = kept.p.word;
	if (!served || death == BEFORE_PUBLISH)
		return old;
	virtq_publish(vq);
	if (death == PUBLISHED)
		kept.p.word = before;
	return base_at(vq->used_idx, vq->used_wrap);
}

static void test_every_death(void **state)
{
	struct drv_ring drv;
	struct gmem *gm;
	static struct virtq vq;
	uint32_t base, rnd = 12345, seen = 0, added = 0, wraps = 0;

	(void)state;
	assert_int_equal(gmem_create(&gm, MIB), 0);
	drv_ring_init(&drv, gm, 0x10000, SIZE, FEATURES);
	assert_int_equal(virtq_start(&vq, gm, &drv.l, FEATURES, virtq_base_new(FEATURES)), 0);
	virtq_track(&vq, &kept.p);
	for (int round = 0; round < 4000; round++) {
		struct drv_seg seg[3] = {{0x1000, 10, false}, {0x2000, 10, false}, {0x3000, 10, true}};
		enum death death = (enum death)(round % DEATHS);
		unsigned len, free = SIZE;
		uint16_t id;
		uint32_t got;

		for (unsigned i = 0; i < SIZE; i++)
			free -= drv.n_desc[i];
		for (;;) {
			rnd = rnd * 1664525 + 1013904223;
			len = 1 + (rnd >> 20) % 3;
			if (len > free || (rnd >> 28) % 4 == 0)
				break;
			drv_add(&drv, seg + 3 - len, len, false);
			free -= len;
			added++;
		}
		base = serve_and_die(&vq, 1 + (int)(rnd >> 24) % 3, death);
		while (drv_get(&drv, &id, &got))
			seen++;
		if (death != LIVES) {
			uint32_t again = 0;

			assert_int_equal(virtq_resume(gm, &drv.l, &kept.p, &again), 0);
			assert_int_equal(again, base);
			wraps += base >> 31;
			assert_int_equal(virtq_start(&vq, gm, &drv.l, FEATURES, again), 0);
			virtq_track(&vq, &kept.p);
		}
	}
	serve_and_die(&vq, SIZE, LIVES);
	for (uint16_t id; drv_get(&drv, &id, &rnd);)
		seen++;
	assert_int_equal(seen, added);
	assert_true(added > 1000 && wraps > 100);
	gmem_destroy(gm);
}

static void test_lying_progress(void **state)
{
	static const struct {
		uint16_t used, old_used;
		uint8_t used_wrap, old_used_wrap;
	} cases[] = {{SIZE, 0, 0, 0},
		     {0, SIZE, 0, 0},
		     {UINT16_MAX, UINT16_MAX, 1, 1},
		     {0, 0, 2, 0},
		     {0, 0, 0, 255}};
	struct virtq_layout l = {SIZE, 0x10000, 0x11000, 0x12000};
	struct gmem *gm;
	uint32_t base;

	(void)state;
	assert_int_equal(gmem_create(&gm, MIB), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		memcpy(&kept, &cases[i], sizeof(cases[i]));
		assert_int_equal(virtq_resume(gm, &l, &kept.p, &base), -EINVAL);
	}
	/* Lengths of chains that lead nowhere: it ends, within the ring. */
	for (unsigned num = 0; num < 3 * SIZE; num++) {
		memset(&kept, 0, sizeof(kept));
		kept.p.used = 5;
		kept.p.old_used_wrap = kept.p.used_wrap = 1;
		for (unsigned i = 0; i < SIZE; i++)
			kept.p.saved[i].num = (uint16_t)(num ? num * 0x101 : UINT16_MAX);
		assert_int_equal(virtq_resume(gm, &l, &kept.p, &base), 0);
	}
	gmem_destroy(gm);
}

static void test_regions(void **state)
{
	static const struct vu_inflight bad[] = {
		{1 << 16, 0, 0, SIZE},                /* no queue */
		{1 << 16, 0, 17, SIZE},               /* too many */
		{1 << 16, 0, 4, 0},
		{1 << 16, 0, 4, 2048},
		{64, 0, 4, SIZE},                     /* too small for four */
		{1 << 20, 0, 4, SIZE},                /* larger than the file */
		{1 << 16, 4, 4, SIZE},                /* off its alignment */
		{1 << 16, UINT64_MAX & ~63ull, 4, SIZE}, /* wraps */
		{UINT64_MAX, 64, 4, SIZE},
	};
	struct vu_inflight d = {.queues = 4, .queue_size = SIZE};
	struct inflight in = {0};
	int p[2], fd;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		fd = memfd_create("t", 0);
		assert_int_equal(ftruncate(fd, 1 << 16), 0);
		assert_int_equal(inflight_map(&in, &bad[i], fd), -EINVAL);
		assert_int_equal(fcntl(fd, F_GETFD), -1); /* taken over, closed */
		assert_null(inflight_progress(&in, 0, SIZE));
	}
	fd = inflight_create(&d);
	assert_true(fd >= 0);
	assert_int_equal(inflight_map(&in, &d, fd), 0);
	assert_non_null(inflight_progress(&in, 3, SIZE));
	assert_null(inflight_progress(&in, 4, SIZE));
	assert_false(inflight_used(&in, 3));
	inflight_begin(&in, 3, 1u << 31 | 5u << 16);
	assert_true(inflight_used(&in, 3));
	assert_int_equal(inflight_progress(&in, 3, SIZE)->old_used, 5);
	assert_int_equal(inflight_progress(&in, 3, SIZE)->used_wrap, 1);
	inflight_unmap(&in);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(inflight_map(&in, &d, p[0]), -EINVAL);
	close(p[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_death),
		cmocka_unit_test(test_lying_progress),
		cmocka_unit_test(test_regions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
