/* SPDX-License-Identifier: MIT */
/*
 * A switch of tasks, which long mode does not have: out of it, and never back. task_switch(rdi = pointer for lgdt), ring
 * 0: the task's selector is TASK_NEXT of that table, and what runs there ends the machine by its debug-exit port.
 */
#include "workloads/micro/layout.h"

#define CR0_PG     0x80000000
#define DEBUG_EXIT 0xf4

	.text
	.code64
	.globl task_switch, task_next
task_switch:
	cli
	lgdt	(%rdi)
	pushq	$SEL_BOOT_CODE
	pushq	$1f
	lretq
	.code32
1:	mov	$SEL_KERNEL_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%cr0, %eax
	and	$~CR0_PG, %eax
	mov	%eax, %cr0
	jmp	2f
2:	mov	$TASK_FIRST, %eax
	ltr	%ax
	ljmp	$TASK_NEXT, $0

task_next:
	mov	$DEBUG_EXIT, %edx
	mov	$1, %eax
	out	%eax, %dx
3:	hlt
	jmp	3b

	.section .note.GNU-stack, "", @progbits
