/* SPDX-License-Identifier: MIT */
/* HMAC with SHA-256 (RFC 2104), and bytes nobody can guess. */
#ifndef BASE_HMAC_H
#define BASE_HMAC_H

#include "base/util.h"

#define HMAC_HEX 65 /* 64 digits and the end */

/* Of text with this key, as hexadecimal digits. */
void hmac_sha256(const void *key, size_t key_len, const char *text, char hex[HMAC_HEX]);
/* Equal, in a time that does not tell where they differ. */
bool hmac_equal(const char a[HMAC_HEX], const char b[HMAC_HEX]);
/* 32 random bytes as hexadecimal digits. 0 or -errno. */
int hmac_nonce(char hex[HMAC_HEX]);

#endif
