// SPDX-License-Identifier: MIT
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "vmm/core/bus.h"

struct dev {
	uint64_t off, val;
	unsigned len, reads, writes;
};

static uint64_t dev_read(void *arg, uint64_t off, unsigned len)
{
	struct dev *d = arg;

	d->off = off;
	d->len = len;
	d->reads++;
	return 0x1122334455667788;
}

static void dev_write(void *arg, uint64_t off, unsigned len, uint64_t val)
{
	struct dev *d = arg;

	d->off = off;
	d->len = len;
	d->val = val;
	d->writes++;
}

static const struct bus_ops ops = {"dev", dev_read, dev_write};
static const struct bus_ops silent = {"silent", NULL, NULL};

static void edges(void **state)
{
	static const struct {
		uint64_t addr;
		unsigned len;
		uint64_t want;
	} cases[] = {
		{0x1000, 1, 0x88},
		{0x1000, 2, 0x7788},
		{0x1000, 4, 0x55667788},
		{0x1000, 8, 0x1122334455667788},
		{0x1008, 8, 0x1122334455667788},
		{0x100f, 1, 0x88},
		{0xfff, 1, 0xff},
		{0xfff, 2, 0xffff},
		{0x100f, 2, 0xffff},
		{0x100d, 4, 0xffffffff},
		{0x1009, 8, UINT64_MAX},
		{0x1010, 1, 0xff},
		{UINT64_MAX, 1, 0xff},
		{UINT64_MAX, 8, UINT64_MAX},
	};
	struct dev d = {0};
	struct bus b;

	(void)state;
	bus_init(&b, "test");
	assert_int_equal(bus_map(&b, 0x1000, 16, &ops, &d), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned before = d.reads;

		if (bus_read(&b, cases[i].addr, cases[i].len) != cases[i].want)
			fail_msg("case %zu", i);
		if (d.reads != before)
			assert_int_equal(d.off, cases[i].addr - 0x1000);
		before = d.writes;
		bus_write(&b, cases[i].addr, cases[i].len, UINT64_MAX);
		if (d.writes != before)
			assert_true(d.val == bus_ones(cases[i].len));
	}
	assert_int_equal(d.reads, 6);
	assert_int_equal(d.writes, 6);
	assert_int_equal(b.unclaimed, 16);
	bus_destroy(&b);
}

static void mapping_rules(void **state)
{
	struct dev first = {0}, second = {0};
	struct bus b;

	(void)state;
	bus_init(&b, "test");
	assert_int_equal(bus_map(&b, 0x10, 0, &ops, &first), -EINVAL);
	assert_int_equal(bus_map(&b, UINT64_MAX, 2, &ops, &first), -EINVAL);
	assert_int_equal(bus_map(&b, UINT64_MAX, 1, &ops, &first), 0);
	assert_int_equal(bus_map(&b, 0, 0x20, &ops, &first), 0);
	assert_int_equal(bus_map(&b, 0, 0x40, &ops, &second), 0);
	bus_write(&b, 0, 1, 1);
	assert_int_equal(first.writes, 1); /* the earlier one wins */
	bus_write(&b, 0x20, 1, 1);
	assert_int_equal(second.writes, 1);
	bus_unmap(&b, 0, &first);
	bus_write(&b, 0, 1, 1);
	assert_int_equal(second.writes, 2);
	bus_unmap(&b, 0, &first); /* no longer there: no harm */
	bus_unmap(&b, 0, &second);
	assert_int_equal(bus_read(&b, 0, 4), 0xffffffff);
	assert_int_equal(bus_map(&b, 0x100, 4, &silent, NULL), 0);
	bus_write(&b, 0x100, 4, 1);
	assert_int_equal(bus_read(&b, 0x100, 4), 0xffffffff);
	bus_destroy(&b);
}

static void full(void **state)
{
	struct dev d = {0};
	struct bus b;

	(void)state;
	bus_init(&b, "test");
	for (unsigned i = 0; i < BUS_RANGES; i++)
		assert_int_equal(bus_map(&b, i, 1, &ops, &d), 0);
	assert_int_equal(bus_map(&b, 0x1000, 1, &ops, &d), -ENOSPC);
	bus_destroy(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edges),
		cmocka_unit_test(mapping_rules),
		cmocka_unit_test(full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
