// SPDX-License-Identifier: MIT
/*
 * every-exit: one of each exit that a guest can cause on VT-x and that exit-cost does not, for tests of who
 * counts them. Nothing is measured. An operation that the processor refuses is an exit all the same, when
 * KVM is the one that says no; op=triple-fault and op=task-switch end the machine.
 */
#include <string.h>

#include "workloads/micro/micro.h"

#define IRQ	      7
#define VEC	      (VEC_IRQ_BASE + IRQ)
#define ICR_NMI	      0x400
#define REG_SPUR      0xf0
#define REG_LVT0      0x350
#define REG_DFR	      0xe0
#define IOAPIC	      0xfec00000ull
#define IOAPIC_PIN    5
#define IOAPIC_LEVEL  0x8000
#define IOAPIC_MASKED 0x10000
#define MSR_APIC_BASE 0x1b
#define APIC_BASE_ON  0x800
#define APIC_BASE_X2  0x400
#define MSR_PAT	      0x277
#define CR4_UMIP      0x800
#define CR4_OSXSAVE   0x40000
#define SPIN_NS	      (12 * NS_PER_MS) /* three ticks of a host at 250 Hz */
#define TIMER_NS      200000
#define LARGE_PAGE    0x200000
#define PAUSES	      20000 /* more than KVM's window before it calls a loop a loop */

/* Each in ring 0 with interrupts off; an exception ends it. */
#define OP(name, ...)                                                                                        \
	static uint64_t do_##name(uint64_t page)                                                             \
	{                                                                                                    \
		__asm__ volatile(__VA_ARGS__);                                                               \
		return 0;                                                                                    \
	}

OP(ud, "ud2" : : "r"(page))
OP(invd, "invd" : : "r"(page) : "memory")
OP(wbinvd, "wbinvd" : : "r"(page) : "memory")
OP(invlpg, "invlpg (%0)" : : "r"(page) : "memory")
OP(invpcid, "invpcid (%0), %1" : : "r"(page), "r"(2ull) : "memory")
OP(rdpmc, "rdpmc" : : "c"(0), "r"(page) : "eax", "edx")
OP(monitor, "monitor" : : "a"(page), "c"(0), "d"(0) : "memory")
OP(mwait, "mwait" : : "a"(0), "c"(0), "r"(page) : "memory")
OP(dr, "mov %%dr7, %%rax; mov %%rax, %%dr7" : : "r"(page) : "rax")
OP(cr3, "mov %%cr3, %%rax; mov %%rax, %%cr3" : : "r"(page) : "rax", "memory")
OP(rdmsr, "rdmsr" : : "c"(MSR_APIC_BASE), "r"(page) : "eax", "edx")
OP(wrmsr, "rdmsr; wrmsr" : : "c"(MSR_PAT), "r"(page) : "eax", "edx")
OP(vmclear, "vmclear (%0)" : : "r"(page) : "memory")
OP(vmlaunch, "vmlaunch" : : "r"(page) : "memory")
OP(vmptrld, "vmptrld (%0)" : : "r"(page) : "memory")
OP(vmptrst, "vmptrst (%0)" : : "r"(page) : "memory")
OP(vmread, "vmread %%rax, %%rax" : : "a"(0), "r"(page) : "memory")
OP(vmresume, "vmresume" : : "r"(page) : "memory")
OP(vmwrite, "vmwrite %%rax, %%rax" : : "a"(0), "r"(page) : "memory")
OP(vmxoff, "vmxoff" : : "r"(page) : "memory")
OP(vmxon, "vmxon (%0)" : : "r"(page) : "memory")
OP(invept, "invept (%0), %1" : : "r"(page), "r"(2ull) : "memory")
OP(invvpid, "invvpid (%0), %1" : : "r"(page), "r"(2ull) : "memory")
OP(vmfunc, "vmfunc" : : "a"(0), "c"(0), "r"(page) : "memory")
OP(pause, "mov %0, %%ecx; 1: pause; dec %%ecx; jnz 1b" : : "i"(PAUSES), "r"(page) : "ecx")

static uint64_t cr4_read(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr4, %0" : "=r"(v));
	return v;
}

static void cr4_write(uint64_t v)
{
	__asm__ volatile("mov %0, %%cr4" : : "r"(v) : "memory");
}

/* The same value again. */
static uint64_t do_xsetbv(uint64_t page)
{
	(void)page;
	cr4_write(cr4_read() | CR4_OSXSAVE);
	__asm__ volatile("xgetbv; xsetbv" : : "c"(0) : "eax", "edx");
	return 0;
}

