// SPDX-License-Identifier: MIT
/*
 * exit-cost: the round trip of each kind of exit. A sample is the TSC's difference around one operation,
 * minus the median of the same loop without an operation, in the ring where the operation is done.
 *
 *      kind             what                                     answered by
 *      cpuid            CPUID leaf 0                             KVM (back ends without hardware help:
 *                       perhaps nobody)
 *      pio_kernel       read of the PIC's mask, port 0x21        KVM, when it has the PIC (irqchip=kernel)
 *      pio_user         read of COM2's scratch register          the VMM
 *      mmio_user        read of a device register                the VMM
 *      mmio_write_user  write of a device register               the VMM
 *      ioeventfd        write of a doorbell                      KVM, by an eventfd
 *      msi_self         write of a register that raises an MSI   the VMM, then KVM; until its handler has run
 *      ipi              ICR write until the other CPU's handler has run
 *      hlt_wake         from the timer's due time to the first instruction after HLT, its handler included
 *      hypercall        an unknown one                           KVM
 *
 * Each of these leaves the guest with fewer of its own lines in the caches and pages in the TLB. `indirect`
 * measures some of them again with what comes after: the operation and a walk through a working set that was
 * warm, minus such a walk alone. What one exit costs with its indirect cost is the time by which that walk
 * ends later.
 */
#include <string.h>

#include "vmm/devices/testdev.h"
#include "workloads/micro/pci.h"

#define MIN_SAMPLES 32
#define LEAST_SAMPLES 8 /* even then */
#define MAX_SAMPLES 4096
#define WARM_UP     4
#define BUDGET_NS   (10 * NS_PER_MS) /* per kind */
#define LIMIT_NS    (20 * BUDGET_NS) /* a noisy machine: fewer samples then */
#define RESCUE_NS   (20 * NS_PER_MS)
#define HLT_NS      200000           /* longer than any halt polling that pays */
#define WAIT_NS     (100 * NS_PER_MS)

enum { IRQ_MSI, IRQ_TIMER, IRQ_IPI };

#define SET_BYTES   (256 * 1024) /* fits the second level of caches, and its TLB */
#define SET_LINE    64
#define SET_SAMPLES 200

#define COM2_SCRATCH 0x2ff
#define PIC_MASK     0x21
#define UNKNOWN_CALL 0x7fff /* KVM answers -KVM_ENOSYS */

static struct {
	struct pci_dev dev;
	uint64_t bar; /* 0: no test device */
	bool stop; /* the second CPU's spinning */
	bool amd;
	bool lost; /* an interrupt did not come */
} m;

/* One measured operation; returns its ticks. Kinds that run in ring 0 are called there. */
typedef uint64_t (*sample_fn)(uint64_t arg);

#define SAMPLE(name, op)                                                                          \
	static uint64_t name(uint64_t arg)                                                        \
	{                                                                                         \
		uint64_t t0 = rdtsc(), t1;                                                        \
		(void)arg;                                                                        \
		op;                                                                               \
		t1 = rdtsc();                                                                     \
		return t1 - t0;                                                                   \
	}

SAMPLE(do_empty, barrier())
SAMPLE(do_cpuid, cpuid(0, 0))
SAMPLE(do_pio_kernel, inb(PIC_MASK))
SAMPLE(do_pio_user, inb(COM2_SCRATCH))
SAMPLE(do_mmio_read, mmio_read32(arg + TESTDEV_SCRATCH))
SAMPLE(do_mmio_write, mmio_write32(arg + TESTDEV_SCRATCH, 1))
SAMPLE(do_doorbell, mmio_write32(arg + TESTDEV_DOORBELL, 1))

static uint64_t do_msi(uint64_t arg)
{
	uint32_t seen = irq_seen(IRQ_MSI);
	uint64_t t0 = rdtsc();

	mmio_write32(arg + TESTDEV_MSI, 0);
	m.lost |= !irq_wait(IRQ_MSI, seen, WAIT_NS);
	return rdtsc() - t0;
}

