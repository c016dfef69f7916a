// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "bench/lab/lab_erratum.h"

#define AT 100 /* where the known code lies in the buffer */

/* As in Debian's QEMU 10.0.2. */
static const unsigned char vmrun[] = {
	0x41, 0x0f, 0xb6, 0xf4, 0x44, 0x89, 0xab, 0xe0, 0x33, 0x00, 0x00, 0x89, 0xb3,
	0x10, 0xd7, 0xff, 0xff, 0xc7, 0x83, 0xe4, 0x33, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x48, 0xc7, 0x83, 0xe8, 0x33, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xf6,
	0x05, 0x9a, 0xa7, 0x3c, 0x01, 0x02, 0x0f, 0x85, 0x6c, 0x01, 0x00, 0x00, 0xba,
	0x01, 0x00, 0x00, 0x00, 0x48, 0x89, 0xdf, 0xe8, 0x77, 0xa6, 0x06, 0x00,
};

static unsigned char code[1000];

static void put(size_t at)
{
	memcpy(code + at, vmrun, sizeof(vmrun));
}

static void only_what_is_known_and_there_once(void **state)
{
	(void)state;
	memset(code, 0x41, sizeof(code));
	assert_true(lab_erratum_find(code, sizeof(code)) == SIZE_MAX);
	put(AT);
	assert_int_equal(lab_erratum_find(code, sizeof(code)), AT + 11);
	code[AT + 7] ^= 0x20; /* a field of another offset */
	assert_int_equal(lab_erratum_find(code, sizeof(code)), AT + 11);
	code[AT + 12] ^= 1; /* another instruction */
	assert_true(lab_erratum_find(code, sizeof(code)) == SIZE_MAX);
	put(AT);
	put(5 * AT);
	assert_true(lab_erratum_find(code, sizeof(code)) == SIZE_MAX);
}

static void cut_short(void **state)
{
	(void)state;
	memset(code, 0, sizeof(code));
	put(0);
	for (size_t size = 0; size < 60; size++)
		assert_true(lab_erratum_find(code, size) == SIZE_MAX);
	assert_int_equal(lab_erratum_find(code, sizeof(vmrun)), 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_known_and_there_once),
		cmocka_unit_test(cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