/* Where the processor has no UMIP, KVM makes it from these two exits. */
static uint64_t do_umip(uint64_t page)
{
	cr4_write(cr4_read() | CR4_UMIP);
	__asm__ volatile("sgdt (%0); sldt %%eax" : : "r"(page) : "eax", "memory");
	cr4_write(cr4_read() & ~(uint64_t)CR4_UMIP);
	return 0;
}

/* An interrupt comes while the guest takes none. */
static uint64_t do_window(uint64_t page)
{
	(void)page;
	apic_ipi(apic_id(), VEC);
	__asm__ volatile("sti; nop; cli" ::: "memory");
	return 0;
}

extern uint64_t pdpt[];

/* Tables of their own for the first GiB, in three pages; the rest is shared. */
static uint64_t copy_tables(uint64_t pages)
{
	uint64_t *pml4 = (uint64_t *)pages, *directories = pml4 + 512, *directory = directories + 512;

	memset(pml4, 0, 4096);
	memcpy(directories, pdpt, 4096);
	memcpy(directory, (void *)(pdpt[0] & ~0xfffull), 4096);
	pml4[0] = (uint64_t)directories | 7;
	directories[0] = (uint64_t)directory | 7;
	return pages;
}

/* The operand of LIDT, LGDT and their like. */
struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/*
 * An interrupt comes right after new page tables, with the IDT in another large page than the code: under
 * shadow paging its delivery is what touches that page first, and ends in an exit half way.
 */
static uint64_t do_delivery(uint64_t pages)
{
	uint64_t old, tables = copy_tables(pages);
	struct table_pointer near, far = {4095, pages + 3 * 4096};
	uint32_t seen = irq_seen(IRQ);

	__asm__ volatile("sidt %0" : "=m"(near));
	memcpy((void *)far.base, (void *)near.base, 4096);
	apic_ipi(apic_id(), VEC);
	__asm__ volatile("lidt %2; mov %%cr3, %0; mov %1, %%cr3; sti; nop; cli; mov %0, %%cr3; lidt %3"
			 : "=&r"(old)
			 : "r"(tables), "m"(far), "m"(near)
			 : "memory");
	if (irq_seen(IRQ) != seen + 1)
		report_fail("an interrupt was lost or came twice on its way through new page tables");
	return 0;
}

/* An interrupt comes that the task priority holds back. */
static uint64_t do_priority(uint64_t page)
{
	(void)page;
	__asm__ volatile("mov %0, %%cr8" : : "r"(15ull));
	apic_ipi(apic_id(), VEC);
	__asm__ volatile("sti; mov %0, %%cr8; nop; cli" : : "r"(0ull) : "memory");
	return 0;
}

/* The IOAPIC wants to know of this vector's end, whoever sent it. */
static uint64_t do_eoi(uint64_t page)
{
	mmio_write32(IOAPIC, 0x10 + 2 * IOAPIC_PIN);
	mmio_write32(IOAPIC + 0x10, VEC | IOAPIC_LEVEL | IOAPIC_MASKED);
	return do_window(page);
}

static uint64_t do_send_nmi(uint64_t page)
{
	(void)page;
	apic_ipi(apic_id(), ICR_NMI);
	return 0;
}

/* The first comes as an exception and leaves NMIs blocked up to the next IRET, for which the second waits. */
static uint64_t do_nmi(uint64_t page)
{
	ring0_try(do_send_nmi, page);
	nmi_ignore();
	return do_send_nmi(page);
}

static uint64_t do_triple_fault(uint64_t page)
{
	memset((void *)page, 0, 16);
	__asm__ volatile("lidt (%0); ud2" : : "r"(page));
	return 0;
}

/* 32 bits: SDM 3A, figure 8-2. */
struct task {
	uint32_t link, stacks[6], cr3, eip, eflags, regs[8];
	uint32_t es, cs, ss, ds, fs, gs, ldt, iomap;
};

void task_switch(const struct table_pointer *table) __attribute__((noreturn)); /* task.S */
extern uint8_t task_next[];
extern uint64_t gdt[];

