/* SPDX-License-Identifier: MIT */
/*
 * A multiboot kernel at 0x8000, as test suites written for QEMU are: asks fw_cfg for its signature and how many CPUs there are, by
 * port and by DMA, says that and its command line on COM1, and ends by the port 0xf4.
 */
#define LOAD 0x8000
#define AT(label) (LOAD + label - header)

	.code32
	.text
header:	.long 0x1badb002, 1 << 16, -(0x1badb002 + (1 << 16))
	.long LOAD, LOAD, AT(end), AT(end), AT(start)

.macro say /* %al, to COM1 */
	movw $0x3f8, %dx
	outb %al, %dx
.endm

.macro select key
	movw $0x510, %dx
	movw $\key, %ax
	outw %ax, %dx
.endm

start:	movl 16(%ebx), %esi /* the command line */
	select 0
	movl $4, %ecx
1:	movw $0x511, %dx
	inb %dx, %al
	say
	loop 1b
	select 5
	movw $0x511, %dx
	inb %dx, %al
	addb $'0', %al
	say
	/* the same by DMA: the request's address is big-endian, as all of it */
	movw $0x518, %dx
	movl $AT(request), %eax
	bswap %eax
	outl %eax, %dx
	movb AT(answer), %al
	addb $'0', %al
	say
	movb $' ', %al
2:	say
	lodsb
	testb %al, %al
	jnz 2b
	movb $'\n', %al
	say
	movb $0x21, %al
	outb %al, $0xf4
3:	hlt
	jmp 3b

	.balign 4
request: .byte 0, 5, 0, 8 | 2	/* select 5, read */
	.byte 0, 0, 0, 1	/* a byte */
	.byte 0, 0, 0, 0, 0, 0, AT(answer) >> 8 & 0xff, AT(answer) & 0xff
answer:	.byte 7
end:
