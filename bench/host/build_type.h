/* SPDX-License-Identifier: MIT */
/* How a binary was built, read from the binary: a gap of 2.8 times was once a debug build. */
#ifndef BENCH_HOST_BUILD_TYPE_H
#define BENCH_HOST_BUILD_TYPE_H

#include <stddef.h>

/*
 * "asan" (AddressSanitizer's runtime is called), "debug" (a compiler was run without optimisation),
 * "release", or "unknown": stripped, or built by a compiler that does not write down its options.
 */
const char *build_type(const char *path);
const char *build_type_of(const char *data, size_t len);

#endif
