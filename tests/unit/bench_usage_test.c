// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "bench/sample/usage.h"

static const char smaps[] = "00400000-00500000 r-xp 00000000 08:01 1  /usr/bin/vmm\n"
			    "Size:               1024 kB\nRss:                 300 kB\nPss:                 300 kB\n"
			    "7f0000000000-7f0010000000 rw-p 00000000 00:00 0\n"
			    "Size:             262144 kB\nRss:               90000 kB\nVmFlags: rd wr\n"
			    "7fff00000000-7fff00021000 rw-p 00000000 00:00 0  [stack]\n"
			    "Size:                132 kB\nRss:                  12 kB\n";

static void guest_memory_is_not_the_vmm(void **state)
{
	(void)state;
	assert_int_equal(usage_smaps_beside(smaps, 256 * MIB), 312 * 1024);
	assert_int_equal(usage_smaps_beside(smaps, 512 * MIB), 90312 * 1024);
	assert_int_equal(usage_smaps_beside("", 1), 0);
}

static void of_ourselves(void **state)
{
	uint64_t cpu = usage_cpu_ns(getpid());

	(void)state;
	/* Clock ticks: a process that has just begun may have had none. */
	for (volatile unsigned i = 0; i < 50000000; i++)
		;
	assert_true(usage_cpu_ns(getpid()) > cpu);
	assert_true(usage_rss_beside(getpid(), UINT64_MAX) > 0);
	assert_int_equal(usage_cpu_ns(-1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(guest_memory_is_not_the_vmm),
					   cmocka_unit_test(of_ourselves)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
