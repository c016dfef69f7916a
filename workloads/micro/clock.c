// SPDX-License-Identifier: MIT
/* The TSC's frequency, from the one who knows it best: KVM's clock, CPUID, and last the PIT. */
#include "workloads/micro/micro.h"

#define KVM_SIGNATURE      0x4b4d564b /* "KVMK" in ebx of 0x40000000 */
#define KVM_FEATURE_CLOCK2 3
#define MSR_KVM_CLOCK      0x4b564d01

/* Linux Documentation/virt/kvm/x86/msr.rst */
struct pv_clock {
	uint32_t version, pad0;
	uint64_t tsc_timestamp, system_time;
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags, pad[2];
};

uint64_t tsc_khz;
static uint64_t ns_mul; /* ns = ticks * ns_mul >> 32 */

/* ns per tick is mul * 2^shift / 2^32 */
static uint64_t from_kvmclock(void)
{
	static volatile struct pv_clock pv __attribute__((aligned(64)));
	struct cpuid c = cpuid(0x40000000, 0);
	uint64_t khz;

	if (c.ebx != KVM_SIGNATURE || !(cpuid(0x40000001, 0).eax >> KVM_FEATURE_CLOCK2 & 1))
		return 0;
	if (msr_write(MSR_KVM_CLOCK, (uint64_t)&pv | 1))
		return 0;
	/* KVM fills it in before the next entry. */
	for (int i = 0; i < 1000 && !pv.tsc_to_system_mul; i++)
		cpuid(0, 0);
	if (!pv.tsc_to_system_mul)
		return 0;
	khz = (1000000ull << 32) / pv.tsc_to_system_mul;
	if (pv.tsc_shift < 0)
		khz <<= -pv.tsc_shift;
	else
		khz >>= pv.tsc_shift;
	msr_write(MSR_KVM_CLOCK, 0);
	return khz;
}

/* CPUID 0x15: TSC = crystal * ebx / eax. */
static uint64_t from_cpuid(void)
{
	struct cpuid c;

	if (cpuid(0, 0).eax < 0x15)
		return 0;
	c = cpuid(0x15, 0);
	if (!c.eax)
		return 0;
	return (uint64_t)c.ecx * c.ebx / c.eax / 1000;
}

#define PIT_HZ    1193182
#define PIT_TICKS 11932 /* 10 ms */

/* Channel 2 counts down once; bit 5 of port 0x61 rises at its end. */
static uint64_t from_pit(void)
{
	uint64_t t0, t1, spins = 0;

	outb(0x61, (inb(0x61) & 0xfc) | 1);
	outb(0x43, 0xb0);
	outb(0x42, PIT_TICKS & 0xff);
	outb(0x42, PIT_TICKS >> 8);
	t0 = rdtsc();
	while (!(inb(0x61) & 0x20))
		if (++spins > 1000000)
			return 0;
	t1 = rdtsc();
	return (t1 - t0) * PIT_HZ / PIT_TICKS / 1000;
}

const char *clock_init(void)
{
	static const struct {
		const char *name;
		uint64_t (*khz)(void);
	} sources[] = {{"kvmclock", from_kvmclock}, {"cpuid", from_cpuid}, {"pit", from_pit}};

	for (unsigned i = 0; i < ARRAY_SIZE(sources); i++) {
		tsc_khz = sources[i].khz();
		if (!tsc_khz)
			continue;
		ns_mul = (1000000ull << 32) / tsc_khz;
		return sources[i].name;
	}
	return NULL;
}

uint64_t tsc_to_ns(uint64_t ticks)
{
	return (uint64_t)((__uint128_t)ticks * ns_mul >> 32);
}

uint64_t ns_to_tsc(uint64_t ns)
{
	/* Without a known frequency: as if 1 GHz, so that time-outs end some time. */
	if (!tsc_khz)
		return ns;
	return ns / 1000 * tsc_khz / 1000 + ns % 1000 * tsc_khz / 1000000;
}
