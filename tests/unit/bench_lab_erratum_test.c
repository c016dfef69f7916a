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

static const unsigned char cr_read[] = {
	0x83, 0xe8, 0x02, 0x3c, 0x02, 0x76, 0x09, 0xf6, 0xc2, 0xf7, 0x0f, 0x85, 0x25, 0xfd, 0xff, 0xff,
	0x41, 0x0f, 0xb6, 0x44, 0x24, 0x18, 0x84, 0xc0, 0x0f, 0x84, 0xc0, 0xfb, 0xff, 0xff, 0x01, 0xd0,
	0x41, 0x88, 0x44, 0x24, 0x18,
};

/* How much of it has to be there, what varies, what does not, and what becomes a no-op. */
static const struct {
	const unsigned char *code;
	size_t len, shortest, field, fixed, at;
} known[ERRATA] = {
	[ERRATUM_DELIVERY] = {vmrun, sizeof(vmrun), 60, 7, 12, 11},
	[ERRATUM_CR_READ] = {cr_read, sizeof(cr_read), sizeof(cr_read), 21, 22, 24},
};

static unsigned char code[1000];

static void put(unsigned which, size_t at)
{
	memcpy(code + at, known[which].code, known[which].len);
}

static size_t find_in(unsigned which)
{
	return lab_erratum_find(which, code, sizeof(code));
}

static void only_what_is_known_and_there_once(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ERRATA; i++) {
		memset(code, 0x41, sizeof(code));
		assert_true(find_in(i) == SIZE_MAX);
		put(i, AT);
		assert_int_equal(find_in(i), AT + known[i].at);
		code[AT + known[i].field] ^= 0x20; /* a field of another offset */
		assert_int_equal(find_in(i), AT + known[i].at);
		code[AT + known[i].fixed] ^= 1; /* another instruction */
		assert_true(find_in(i) == SIZE_MAX);
		put(i, AT);
		put(i, 5 * AT);
		assert_true(find_in(i) == SIZE_MAX);
	}
}

static void cut_short(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ERRATA; i++) {
		memset(code, 0, sizeof(code));
		put(i, 0);
		for (size_t size = 0; size < known[i].shortest; size++)
			assert_true(lab_erratum_find(i, code, size) == SIZE_MAX);
		assert_int_equal(lab_erratum_find(i, code, known[i].shortest), known[i].at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_known_and_there_once),
		cmocka_unit_test(cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
