/* SPDX-License-Identifier: MIT */
/* Flat guests of a few bytes: built with -DGUEST_x, loaded and entered at 1 MiB in 32-bit mode. */
	.code32
	.globl _start
_start:

#define CMOS_COUNT 0x50 /* in the CMOS memory, which a reset keeps */

.macro put port, value
	movw $\port, %dx
	movb $\value, %al
	outb %al, %dx
.endm

#if defined(GUEST_EXIT)
	put 0xf4, 0x21

#elif defined(GUEST_POWEROFF)
	movw $0x604, %dx
	movw $(5 << 10 | 1 << 13), %ax
	outw %ax, %dx

#elif defined(GUEST_RESET_CF9)
	put 0xcf9, 6

#elif defined(GUEST_RESET_8042)
	put 0x64, 0xfe

#elif defined(GUEST_PANIC)
	put 0x505, 1

#elif defined(GUEST_TRIPLE_FAULT)
	lidt none
	ud2
none:	.word 0
	.long 0

#elif defined(GUEST_REBOOTS) /* resets that many times, then says so and waits */
	put 0x70, CMOS_COUNT
	inb $0x71, %al
	cmpb $GUEST_REBOOTS, %al
	je 1f
	incb %al
	outb %al, $0x71
	put 0xcf9, 6
1:	put 0x3f8, 'R'
	put 0x3f8, '\n'

#elif defined(GUEST_WAIT)
	put 0x3f8, 'R'
	put 0x3f8, '\n'

#elif defined(GUEST_FLOOD) /* writes to its console for ever */
1:	put 0x3f8, 'x'
	jmp 1b

#elif defined(GUEST_POKE) /* every port, every width, as a hostile guest would */
	movl $0, %edx
1:	cmpw $0xf4, %dx
	je 2f
	cmpw $0x64, %dx
	je 2f
	cmpw $0xcf9, %dx
	je 2f
	cmpw $0x505, %dx
	je 2f
	movl $0x55aa0000, %eax
	outb %al, %dx
	outw %ax, %dx
	outl %eax, %dx
	inl %dx, %eax
	inw %dx, %ax
	inb %dx, %al
2:	addl $7, %edx
	cmpl $0x10000, %edx
	jb 1b
	put 0xf4, 0
#endif

halt:	hlt
	jmp halt
