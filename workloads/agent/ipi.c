// SPDX-License-Identifier: MIT
/*
 * ipi: two ways in which one CPU interrupts another.
 *      running   membarrier(PRIVATE_EXPEDITED) while a thread spins on the other CPU: one IPI and
 * its acknowledgement waking    two threads on two CPUs hand a futex to and fro: each hand-over
 * wakes an idle CPU (HLT, IPI, wake-up)
 */
#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "workloads/agent/agent.h"
#include "workloads/agent/turns.h"

struct pair {
	uint32_t turn; /* whose move it is; a futex */
	uint32_t beat; /* grows while the spinner has its CPU */
	bool stop;
};

static void *spinner(void *arg)
{
	struct pair *p = arg;

	pin_self(1);
	while (!__atomic_load_n(&p->stop, __ATOMIC_RELAXED))
		__atomic_store_n(&p->beat, p->beat + 1, __ATOMIC_RELAXED);
	return NULL;
}

static void *echo_turns(void *arg)
{
	struct pair *p = arg;

	pin_self(1);
	for (;;) {
		turn_await(&p->turn, 1);
		if (__atomic_load_n(&p->stop, __ATOMIC_RELAXED))
			return NULL;
		turn_give(&p->turn, 0);
	}
}

static void interrupt_running(uint64_t n, struct hist *h)
{
	struct pair p = {0};
	pthread_t t;

	if (pthread_create(&t, NULL, spinner, &p))
		return;
	for (uint64_t i = 0; i < n; i++) {
		uint32_t beat = __atomic_load_n(&p.beat, __ATOMIC_RELAXED);
		uint64_t t0;

		/* Without a running target the kernel sends no IPI and the call is ten times cheaper. */
		while (__atomic_load_n(&p.beat, __ATOMIC_RELAXED) == beat)
			;
		t0 = clock_ns();
		syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
		hist_add(h, clock_ns() - t0);
	}
	__atomic_store_n(&p.stop, true, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
}

static void wake_idle(uint64_t n, struct hist *h)
{
	struct pair p = {0};
	pthread_t t;

	if (pthread_create(&t, NULL, echo_turns, &p))
		return;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t t0 = clock_ns();

		turn_give(&p.turn, 1);
		turn_await(&p.turn, 0);
		hist_add(h, clock_ns() - t0);
	}
	__atomic_store_n(&p.stop, true, __ATOMIC_RELAXED);
	turn_give(&p.turn, 1);
	pthread_join(t, NULL);
}

int run_ipi(struct agent *a)
{
	static struct hist running, waking;
	uint64_t n = or_usual(a->job.work, 10000);
	struct window w = {0};

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return agent_fail(-EINVAL, "ipi: needs two vCPUs; give cpus=2");
	if (pin_self(0) || syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0))
		return agent_fail(-ENOSYS, "ipi: this kernel has no membarrier");
	hist_init(&running);
	hist_init(&waking);
	agent_ready(a);
	window_open(a, &w);
	interrupt_running(n, &running);
	wake_idle(n, &waking);
	window_close(a, &w);
	if (running.count != n || waking.count != n)
		return agent_fail(-EAGAIN, "ipi: a thread could not be started");
	report_metric("ipi_ns", (double)hist_quantile(&running, 0.5));
	report_metric("ipi_p99_ns", (double)hist_quantile(&running, 0.99));
	report_metric("ipi_wake_ns", (double)hist_quantile(&waking, 0.5));
	report_hist("ipi_ns", &running);
	report_hist("ipi_wake_ns", &waking);
	/* One per barrier, two per round trip. */
	window_report(a, &w, 3 * n);
	return 0;
}
