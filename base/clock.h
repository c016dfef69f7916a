/* SPDX-License-Identifier: MIT */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NSEC_PER_SEC  1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_USEC 1000ull

/* CLOCK_MONOTONIC, the clock of bpf_ktime_get_ns. */
static inline uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Sleep, resumed after signals only until the deadline has passed. */
void clock_sleep_ns(uint64_t ns);

/* "2026-03-14T09:26:53Z" into buf (at least 21 bytes). */
void clock_iso8601(time_t t, char *buf, size_t size);

#endif