/* Ring 0: nothing but the ICR write and the other CPU's handler lies between. */
static uint64_t do_ipi(uint64_t arg)
{
	uint32_t seen = irq_seen(IRQ_IPI);
	uint64_t t0 = rdtsc();

	(void)arg;
	apic_ipi(1, VEC_IRQ_BASE + IRQ_IPI);
	m.lost |= !irq_wait(IRQ_IPI, seen, WAIT_NS);
	return rdtsc() - t0;
}

/* Ring 0. */
static uint64_t do_hlt(uint64_t arg)
{
	uint32_t seen = irq_seen(IRQ_TIMER);
	uint64_t due = rdtsc() + ns_to_tsc(HLT_NS), after;

	(void)arg;
	after = halt_until(due);
	m.lost |= irq_seen(IRQ_TIMER) == seen;
	return sub_floor(after, due);
}

static void hypercall_intel(void)
{
	uint64_t nr = UNKNOWN_CALL;

	__asm__ volatile("vmcall" : "+a"(nr) : : "rbx", "rcx", "rdx", "rsi", "memory");
}

static void hypercall_amd(void)
{
	uint64_t nr = UNKNOWN_CALL;

	__asm__ volatile("vmmcall" : "+a"(nr) : : "rbx", "rcx", "rdx", "rsi", "memory");
}

/* Ring 0. */
SAMPLE(do_hypercall_intel, hypercall_intel())
SAMPLE(do_hypercall_amd, hypercall_amd())

static uint64_t do_hypercall(uint64_t arg)
{
	if (m.amd)
		return do_hypercall_amd(arg);
	return do_hypercall_intel(arg);
}

/* The second CPU is awake, so that the IPI does not wake it up, and only while it is needed. */
static void spin_until(void *arg)
{
	while (!__atomic_load_n((bool *)arg, __ATOMIC_RELAXED))
		cpu_relax();
}

/* ---- why a kind cannot be measured here: NULL when it can ---- */
static const char *no_testdev(void)
{
	return m.bar ? NULL : "there is no exitlab-testdev (vmm --device exitlab-testdev)";
}

/* The eventfd must have seen the write, and the VMM not. */
static const char *no_doorbell(void)
{
	if (!m.bar)
		return no_testdev();
	mmio_read32(m.bar + TESTDEV_RINGS);
	mmio_write32(m.bar + TESTDEV_DOORBELL, 1);
	if (mmio_read32(m.bar + TESTDEV_RINGS) == 1 && !mmio_read32(m.bar + TESTDEV_MISSED))
		return NULL;
	return "the doorbell reaches the VMM, not an eventfd";
}

static const char *no_msi(void)
{
	if (!m.bar)
		return no_testdev();
	if (!pci_msix_route(&m.dev, 0, IRQ_MSI))
		return "the test device has no MSI-X";
	do_msi(m.bar);
	return m.lost ? "an MSI did not arrive within 100 ms" : NULL;
}

static const char *no_ipi(void)
{
	if (cpu_start(spin_until, &m.stop))
		return "there is no second vCPU (cpus=2)";
	ring0(do_ipi, 0);
	return m.lost ? "an IPI did not arrive within 100 ms" : NULL;
}

static const char *no_timer(void)
{
	return apic_timer_init(IRQ_TIMER) ? NULL : "the local APIC's timer cannot be used";
}

static uint64_t try_hypercall(uint64_t arg)
{
	__asm__ volatile("sti" ::: "memory");
	arg = do_hypercall(arg);
	__asm__ volatile("cli" ::: "memory");
	return arg;
}

static const char *no_hypercall(void)
{
	struct cpuid c = cpuid(0x40000000, 0);

	if (!(cpuid(1, 0).ecx >> 31) || c.ebx != 0x4b4d564b)
		return "CPUID shows no KVM";
	/* Some back ends patch the instruction and try it again for ever. */
	if (ring0_try_for(RESCUE_NS, try_hypercall, 0) == (uint64_t)TRY_FAULTED)
		return "it raises an exception or never ends";
	return NULL;
}

enum ring { RING3, RING0 };

