/* SPDX-License-Identifier: MIT */
/*
 * Entry, mode switches and everything that must run in ring 0. Some KVM back ends interpret supervisor code one
 * instruction at a time, so this file is short, its tables are built at link time, and it keeps to instructions that
 * an interpreter knows (no int3, no syscall/sysret, no cmpxchg16b, no xrstor).
 */
#include "workloads/micro/layout.h"

#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 3 /* page-aligned modules, memory map */

#define CR0_SET  0x80000003 /* paging, monitor coprocessor, protection */
#define CR0_KEEP 0x9ffffffb /* no emulation; caches on */
#define CR4_SET  0x20       /* PAE */
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100

#define RFLAGS_USER 0x3002 /* IOPL 3; micro_main switches interrupts on when the IDT is built */

	.section .multiboot, "a"
	.align 4
	.long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

/* ---- 32 bits, paging off: the loader's entry ---- */
	.text
	.code32
	.globl _start
_start:
	cli
	mov	%ebx, multiboot_info
	mov	$BOOTED_VALUE, %eax
	mov	$BOOTED_PORT, %edx
	out	%al, %dx
	mov	$0xff, %al	/* both interrupt controllers masked: firmware may have left them open */
	out	%al, $0x21
	out	%al, $0xa1
	xor	%ebp, %ebp
enter_long:	/* ebp: CPU number */
	mov	$CR4_SET, %eax
	mov	%eax, %cr4
	mov	$pml4, %eax
	mov	%eax, %cr3
	mov	$MSR_EFER, %ecx
	xor	%edx, %edx
	mov	$EFER_LME, %eax
	wrmsr
	mov	%cr0, %eax
	and	$CR0_KEEP, %eax
	or	$CR0_SET, %eax
	mov	%eax, %cr0
	lgdt	gdt_pointer
	ljmp	$SEL_KERNEL_CODE, $start64

/* ---- 64 bits, ring 0 ---- */
	.code64
start64:
	mov	$SEL_KERNEL_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	/* Each CPU: one stack for ring 0, one for ring 3. */
	mov	%ebp, %eax
	inc	%eax
	imul	$KERNEL_STACK, %eax
	lea	kernel_stacks(%rax), %rsp
	mov	%ebp, %edi
	mov	%rsp, %rsi
	call	cpu_ring0_init
	lidt	idt_pointer
	mov	%ebp, %eax
	inc	%eax
	imul	$USER_STACK, %eax
	lea	user_stacks(%rax), %rbx
	sub	$8, %rbx
	mov	%ebp, %edi
	pushq	$SEL_USER_DATA
	pushq	%rbx
	pushq	$RFLAGS_USER
	pushq	$SEL_USER_CODE
	pushq	$micro_main
	iretq

/* ---- second CPU: real mode, copied to AP_TRAMPOLINE ---- */
	.code16
	.globl ap_trampoline, ap_trampoline_end
ap_trampoline:
	cli
	xor	%eax, %eax
	mov	%ax, %ds
	lgdtl	AP_TRAMPOLINE + (ap_gdt_pointer - ap_trampoline)
	mov	%cr0, %eax
	or	$1, %eax
	mov	%eax, %cr0
	ljmpl	$SEL_BOOT_CODE, $ap_start32
ap_gdt_pointer:
	.word	GDT_SIZE - 1
	.long	gdt
ap_trampoline_end:

	.code32
ap_start32:
	mov	$SEL_KERNEL_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$1, %ebp
	jmp	enter_long

/* ---- gates ---- */
	.code64
	/*
	 * ring0(rdi = function, rsi = its argument): the way from ring 3 to ring 0 is a division by zero. It is the one
	 * that works everywhere: back ends without hardware virtualisation know neither syscall nor int for a guest of
	 * this kind, and others intercept undefined opcodes.
	 */
	.globl ring0_trap, gate_divide, gate_spurious
ring0_trap:
	xor	%ecx, %ecx
divide:	div	%ecx
divided:
	ret
gate_divide:
	cmpq	$divide, (%rsp)
	jne	gate_exceptions
	mov	%rdi, %rax
	mov	%rsi, %rdi
	call	*%rax
	movq	$divided, (%rsp)
	iretq

	/* For ring0(): the caller runs with interrupts on from its return; sti in ring 3 is not known everywhere. */
	.globl irqs_on
irqs_on:
	orl	$0x200, 24(%rsp)
	ret

	/* rdi = function, rsi = its argument, in ring 0: TRY_FAULTED when it raises an exception. One CPU at a time. */
	.globl try_call
