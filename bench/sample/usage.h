/* SPDX-License-Identifier: MIT */
/* What a process has cost so far, from /proc. */
#ifndef BENCH_SAMPLE_USAGE_H
#define BENCH_SAMPLE_USAGE_H

#include <sys/types.h>
#include "base/util.h"

/* CPU time of all its threads, guest mode included; 0 when it cannot be read. */
uint64_t usage_cpu_ns(pid_t pid);
/* Resident memory but for mappings of at least guest_bytes: a VMM without its guest. */
uint64_t usage_rss_beside(pid_t pid, uint64_t guest_bytes);
/* The same of the text of /proc/PID/smaps. */
uint64_t usage_smaps_beside(const char *smaps, uint64_t guest_bytes);

#endif