static const struct kind {
	const char *name;
	sample_fn fn;
	enum ring ring;
	const char *(*unable)(void);
} kinds[] = {
	{"cpuid", do_cpuid, RING3, NULL},
	{"pio_kernel", do_pio_kernel, RING3, NULL},
	{"pio_user", do_pio_user, RING3, NULL},
	{"mmio_user", do_mmio_read, RING3, no_testdev},
	{"mmio_write_user", do_mmio_write, RING3, no_testdev},
	{"ioeventfd", do_doorbell, RING3, no_doorbell},
	{"msi_self", do_msi, RING3, no_msi},
	{"hypercall", do_hypercall, RING0, no_hypercall},
	{"hlt_wake", do_hlt, RING0, no_timer},
	{"ipi", do_ipi, RING0, no_ipi},
};

struct result {
	uint64_t *ticks;
	unsigned n;
	const char *skipped; /* why */
};

static struct result results[ARRAY_SIZE(kinds)];
static uint64_t control[2]; /* ticks of the empty loop, by ring */

static uint64_t measure_once(const struct kind *k)
{
	if (k->ring == RING0)
		return ring0(k->fn, m.bar);
	return k->fn(m.bar);
}

static unsigned how_many(const struct kind *k, const struct workload_job *job)
{
	uint64_t t0, per;

	if (job->work)
		return (unsigned)MIN(job->work, MAX_SAMPLES);
	for (int i = 0; i < WARM_UP; i++)
		measure_once(k);
	t0 = rdtsc();
	for (int i = 0; i < WARM_UP; i++)
		measure_once(k);
	per = MAX((rdtsc() - t0) / WARM_UP, 1);
	return (unsigned)MIN(MAX(ns_to_tsc(BUDGET_NS) / per, MIN_SAMPLES), MAX_SAMPLES);
}

static void measure_kind(const struct kind *k, struct result *r, const struct workload_job *job)
{
	uint64_t end;
	unsigned n;

	m.lost = false;
	if (k->unable)
		r->skipped = k->unable();
	if (r->skipped)
		return;
	n = how_many(k, job);
	end = rdtsc() + ns_to_tsc(LIMIT_NS);
	while (r->n < n && (rdtsc() < end || r->n < LEAST_SAMPLES))
		r->ticks[r->n++] = measure_once(k);
	if (m.lost)
		r->skipped = "an interrupt was lost";
}

static void measure_control(uint64_t *ticks)
{
	static const struct kind empty[] = {
		{"control", do_empty, RING3, NULL},
		{"control", do_empty, RING0, NULL},
	};

	for (unsigned ring = 0; ring < 2; ring++) {
		for (unsigned i = 0; i < MAX_SAMPLES / 8; i++)
			ticks[i] = measure_once(&empty[ring]);
		sort_u64(ticks, MAX_SAMPLES / 8);
		control[ring] = ticks[MAX_SAMPLES / 16];
	}
}

static void report_kind(const struct kind *k, struct result *r)
{
	/* hlt_wake's clock starts at the due time: no loop around it to take off. */
	uint64_t base = k->fn == do_hlt ? 0 : control[k->ring];
	char name[48] = "exit_cost_ns.";

	if (r->skipped) {
		report_note("%s skipped: %s", k->name, r->skipped);
		return;
	}
	memcpy(name + strlen(name), k->name, strlen(k->name) + 1);
	for (unsigned i = 0; i < r->n; i++)
		r->ticks[i] = sub_floor(r->ticks[i], base);
	sort_u64(r->ticks, r->n);
	if (k->fn == do_cpuid) {
		report_metric("exit_cost_cycles", r->ticks[r->n / 2]);
		report_milli("exit_cost_ns", tsc_to_ns(r->ticks[r->n / 2] * 1000));
	}
	report_milli(name, tsc_to_ns(r->ticks[r->n / 2] * 1000));
	for (unsigned i = 0; i < r->n; i++)
		r->ticks[i] = tsc_to_ns(r->ticks[i]);
	report_hist(name, r->ticks, r->n);
}

/* ---- the indirect cost ---- */

