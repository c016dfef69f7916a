/* SPDX-License-Identifier: MIT */
/*
 * What the jobs of the micro guest stand on. All of this is called from ring 3, where the whole of memory
 * and every device register is mapped one to one and ports are open (IOPL 3), unless it says "ring 0".
 */
#ifndef WORKLOADS_MICRO_MICRO_H
#define WORKLOADS_MICRO_MICRO_H

#include "base/util.h"
#include "workloads/job.h"
#include "workloads/micro/layout.h"
#include "workloads/protocol.h"

/* ---- the processor ---- */
#define barrier()   __asm__ volatile("" ::: "memory")
#define cpu_relax() __asm__ volatile("pause" ::: "memory")

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	/* The fence keeps the measured instruction on its side (SDM 2B, RDTSC). */
	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

#define IN_OUT(suffix, type)                                                                      \
	static inline type in##suffix(uint16_t port)                                              \
	{                                                                                         \
		type v;                                                                           \
		__asm__ volatile("in" #suffix " %1, %0" : "=a"(v) : "Nd"(port) : "memory");       \
		return v;                                                                         \
	}                                                                                         \
	static inline void out##suffix(uint16_t port, type v)                                     \
	{                                                                                         \
		__asm__ volatile("out" #suffix " %0, %1" : : "a"(v), "Nd"(port) : "memory");      \
	}
IN_OUT(b, uint8_t)
IN_OUT(w, uint16_t)
IN_OUT(l, uint32_t)

/* Device registers: one plain move each, so that KVM's emulator knows the instruction. */
#define MMIO(bits, insn, reg)                                                                                \
	static inline uint##bits##_t mmio_read##bits(uint64_t addr)                                          \
	{                                                                                                    \
		uint##bits##_t v;                                                                            \
		__asm__ volatile(insn " (%1), %0" : "=" reg(v) : "r"(addr) : "memory");                      \
		return v;                                                                                    \
	}                                                                                                    \
	static inline void mmio_write##bits(uint64_t addr, uint##bits##_t v)                                 \
	{                                                                                                    \
		__asm__ volatile(insn " %0, (%1)" : : reg(v), "r"(addr) : "memory");                         \
	}
MMIO(8, "movb", "q")
MMIO(16, "movw", "r")
MMIO(32, "movl", "r")
MMIO(64, "movq", "r")

/* a * b / c with 128 bits in between; all-ones when the result does not fit. */
static inline uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t hi, lo;

	__asm__("mulq %3" : "=a"(lo), "=d"(hi) : "0"(a), "r"(b));
	if (hi >= c)
		return UINT64_MAX;
	__asm__("divq %2" : "+a"(lo), "+d"(hi) : "r"(c));
	return lo;
}

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};
static inline struct cpuid cpuid(uint32_t leaf, uint32_t sub)
{
	struct cpuid r;

	__asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(sub));
	return r;
}

/* Run fn(arg) in ring 0 with interrupts off. */
uint64_t ring0(uint64_t (*fn)(uint64_t arg), uint64_t arg);
/* The same; an exception in fn comes back as TRY_FAULTED. First CPU only. */
uint64_t ring0_try(uint64_t (*fn)(uint64_t arg), uint64_t arg);
/*
 * Comes back after timeout_ns at the latest, as TRY_FAULTED, if fn runs with interrupts on. Takes the
 * APIC's timer.
 */
uint64_t ring0_try_for(uint64_t timeout_ns, uint64_t (*fn)(uint64_t arg), uint64_t arg);
uint64_t msr_read(uint32_t msr);
/* 0, or TRY_FAULTED when there is no such MSR. */
uint64_t msr_write(uint32_t msr, uint64_t value);
/* Make [pa, pa + len) accessible beyond the first 4 GiB, uncached. */
void map_high(uint64_t pa, uint64_t len);

