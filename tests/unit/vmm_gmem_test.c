// SPDX-License-Identifier: MIT
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "vmm/core/gmem.h"

static void ranges(void **state)
{
	/* 5 GiB: 3 GiB below the hole, 2 GiB above it. Nothing is touched but what the test writes.
	 */
	static const struct {
		gpa_t gpa;
		uint64_t len;
		bool ok;
	} cases[] = {
		{0, 1, true},
		{0, 0, false},
		{0, 3 * GIB, true},
		{0, 3 * GIB + 1, false},
		{3 * GIB - 1, 1, true},
		{3 * GIB - 1, 2, false},
		{3 * GIB, 1, false},
		{4 * GIB - 1, 1, false},
		{4 * GIB - 1, 2, false},
		{4 * GIB, 2 * GIB, true},
		{4 * GIB, 2 * GIB + 1, false},
		{6 * GIB - 1, 1, true},
		{6 * GIB, 1, false},
		{2 * GIB, 3 * GIB, false},
		{1, UINT64_MAX, false},
		{UINT64_MAX, 1, false},
		{UINT64_MAX, UINT64_MAX, false},
		{UINT64_MAX - 4095, 8192, false},
		{0x8000000000000000, 0x8000000000000000, false},
		{4 * GIB, UINT64_MAX - 4 * GIB + 1, false},
	};
	struct gmem *gm;

	(void)state;
	assert_int_equal(gmem_create(&gm, 5 * GIB), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (!!gmem_ptr(gm, cases[i].gpa, cases[i].len) != cases[i].ok)
			fail_msg("case %zu: 0x%lx+0x%lx", i, cases[i].gpa, cases[i].len);
	}
	gmem_destroy(gm);
}

static void copies_are_all_or_nothing(void **state)
{
	uint8_t in[8] = {1, 2, 3, 4, 5, 6, 7, 8}, out[8] = {0};
	struct gmem *gm;

	(void)state;
	assert_int_equal(gmem_create(&gm, MIB), 0);
	assert_int_equal(gmem_write(gm, MIB - 8, in, 8), 0);
	assert_int_equal(gmem_read(gm, MIB - 8, out, 8), 0);
	assert_memory_equal(in, out, 8);
	memset(in, 0xff, 8);
	assert_int_equal(gmem_write(gm, MIB - 7, in, 8), -EFAULT);
	assert_int_equal(gmem_read(gm, MIB - 7, out, 8), -EFAULT);
	assert_memory_equal(out, ((uint8_t[]){1, 2, 3, 4, 5, 6, 7, 8}), 8);
	assert_memory_equal(gmem_ptr(gm, MIB - 8, 8), out, 8);
	assert_int_equal(gmem_read(gm, MIB, out, 0), 0);
	gmem_destroy(gm);
}

static void regions_share_one_file(void **state)
{
	const struct gmem_region *r;
	struct gmem *gm;
	size_t n;

	(void)state;
	assert_int_equal(gmem_create(&gm, 4 * GIB), 0);
	r = gmem_regions(gm, &n);
	assert_int_equal(n, 2);
	assert_int_equal(r[0].size, GMEM_HOLE_START);
	assert_int_equal(r[1].gpa, GMEM_HOLE_END);
	assert_int_equal(r[1].fd_offset, GMEM_HOLE_START);
	assert_int_equal(r[0].size + r[1].size, gmem_size(gm));
	assert_true(gmem_fd(gm) >= 0);
	gmem_destroy(gm);
}

/* Else no huge page of the host's is one of the guest's. */
static void guest_and_host_agree_on_huge_pages(void **state)
{
	static int (*const create[])(struct gmem **, uint64_t) = {gmem_create, gmem_create_private};
	static const uint64_t size[] = {4 * MIB, 5 * MIB, 4 * MIB + 4096};
	struct gmem *gm;
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(create) * ARRAY_SIZE(size); i++) {
		assert_int_equal(create[i % 2](&gm, size[i / 2]), 0);
		assert_int_equal((uintptr_t)gmem_regions(gm, &n)[0].hva % (2 * MIB), 0);
		memset(gmem_ptr(gm, 0, gmem_size(gm)), 1, gmem_size(gm));
		gmem_destroy(gm);
	}
}

static void bad_sizes(void **state)
{
	struct gmem *gm;

	(void)state;
	assert_int_equal(gmem_create(&gm, 0), -EINVAL);
	assert_int_equal(gmem_create(&gm, 4097), -EINVAL);
	assert_int_equal(gmem_create(&gm, 1ull << 50), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges),
		cmocka_unit_test(copies_are_all_or_nothing),
		cmocka_unit_test(regions_share_one_file),
		cmocka_unit_test(guest_and_host_agree_on_huge_pages),
		cmocka_unit_test(bad_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
