// SPDX-License-Identifier: MIT
/* RFC 4231's test vectors whose data are text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/hmac.h"

static void test_vectors(void **state)
{
	static const char large[] = "Test Using Larger Than Block-Size Key - Hash Key First";
	uint8_t key[131];
	char hex[HMAC_HEX];

	(void)state;
	memset(key, 0x0b, 20);
	hmac_sha256(key, 20, "Hi There", hex);
	assert_string_equal(hex, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	hmac_sha256("Jefe", 4, "what do ya want for nothing?", hex);
	assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	hmac_sha256(key, sizeof(key), large, hex);
	assert_string_equal(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void test_equal(void **state)
{
	char a[HMAC_HEX], b[HMAC_HEX];

	(void)state;
	assert_int_equal(hmac_nonce(a), 0);
	assert_int_equal(strlen(a), HMAC_HEX - 1);
	assert_int_equal(hmac_nonce(b), 0);
	assert_false(hmac_equal(a, b)); /* one in 2^256 */
	memcpy(b, a, sizeof(a));
	assert_true(hmac_equal(a, b));
	b[63] ^= 1;
	assert_false(hmac_equal(a, b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests_name("base_hmac", tests, NULL, NULL);
}