try_call:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, try_stack
	mov	%rdi, %rax
	mov	%rsi, %rdi
	call	*%rax
try_out:
	movq	$0, try_stack
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

gate_spurious:
	iretq

	/* Interrupts: count, end of interrupt, return. */
	.globl gate_irqs
	.align GATE_SIZE
gate_irqs:
	.set	vec, VEC_IRQ_BASE
	.rept	N_IRQS
	.align	GATE_SIZE
	incl	irq_count + (vec - VEC_IRQ_BASE) * IRQ_STRIDE
	jmp	end_of_interrupt
	.set	vec, vec + 1
	.endr

end_of_interrupt:
	push	%rax
	cmpb	$0, apic_is_x2
	jne	1f
	mov	$APIC_BASE + APIC_EOI, %eax
	movl	$0, (%rax)
	pop	%rax
	iretq
1:	push	%rcx
	push	%rdx
	mov	$MSR_X2APIC + APIC_EOI / 16, %ecx
	xor	%eax, %eax
	xor	%edx, %edx
	wrmsr
	pop	%rdx
	pop	%rcx
	pop	%rax
	iretq

	/* The timer ends what ring0_try called and what does not come back by itself. */
	.globl gate_rescue
gate_rescue:
	cmpq	$0, try_stack
	je	end_of_interrupt
	pushq	$SEL_KERNEL_DATA
	lea	8(%rsp), %rax
	push	%rax
	pushq	$2
	pushq	$SEL_KERNEL_CODE
	pushq	$1f
	jmp	end_of_interrupt	/* returns here */
1:	mov	try_stack, %rsp
	mov	$TRY_FAULTED, %rax
	jmp	try_out

	/* Exceptions: vector and error code on the stack, then cpu_exception(frame). */
	.globl gate_exceptions
	.align GATE_SIZE
gate_exceptions:
	.set	vec, 0
	.rept	32
	.align	GATE_SIZE
	.if	!(vec == 8 || (vec >= 10 && vec <= 14) || vec == 17 || vec == 21 || vec == 29 || vec == 30)
	pushq	$0
	.endif
	pushq	$vec
	jmp	exception
	.set	vec, vec + 1
	.endr

exception:
	cmpq	$0, try_stack
	je	1f
	mov	try_stack, %rsp
	mov	$TRY_FAULTED, %rax
	jmp	try_out
1:	mov	%rsp, %rdi
	call	cpu_exception
2:	hlt
	jmp	2b

/* ---- tables ---- */
	.data
	.align	8
	.globl gdt
gdt:
	.quad	0
	.quad	0x00af9b000000ffff /* SEL_KERNEL_CODE */
	.quad	0x00cf93000000ffff /* SEL_KERNEL_DATA */
	.quad	0x00cff3000000ffff /* SEL_USER_DATA */
	.quad	0x00affb000000ffff /* SEL_USER_CODE */
	.quad	0x00cf9b000000ffff /* SEL_BOOT_CODE */
	.fill	2 * MAX_CPUS, 8, 0 /* SEL_TSS: cpu_ring0_init */
gdt_end:
	.if	gdt_end - gdt != GDT_SIZE
	.error	"GDT_SIZE is wrong"
	.endif
gdt_pointer:
	.word	GDT_SIZE - 1
	.quad	gdt
	.align	8
idt_pointer:
	.word	256 * 16 - 1
	.quad	idt

	.align	8
	.globl multiboot_info
multiboot_info:
	.quad	0
try_stack:
	.quad	0

/* The first 4 GiB, one to one, 2 MiB pages, open to ring 3; uncached from 3 GiB up, where only devices live. */
#define PRESENT_WRITE_USER 7
#define LARGE              0x80
#define UNCACHED           0x18

	.section .tables, "aw", @progbits
	.align	4096
	.globl pml4, pdpt
pml4:
	.quad	pdpt + PRESENT_WRITE_USER
	.fill	511, 8, 0
pdpt:
	.quad	pd + PRESENT_WRITE_USER
	.quad	pd + 0x1000 + PRESENT_WRITE_USER
	.quad	pd + 0x2000 + PRESENT_WRITE_USER
	.quad	pd + 0x3000 + PRESENT_WRITE_USER
	.fill	508, 8, 0
pd:
	.set	addr, 0
	.rept	1536
	.quad	addr + LARGE + PRESENT_WRITE_USER
	.set	addr, addr + 0x200000
	.endr
	.rept	512
	.quad	addr + LARGE + UNCACHED + PRESENT_WRITE_USER
	.set	addr, addr + 0x200000
	.endr

	.section .note.GNU-stack, "", @progbits
