// SPDX-License-Identifier: MIT
/* ipi: from the ICR write until the other CPU's handler has run, that CPU spinning and asleep in HLT. */
#include "workloads/micro/micro.h"

#define IRQ_IPI    2
#define MAX_ROUNDS 65536u
#define LIMIT_NS   (1000 * NS_PER_MS) /* per half, however slow */
#define SETTLE_NS  50000              /* time for the target to fall asleep */
#define WAIT_NS    (500 * NS_PER_MS)

static bool asleep, lost;

static void wait_for_ipis(void *arg)
{
	(void)arg;
	for (;;) {
		if (__atomic_load_n(&asleep, __ATOMIC_RELAXED))
			ring0(halt_until, 0);
		else
			cpu_relax();
	}
}

/* Ring 0. */
static uint64_t send_ipi(uint64_t arg)
{
	uint32_t seen = irq_seen(IRQ_IPI);
	uint64_t t0 = rdtsc();

	(void)arg;
	apic_ipi(1, VEC_IRQ_BASE + IRQ_IPI);
	lost |= !irq_wait(IRQ_IPI, seen, WAIT_NS);
	return rdtsc() - t0;
}

static unsigned send_rounds(uint64_t *ns, unsigned n, uint64_t settle_ns)
{
	uint64_t end = rdtsc() + ns_to_tsc(LIMIT_NS);
	unsigned i;

	for (i = 0; i < n && !lost && rdtsc() < end; i++) {
		uint64_t from = rdtsc();

		while (settle_ns && rdtsc() - from < ns_to_tsc(settle_ns))
			cpu_relax();
		ns[i] = tsc_to_ns(ring0(send_ipi, 0));
	}
	sort_u64(ns, i);
	return i;
}

int job_ipi(const struct workload_job *job)
{
	unsigned n = (unsigned)MIN(or_usual(job->work, 10000), MAX_ROUNDS), awake, woken;
	uint64_t *running = mem_alloc(n * sizeof(*running), 64), *waking = mem_alloc(n * sizeof(*waking), 64);

	if (!running || !waking)
		return -1;
	if (cpu_start(wait_for_ipis, NULL))
		return report_fail("ipi: needs two vCPUs; give cpus=2");
	report("ready");
	window_open();
	awake = send_rounds(running, n, 0);
	__atomic_store_n(&asleep, true, __ATOMIC_RELAXED);
	woken = send_rounds(waking, n, SETTLE_NS);
	window_close();
	if (lost || !awake || !woken)
		return report_fail("ipi: one did not arrive within 500 ms");
	report_metric("ipi_ns", running[awake / 2]);
	report_metric("ipi_p99_ns", running[(uint64_t)awake * 99 / 100]);
	report_metric("ipi_wake_ns", waking[woken / 2]);
	report_hist("ipi_ns", running, awake);
	report_hist("ipi_wake_ns", waking, woken);
	window_report(awake + woken);
	return 0;
}