static uint64_t task_descriptor(const struct task *t)
{
	uint64_t base = (uint64_t)t;

	return (sizeof(*t) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
}

static uint64_t do_task_switch(uint64_t page)
{
	uint64_t *table = (uint64_t *)page;
	struct task *first = (void *)(page + 1024), *next = first + 1;
	struct table_pointer pointer = {TASK_NEXT + 7, page};

	memcpy(table, gdt, TASK_FIRST);
	table[TASK_FIRST / 8] = task_descriptor(first);
	table[TASK_NEXT / 8] = task_descriptor(next);
	*next = (struct task){.eip = (uint32_t)(uint64_t)task_next,
			      .eflags = 2,
			      .cs = SEL_BOOT_CODE,
			      .ss = SEL_KERNEL_DATA,
			      .ds = SEL_KERNEL_DATA,
			      .es = SEL_KERNEL_DATA,
			      .iomap = sizeof(*next)};
	task_switch(&pointer);
}

struct op {
	const char *name;
	uint64_t (*fn)(uint64_t page);
};

static const struct op ops[] = {
	{"ud", do_ud},		 {"invd", do_invd},	    {"wbinvd", do_wbinvd},
	{"invlpg", do_invlpg},	 {"invpcid", do_invpcid},   {"rdpmc", do_rdpmc},
	{"monitor", do_monitor}, {"mwait", do_mwait},	    {"dr", do_dr},
	{"cr3", do_cr3},	 {"rdmsr", do_rdmsr},	    {"wrmsr", do_wrmsr},
	{"vmclear", do_vmclear}, {"vmlaunch", do_vmlaunch}, {"vmptrld", do_vmptrld},
	{"vmptrst", do_vmptrst}, {"vmread", do_vmread},	    {"vmresume", do_vmresume},
	{"vmwrite", do_vmwrite}, {"vmxoff", do_vmxoff},	    {"vmxon", do_vmxon},
	{"invept", do_invept},	 {"invvpid", do_invvpid},   {"vmfunc", do_vmfunc},
	{"pause", do_pause},	 {"xsetbv", do_xsetbv},	    {"umip", do_umip},
	{"window", do_window},	 {"priority", do_priority}, {"eoi", do_eoi},
};

/* These end the machine, so only those are run that are asked for. */
static const struct op last[] = {
	{"triple-fault", do_triple_fault},
	{"task-switch", do_task_switch},
};

/* The timer runs out under a guest that computes, then under one that sleeps. */
static void run_timer(void)
{
	uint64_t end = rdtsc() + ns_to_tsc(SPIN_NS);

	if (!apic_timer_init(IRQ))
		return;
	apic_timer_at(rdtsc() + ns_to_tsc(TIMER_NS));
	while (rdtsc() < end)
		barrier();
	ring0(halt_until, rdtsc() + ns_to_tsc(TIMER_NS));
}

/* The APIC as a page of memory, where every register is an access of its own kind. */
static void run_xapic(void)
{
	uint64_t base = msr_read(MSR_APIC_BASE);

	msr_write(MSR_APIC_BASE, base & ~(uint64_t)(APIC_BASE_ON | APIC_BASE_X2));
	msr_write(MSR_APIC_BASE, (base | APIC_BASE_ON) & ~(uint64_t)APIC_BASE_X2);
	apic_is_x2 = false;
	apic_write(REG_SPUR, 0x100 | VEC_SPURIOUS);
	apic_write(REG_LVT0, IOAPIC_MASKED);
	apic_write(REG_DFR, 0xffffffff);
	mmio_read32(APIC_BASE + REG_LVT0);
	mmio_read8(APIC_BASE + REG_LVT0 + 4);
	ring0(do_window, 0);
}

int job_every_exit(const struct workload_job *job)
{
	uint64_t page = (uint64_t)mem_alloc(4 * 4096, LARGE_PAGE);
	unsigned refused = 0;

	if (!page)
		return -1;
	report("ready");
	window_open();
	for (unsigned i = 0; *job->op && i < ARRAY_SIZE(last); i++)
		if (job_wants(job, last[i].name))
			ring0(last[i].fn, page);
	for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
		if (job_wants(job, ops[i].name))
			refused += ring0_try(ops[i].fn, page) == (uint64_t)TRY_FAULTED;
	if (job_wants(job, "delivery") && ring0_try(do_delivery, page) == (uint64_t)TRY_FAULTED)
		report_fail("an interrupt became an exception on its way through new page tables");
	if (job_wants(job, "nmi"))
		ring0(do_nmi, page);
	if (job_wants(job, "timer"))
		run_timer();
	if (job_wants(job, "xapic"))
		run_xapic();
	window_close();
	report_note("every-exit: %u of %u operations refused", refused, (unsigned)ARRAY_SIZE(ops));
	window_report(0);
	return 0;
}
