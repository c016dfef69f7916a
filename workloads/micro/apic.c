// SPDX-License-Identifier: MIT
/* The local APIC, through its MSRs where CPUID offers x2APIC and through its page elsewhere (SDM 3A, 11). */
#include "workloads/micro/micro.h"

#define MSR_APIC_BASE    0x1b
#define APIC_BASE_X2     0x400
#define APIC_BASE_ENABLE 0x800
#define MSR_TSC_DEADLINE 0x6e0

enum {
	REG_ID = 0x20,
	REG_TPR = 0x80,
	REG_SPURIOUS = 0xf0,
	REG_ICR = 0x300,
	REG_ICR_HIGH = 0x310,
	REG_LVT_TIMER = 0x320,
	REG_TIMER_INITIAL = 0x380,
	REG_TIMER_CURRENT = 0x390,
	REG_TIMER_DIVIDE = 0x3e0,
};

#define SPURIOUS_ENABLE  0x100
#define LVT_TSC_DEADLINE 0x40000
#define DIVIDE_BY_1      0xb
#define ICR_PENDING      0x1000

bool apic_is_x2;
static bool timer_is_deadline;
static uint64_t timer_khz; /* of the count-down timer */

/* Ring 0 as well as ring 3 (xAPIC only). */
static void write_here(unsigned reg, uint32_t v)
{
	if (apic_is_x2)
		__asm__ volatile("wrmsr" : : "c"(MSR_X2APIC + reg / 16), "a"(v), "d"(0) : "memory");
	else
		mmio_write32(APIC_BASE + reg, v);
}

static uint64_t do_write(uint64_t arg)
{
	write_here((unsigned)(arg >> 32), (uint32_t)arg);
	return 0;
}

void apic_write(unsigned reg, uint32_t v)
{
	if (apic_is_x2)
		ring0(do_write, (uint64_t)reg << 32 | v);
	else
		write_here(reg, v);
}

static uint32_t apic_read(unsigned reg)
{
	if (apic_is_x2)
		return (uint32_t)msr_read(MSR_X2APIC + reg / 16);
	return mmio_read32(APIC_BASE + reg);
}

uint32_t apic_id(void)
{
	uint32_t id = apic_read(REG_ID);

	return apic_is_x2 ? id : id >> 24;
}

static uint64_t do_enable(uint64_t x2)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(MSR_APIC_BASE));
	lo |= APIC_BASE_ENABLE;
	__asm__ volatile("wrmsr" : : "c"(MSR_APIC_BASE), "a"(lo), "d"(hi));
	if (x2)
		__asm__ volatile("wrmsr" : : "c"(MSR_APIC_BASE), "a"(lo | APIC_BASE_X2), "d"(hi));
	return 0;
}

void apic_init(void)
{
	bool x2 = cpuid(1, 0).ecx >> 21 & 1;

	ring0(do_enable, x2);
	apic_is_x2 = x2;
	apic_write(REG_TPR, 0);
	apic_write(REG_SPURIOUS, SPURIOUS_ENABLE | VEC_SPURIOUS);
}

/* Ring 0 for x2APIC. arg: destination in the upper half. */
static uint64_t do_ipi(uint64_t arg)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(MSR_X2APIC + REG_ICR / 16), "a"((uint32_t)arg), "d"((uint32_t)(arg >> 32))
			 : "memory");
	return 0;
}

void apic_ipi(uint32_t to, uint32_t command)
{
	if (apic_is_x2) {
		ring0(do_ipi, (uint64_t)to << 32 | command);
		return;
	}
	mmio_write32(APIC_BASE + REG_ICR_HIGH, to << 24);
	mmio_write32(APIC_BASE + REG_ICR, command);
}

/* Against the TSC, over 1 ms. */
static uint64_t timer_frequency_khz(void)
{
	uint64_t t0, ticks = tsc_khz;
	uint32_t count;

	apic_write(REG_TIMER_INITIAL, 0xffffffff);
	t0 = rdtsc();
	while (rdtsc() - t0 < ticks)
		;
	count = 0xffffffff - apic_read(REG_TIMER_CURRENT);
	ticks = rdtsc() - t0;
	apic_write(REG_TIMER_INITIAL, 0);
	return (uint64_t)count * tsc_khz / ticks;
}

bool apic_timer_init(unsigned irq)
{
	uint32_t vec = VEC_IRQ_BASE + irq;

	if (!tsc_khz)
		return false;
	timer_is_deadline = cpuid(1, 0).ecx >> 24 & 1;
	apic_write(REG_TIMER_DIVIDE, DIVIDE_BY_1);
	if (timer_is_deadline) {
		apic_write(REG_LVT_TIMER, vec | LVT_TSC_DEADLINE);
		return msr_write(MSR_TSC_DEADLINE, 0) == 0;
	}
	apic_write(REG_LVT_TIMER, vec);
	timer_khz = timer_frequency_khz();
	return timer_khz > 0;
}

/* Ring 0. 0 disarms. */
static void arm_here(uint64_t tsc)
{
	uint64_t count;

	if (timer_is_deadline) {
		__asm__ volatile("wrmsr"
				 :
				 : "c"(MSR_TSC_DEADLINE), "a"((uint32_t)tsc), "d"((uint32_t)(tsc >> 32))
				 : "memory");
		return;
	}
	if (!tsc) {
		write_here(REG_TIMER_INITIAL, 0);
		return;
	}
	count = sub_floor(tsc, rdtsc()) * timer_khz / tsc_khz;
	write_here(REG_TIMER_INITIAL, (uint32_t)MIN(MAX(count, 1), 0xffffffffu));
}

static uint64_t do_arm(uint64_t tsc)
{
	arm_here(tsc);
	return 0;
}

void apic_timer_at(uint64_t tsc)
{
	ring0(do_arm, tsc);
}

uint64_t halt_until(uint64_t tsc)
{
	if (tsc)
		arm_here(tsc);
	__asm__ volatile("sti; hlt; cli" ::: "memory");
	return rdtsc();
}

bool irq_wait(unsigned irq, uint32_t from, uint64_t timeout_ns)
{
	uint64_t end = rdtsc() + ns_to_tsc(timeout_ns);

	while (irq_seen(irq) == from) {
		cpu_relax();
		if (rdtsc() > end)
			return irq_seen(irq) != from;
	}
	return true;
}
