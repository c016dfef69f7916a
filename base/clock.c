// SPDX-License-Identifier: MIT
#include <errno.h>

#include "base/clock.h"

void clock_sleep_ns(uint64_t ns)
{
	struct timespec ts = {(time_t)(ns / NSEC_PER_SEC), (long)(ns % NSEC_PER_SEC)};

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

void clock_iso8601(time_t t, char *buf, size_t size)
{
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(buf, size, "%Y-%m-%dT%H:%M:%SZ", &tm);
}
