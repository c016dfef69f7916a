/* SPDX-License-Identifier: MIT */
/* How long something takes, on a busy machine too. */
#ifndef TESTS_UNIT_CPU_CLOCK_H
#define TESTS_UNIT_CPU_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "base/clock.h"

/* Processor time of this process. */
static inline uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

#endif
