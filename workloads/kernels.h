/* SPDX-License-Identifier: MIT */
/*
 * The inner loops of the workloads that measure the processor. Both guests run these very lines, so that
 * the Linux agent and the micro guest do the same work and give one checksum.
 */
#ifndef WORKLOADS_KERNELS_H
#define WORKLOADS_KERNELS_H

#include <stdint.h>

#define COMPUTE_WORDS 8192 /* 64 KiB: stays in the caches, so that memory is not what is measured */

/* Marsaglia's xorshift64; x is never 0. */
static inline uint64_t xorshift(uint64_t x)
{
	x ^= x << 13;
	x ^= x >> 7;
	return x ^ x << 17;
}

/*
 * Integer work with data-dependent loads and branches, as compilers and interpreters do; nothing can be
 * left out.
 */
static inline uint64_t compute_round(uint64_t *table, uint64_t x)
{
	for (unsigned i = 0; i < COMPUTE_WORDS; i++) {
		x = xorshift(x);
		if (x & 1)
			x += table[(x >> 20) % COMPUTE_WORDS];
		table[i] = x * 0x9e3779b97f4a7c15ull;
	}
	return x;
}

static inline uint64_t compute(uint64_t *table, uint64_t seed, uint64_t rounds)
{
	uint64_t x = seed * 2 + 1;

	for (unsigned i = 0; i < COMPUTE_WORDS; i++)
		table[i] = i + seed;
	while (rounds--)
		x = compute_round(table, x);
	return x;
}

/* order[0..n): all of 0..n-1 in a random order (Sattolo), to be visited as one cycle. */
static inline void random_cycle(uint32_t *order, uint64_t n, uint64_t seed)
{
	uint64_t x = seed * 2 + 1;

	for (uint64_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	for (uint64_t i = n - 1; i > 0; i--) {
		uint32_t swap = order[i];

		x = xorshift(x);
		order[i] = order[x % i];
		order[x % i] = swap;
	}
}

#endif
