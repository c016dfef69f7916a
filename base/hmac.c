// SPDX-License-Identifier: MIT
#include <errno.h>
#include <sha256.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/hmac.h"

#define BLOCK 64

static void to_hex(const uint8_t bytes[SHA256_DIGEST_LENGTH], char hex[HMAC_HEX])
{
	for (size_t i = 0; i < SHA256_DIGEST_LENGTH; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
}

static void hash2(const uint8_t pad[BLOCK], const void *data, size_t len, uint8_t out[SHA256_DIGEST_LENGTH])
{
	SHA256_CTX c;

	SHA256Init(&c);
	SHA256Update(&c, pad, BLOCK);
	SHA256Update(&c, data, len);
	SHA256Final(out, &c);
}

void hmac_sha256(const void *key, size_t key_len, const char *text, char hex[HMAC_HEX])
{
	uint8_t block[BLOCK] = {0}, inner[BLOCK], outer[BLOCK], digest[SHA256_DIGEST_LENGTH];
	SHA256_CTX c;

	if (key_len > BLOCK) {
		SHA256Init(&c);
		SHA256Update(&c, key, key_len);
		SHA256Final(block, &c);
	} else {
		memcpy(block, key, key_len);
	}
	for (size_t i = 0; i < BLOCK; i++) {
		inner[i] = block[i] ^ 0x36;
		outer[i] = block[i] ^ 0x5c;
	}
	hash2(inner, text, strlen(text), digest);
	hash2(outer, digest, sizeof(digest), digest);
	to_hex(digest, hex);
}

bool hmac_equal(const char a[HMAC_HEX], const char b[HMAC_HEX])
{
	unsigned differ = 0;

	for (size_t i = 0; i < HMAC_HEX; i++)
		differ |= (unsigned char)(a[i] ^ b[i]);
	return !differ;
}

int hmac_nonce(char hex[HMAC_HEX])
{
	uint8_t bytes[SHA256_DIGEST_LENGTH];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -errno;
	to_hex(bytes, hex);
	return 0;
}
