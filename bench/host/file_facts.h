/* SPDX-License-Identifier: MIT */
/*
 * What a record says of a program or a kernel: its hash, and how it was built (a gap of 2.8 times was once a
 * debug build).
 */
#ifndef BENCH_HOST_FILE_FACTS_H
#define BENCH_HOST_FILE_FACTS_H

#include <stddef.h>

struct file_facts {
	char sha256[65];
	/*
	 * "asan" (AddressSanitizer's runtime is called), "debug" (a compiler was run without optimisation),
	 * "release", or "unknown": stripped, or built by a compiler that does not write down its options.
	 */
	char build[16];
};

/*
 * The facts of a large file are kept in cache_dir, and hold for as long as its size and the times of its last
 * change are what they were: a kernel has 66 MB, which take a lab longer to hash than to boot. 0 or -errno.
 */
int file_facts(const char *path, const char *cache_dir, struct file_facts *f);
const char *build_type_of(const char *data, size_t len);

#endif