/* From now on an NMI returns to where it came; until then it is an exception. */
void nmi_ignore(void);
/* Start the second CPU and run fn(arg) there, in ring 3, once. 0 or -ETIMEDOUT when there is none. */
int cpu_start(void (*fn)(void *arg), void *arg);

/* ---- interrupts: irq is 0 to N_IRQS - 1, its vector VEC_IRQ_BASE + irq ---- */
struct irq_counter {
	uint32_t n;
	uint8_t pad[IRQ_STRIDE - 4];
};
extern struct irq_counter irq_count[N_IRQS];
static inline uint32_t irq_seen(unsigned irq)
{
	return __atomic_load_n(&irq_count[irq].n, __ATOMIC_ACQUIRE);
}
/* Until the counter moves off from; false when that takes longer than timeout_ns. */
bool irq_wait(unsigned irq, uint32_t from, uint64_t timeout_ns);

extern bool apic_is_x2;
void apic_init(void); /* each CPU */
uint32_t apic_id(void);
void apic_write(unsigned reg, uint32_t v);
void apic_ipi(uint32_t to, uint32_t command);
/* Interrupt at tsc (one shot); false when this machine has no usable timer. */
bool apic_timer_init(unsigned irq);
void apic_timer_at(uint64_t tsc);
/* Ring 0: sleep until an interrupt. arg: 0, or a TSC at which to be woken. Returns the TSC right after. */
uint64_t halt_until(uint64_t tsc);

/* ---- time ---- */
#define NS_PER_MS 1000000ull
extern uint64_t tsc_khz;
const char *clock_init(void); /* how the frequency was found; NULL: not at all */
uint64_t tsc_to_ns(uint64_t ticks);
uint64_t ns_to_tsc(uint64_t ns);

/* ---- memory: zeroed, taken back only down to a mark ---- */
void *mem_alloc(uint64_t size, uint64_t align); /* NULL when there is no more */
void *mem_alloc_untouched(uint64_t size, uint64_t align); /* not even zeroed */
uint64_t mem_mark(void);
void mem_release(uint64_t mark);
uint64_t mem_end(void); /* the end of RAM below the hole */

/* ---- the line protocol on COM2 ---- */
void report_init(void);
/* %s %c %u %x %lu %lx %d only; adds "exitlab " and the newline */
void report(const char *fmt, ...) PRINTF(1, 2);
void report_note(const char *fmt, ...) PRINTF(1, 2);
/* The sample is void. Returns -1. */
int report_fail(const char *fmt, ...) PRINTF(1, 2);
bool report_failed(void);
void report_metric(const char *name, uint64_t value);
void report_milli(const char *name, uint64_t thousandths);
/* A histogram in the slots of base/hist.h. */
void report_hist(const char *name, const uint64_t *sorted_ns, unsigned n);
size_t format(char *buf, size_t size, const char *fmt, __builtin_va_list ap);

/* ---- the window ---- */
void window_open(void);
void window_close(void);
uint64_t window_ns(void);
/* window_ns and, with ops, ops_per_s and op_ns. */
void window_report(uint64_t ops);

/* ---- the end ---- */
/* Power-off by ACPI; status not 0: through the debug-exit port. */
void power_off(unsigned status) __attribute__((noreturn));

/* ---- jobs ---- */
void micro_run(void) __attribute__((noreturn)); /* main.c: read the job, run it, power off */
struct micro_job {
	const char *name; /* of the workload */
	int (*run)(const struct workload_job *job);
};
int job_exit_cost(const struct workload_job *job);
int job_timer(const struct workload_job *job);
int job_ipi(const struct workload_job *job);
int job_memory(const struct workload_job *job);
int job_compute(const struct workload_job *job);
int job_net_throughput(const struct workload_job *job);
int job_blk(const struct workload_job *job);
int job_hostile(const struct workload_job *job);
int job_every_exit(const struct workload_job *job);

/* Ascending, in place. */
void sort_u64(uint64_t *v, unsigned n);

#endif
