/* SPDX-License-Identifier: MIT */
/* Two threads that take turns: whose it is stands in a futex. */
#ifndef WORKLOADS_AGENT_TURNS_H
#define WORKLOADS_AGENT_TURNS_H

#include <linux/futex.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"

static inline void turn_give(uint32_t *turn, uint32_t to)
{
	__atomic_store_n(turn, to, __ATOMIC_RELEASE);
	syscall(SYS_futex, turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Of two: 0 and 1. */
static inline void turn_await(uint32_t *turn, uint32_t mine)
{
	while (__atomic_load_n(turn, __ATOMIC_ACQUIRE) != mine)
		syscall(SYS_futex, turn, FUTEX_WAIT_PRIVATE, 1 - mine, NULL, NULL, 0);
}

/* This thread, and those that it makes from now on. */
static inline int pin_self(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	return errno_if(sched_setaffinity(0, sizeof(set), &set));
}

#endif
