// SPDX-License-Identifier: MIT
/*
 * The processor's tables: descriptors, exceptions, interrupts, the way to ring 0 and back, the second vCPU.
 */
#include <errno.h>
#include <string.h>

#include "workloads/micro/micro.h"

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1, ist[7], reserved2;
	uint16_t reserved3, iomap;
	uint8_t ports[65536 / 8 + 1]; /* the last byte is all ones (SDM 1, 19.5.2) */
} __attribute__((packed));

struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_mid;
	uint32_t offset_high, reserved;
};

/* What exception in boot.S left on the stack. */
struct frame {
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

#define VEC_NMI        2
#define GATE_INTERRUPT 0x8e /* present, interrupts off inside */
#define TSS_AVAILABLE  0x89

extern uint64_t gdt[];
extern uint64_t pdpt[];
extern uint8_t gate_divide[], gate_spurious[], gate_rescue[], gate_irqs[], gate_exceptions[];
extern uint8_t ap_trampoline[], ap_trampoline_end[];

struct gate idt[256] __attribute__((aligned(16)));
uint8_t kernel_stacks[MAX_CPUS][KERNEL_STACK] __attribute__((aligned(16)));
uint8_t user_stacks[MAX_CPUS][USER_STACK] __attribute__((aligned(16)));
struct irq_counter irq_count[N_IRQS] __attribute__((aligned(IRQ_STRIDE)));
static struct tss tss[MAX_CPUS] __attribute__((aligned(16)));

/* Ring 0, from boot.S. */
void cpu_ring0_init(uint64_t cpu, uint64_t stack);
void cpu_exception(const struct frame *f) __attribute__((noreturn));

void cpu_ring0_init(uint64_t cpu, uint64_t stack)
{
	uint64_t base = (uint64_t)&tss[cpu], limit = sizeof(tss[0]) - 1;
	uint64_t *d = &gdt[SEL_TSS / 8 + 2 * cpu];

	tss[cpu].rsp[0] = stack;
	/*
	 * Ports are open twice over: back ends that run ring 3 deprivileged know the bitmap only, and
	 * nested guests of QEMU's TCG only IOPL 3.
	 */
	tss[cpu].iomap = offsetof(struct tss, ports);
	tss[cpu].ports[65536 / 8] = 0xff;
	d[0] = limit | (base & 0xffffff) << 16 | (uint64_t)TSS_AVAILABLE << 40 | (base >> 24 & 0xff) << 56;
	d[1] = base >> 32;
	__asm__ volatile("ltr %w0" : : "r"((uint16_t)(SEL_TSS + 16 * cpu)));
}

void cpu_exception(const struct frame *f)
{
	uint64_t cr2;

	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	report_fail("micro guest: exception %lu error %lx at %lx (ring %lu), cr2 %lx", f->vector, f->error,
		    f->rip, f->cs & 3, cr2);
	power_off(2);
}

static void set_gate(unsigned vec, const uint8_t *code, uint8_t type)
{
	uint64_t a = (uint64_t)code;

	idt[vec] = (struct gate){(uint16_t)a,	      SEL_KERNEL_CODE,	   0, type,
				 (uint16_t)(a >> 16), (uint32_t)(a >> 32), 0};
}

static void idt_build(void)
{
	for (unsigned i = 0; i < 32; i++)
		set_gate(i, gate_exceptions + i * GATE_SIZE, GATE_INTERRUPT);
	set_gate(0, gate_divide, GATE_INTERRUPT);
	for (unsigned i = 0; i < N_IRQS; i++)
		set_gate(VEC_IRQ_BASE + i, gate_irqs + i * GATE_SIZE, GATE_INTERRUPT);
	set_gate(VEC_RESCUE, gate_rescue, GATE_INTERRUPT);
	set_gate(VEC_SPURIOUS, gate_spurious, GATE_INTERRUPT);
}

void nmi_ignore(void)
{
	set_gate(VEC_NMI, gate_spurious, GATE_INTERRUPT);
}

static bool in_ring0(void)
{
	uint16_t cs;

	__asm__("mov %%cs, %0" : "=r"(cs));
	return !(cs & 3);
}

uint64_t ring0_trap(uint64_t (*fn)(uint64_t arg), uint64_t arg); /* boot.S */

uint64_t ring0(uint64_t (*fn)(uint64_t arg), uint64_t arg)
{
	/* Exceptions report from there. */
	if (in_ring0())
		return fn(arg);
	return ring0_trap(fn, arg);
}

struct call {
	uint64_t (*fn)(uint64_t arg);
	uint64_t arg;
};

uint64_t try_call(uint64_t (*fn)(uint64_t arg), uint64_t arg); /* boot.S */

static uint64_t do_try(uint64_t arg)
{
	const struct call *c = (const void *)arg;

	return try_call(c->fn, c->arg);
}

uint64_t ring0_try(uint64_t (*fn)(uint64_t arg), uint64_t arg)
{
	struct call c = {fn, arg};

	return ring0(do_try, (uint64_t)&c);
}

uint64_t ring0_try_for(uint64_t timeout_ns, uint64_t (*fn)(uint64_t arg), uint64_t arg)
{
	uint64_t result;

	if (!apic_timer_init(VEC_RESCUE - VEC_IRQ_BASE))
		return (uint64_t)TRY_FAULTED;
	apic_timer_at(rdtsc() + ns_to_tsc(timeout_ns));
	result = ring0_try(fn, arg);
	apic_timer_at(0);
	return result;
}

static uint64_t do_rdmsr(uint64_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"((uint32_t)msr));
	return (uint64_t)hi << 32 | lo;
}

struct msr_value {
	uint32_t msr;
	uint64_t value;
};

static uint64_t do_wrmsr(uint64_t arg)
{
	const struct msr_value *m = (const void *)arg;

	__asm__ volatile("wrmsr"
			 :
			 : "c"(m->msr), "a"((uint32_t)m->value), "d"((uint32_t)(m->value >> 32))
			 : "memory");
	return 0;
}

uint64_t msr_read(uint32_t msr)
{
	return ring0(do_rdmsr, msr);
}

uint64_t msr_write(uint32_t msr, uint64_t value)
{
	struct msr_value m = {msr, value};

	return ring0_try(do_wrmsr, (uint64_t)&m);
}

/* 1 GiB at a time, 2 MiB pages. Present entries that were not are never cached: no flush. */
void map_high(uint64_t pa, uint64_t len)
{
	for (uint64_t gib = pa >> 30; gib <= (pa + len - 1) >> 30 && gib < 512; gib++) {
		uint64_t *pd;

		if (pdpt[gib])
			continue;
		pd = mem_alloc(4096, 4096);
		if (!pd)
			return;
		for (unsigned i = 0; i < 512; i++)
			pd[i] = (gib << 30) + ((uint64_t)i << 21) + 0x9f;
		barrier();
		pdpt[gib] = (uint64_t)pd | 7;
	}
}

/* ---- the second CPU ---- */
static struct {
	void (*fn)(void *arg);
	void *arg;
	uint32_t online;
} second;

#define ICR_INIT    0x4500
#define ICR_STARTUP 0x4600

static bool second_online(uint64_t timeout_ns)
{
	uint64_t end = rdtsc() + ns_to_tsc(timeout_ns);

	while (!__atomic_load_n(&second.online, __ATOMIC_ACQUIRE))
		if (rdtsc() > end)
			return false;
	return true;
}

int cpu_start(void (*fn)(void *arg), void *arg)
{
	second.fn = fn;
	second.arg = arg;
	memcpy((void *)AP_TRAMPOLINE, ap_trampoline, (size_t)(ap_trampoline_end - ap_trampoline));
	apic_ipi(1, ICR_INIT);
	second_online(NS_PER_MS / 5);
	apic_ipi(1, ICR_STARTUP | AP_TRAMPOLINE >> 12);
	return second_online(500 * NS_PER_MS) ? 0 : -ETIMEDOUT;
}

void micro_main(uint64_t cpu);
uint64_t irqs_on(uint64_t unused); /* boot.S */

void micro_main(uint64_t cpu)
{
	if (!cpu)
		idt_build();
	apic_init();
	ring0(irqs_on, 0);
	if (!cpu)
		micro_run();
	__atomic_store_n(&second.online, 1, __ATOMIC_RELEASE);
	second.fn(second.arg);
	for (;;)
		ring0(halt_until, 0);
}