static const char *const indirect_kinds[] = {"cpuid", "pio_kernel", "pio_user", "mmio_user"};

static const struct kind *kind_of(const char *name)
{
	const struct kind *k = kinds;

	while (strcmp(k->name, name))
		k++;
	return k;
}

static void set_walk(const uint8_t *set)
{
	for (unsigned i = 0; i < SET_BYTES; i += SET_LINE)
		(void)*(const volatile uint8_t *)(set + i);
}

/* The set is warm when the operation begins: it has been walked through twice. */
static uint64_t walk_after(const struct kind *k, const uint8_t *set)
{
	uint64_t t0;

	set_walk(set);
	set_walk(set);
	t0 = rdtsc();
	if (k)
		k->fn(m.bar);
	set_walk(set);
	return rdtsc() - t0;
}

/* With and without by turns: whatever else disturbs the caches disturbs both. */
static void measure_indirect(const struct kind *k, struct result *r, const uint8_t *set, uint64_t *alone)
{
	uint64_t end = rdtsc() + ns_to_tsc(LIMIT_NS);
	uint64_t base;

	if (k->unable)
		r->skipped = k->unable();
	if (r->skipped)
		return;
	while (r->n < SET_SAMPLES && (rdtsc() < end || r->n < LEAST_SAMPLES)) {
		r->ticks[r->n] = walk_after(k, set);
		alone[r->n++] = walk_after(NULL, set);
	}
	sort_u64(r->ticks, r->n);
	sort_u64(alone, r->n);
	base = alone[r->n / 2];
	for (unsigned i = 0; i < r->n; i++)
		r->ticks[i] = sub_floor(r->ticks[i], base);
}

static void report_indirect(const struct result *r, const char *kind)
{
	char name[48] = "exit_cost_full_ns.";

	if (r->skipped)
		return; /* said of the kind itself */
	memcpy(name + strlen(name), kind, strlen(kind) + 1);
	report_milli(name, tsc_to_ns(r->ticks[r->n / 2] * 1000));
}

static void find_devices(void)
{
	/* "AuthenticAMD", "HygonGenuine": VMMCALL. */
	m.amd = cpuid(0, 0).ecx == 0x444d4163 || cpuid(0, 0).ecx == 0x656e6975;
	if (pci_find(&m.dev, TESTDEV_VENDOR, TESTDEV_DEVICE))
		m.bar = m.dev.bar[0];
}

int job_exit_cost(const struct workload_job *job)
{
	uint64_t *scratch = mem_alloc(MAX_SAMPLES * sizeof(*scratch), 64);
	uint8_t *set = mem_alloc(SET_BYTES, 4096);
	struct result indirect[ARRAY_SIZE(indirect_kinds)] = {{NULL, 0, NULL}};
	bool full = job_wants(job, "indirect"), any = full;

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		results[i].ticks = mem_alloc(MAX_SAMPLES * sizeof(*scratch), 64);
	for (unsigned i = 0; i < ARRAY_SIZE(indirect); i++)
		indirect[i].ticks = mem_alloc(SET_SAMPLES * sizeof(*scratch), 64);
	if (!scratch || !set || report_failed())
		return -1;
	find_devices();
	measure_control(scratch);
	report("ready");
	window_open();
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		if (job_wants(job, kinds[i].name))
			measure_kind(&kinds[i], &results[i], job);
	for (unsigned i = 0; full && i < ARRAY_SIZE(indirect); i++)
		measure_indirect(kind_of(indirect_kinds[i]), &indirect[i], set, scratch);
	window_close();
	__atomic_store_n(&m.stop, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; full && i < ARRAY_SIZE(indirect); i++)
		report_indirect(&indirect[i], indirect_kinds[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!job_wants(job, kinds[i].name))
			continue;
		report_kind(&kinds[i], &results[i]);
		any = true;
	}
	report_milli("exit_cost_control_ns", tsc_to_ns(control[RING3] * 1000));
	window_report(0);
	if (!any)
		return report_fail("exit-cost: no operation is called %s", job->op);
	return 0;
}
