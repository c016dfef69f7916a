/* SPDX-License-Identifier: MIT */
/*
 * The boot code of a lab machine that has a BIOS and nothing else (boot_disk.h): reads an uncompressed Linux kernel and
 * its initramfs from the first ATA disk to where they belong and enters the kernel in 64-bit mode.
 *
 * It is data to us. The BIOS reads the first sector to 0x7c00, that one reads the rest behind itself, so every address
 * is AT(label). struct boot_header is filled in by boot_disk.c.
 *
 *	0x7c00   this code, 16 sectors
 *	0x10000  boot_params ("zero page") of the Linux boot protocol
 *	0x20000  page tables: the first 4 GiB, each address to itself
 */
#define AT(label)   (label - boot_code + 0x7c00)
#define SECTORS     16
#define PARAMS      0x10000
#define TABLES      0x20000

/* Selectors: Linux wants 0x10 for code and 0x18 for data. */
#define CODE64 0x10
#define DATA   0x18
#define CODE32 0x20

	.section .rodata, "a"
	.balign 16
	.globl boot_code, boot_header, boot_code_end
boot_code:
	.code16
	ljmp $0, $AT(1f)
1:	xor %ax, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	mov $0x7c00, %sp
	mov $AT(read_rest), %si
	mov $0x42, %ah			/* extended read from the drive in DL, which the BIOS set */
	int $0x13
	jnc collect_memory
2:	mov $0x0e21, %ax		/* "!": the disk cannot be read */
	int $0x10
	hlt
	jmp 2b

	.balign 4
read_rest:
	.byte 16, 0
	.word SECTORS - 1, 0x7e00, 0
	.quad 1

	.org 510
	.word 0xaa55

/* What the BIOS knows of memory, into boot_params' e820 table. */
collect_memory:
	mov $(PARAMS >> 4), %ax
	mov %ax, %es
	xor %di, %di
	xor %ax, %ax
	mov $2048, %cx
	rep stosw
	mov $0x2d0, %di			/* e820_table */
	xor %ebx, %ebx
3:	mov $0xe820, %eax
	mov $0x534d4150, %edx		/* "SMAP" */
	mov $20, %ecx
	int $0x15
	jc 4f
	incb %es:0x1e8			/* e820_entries */
	add $20, %di
	test %ebx, %ebx
	jnz 3b

4:	cli
	in $0x92, %al			/* A20; bit 0 would reset */
	or $2, %al
	and $0xfe, %al
	out %al, $0x92
	lgdtl AT(gdt_pointer)
	mov %cr0, %eax
	or $1, %al
	mov %eax, %cr0
	ljmp $CODE32, $AT(protected)

	.code32
protected:
	mov $DATA, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	mov $0x7c00, %esp
	cld
	mov $2, %al			/* the disk's interrupt is not wanted */
	mov $0x3f6, %dx
	out %al, %dx

	/* Each piece: where it goes, its first sector, how many, how many zeros follow. */
	mov $AT(pieces), %ebp
piece:
	mov (%ebp), %edi
	mov 4(%ebp), %ebx
	mov 8(%ebp), %esi
5:	test %esi, %esi
	jz 6f
	call read_some
	jmp 5b
6:	mov 12(%ebp), %ecx
	xor %eax, %eax
	rep stosb
	add $16, %ebp
	cmpl $0, (%ebp)
	jne piece

	/* boot_params: what a boot loader says of itself and of what it loaded */
	mov $PARAMS, %esi
	movw $0xaa55, 0x1fe(%esi)	/* boot_flag */
	movl $0x53726448, 0x202(%esi)	/* header: "HdrS" */
	movw $0x020c, 0x206(%esi)	/* version */
	movb $0xff, 0x210(%esi)		/* type_of_loader: one without a number */
	movb $1, 0x211(%esi)		/* loadflags: loaded high */
	movl $AT(command_line), 0x228(%esi)
	mov AT(initrd), %eax
	mov %eax, 0x218(%esi)
	mov AT(initrd_size), %eax
	mov %eax, 0x21c(%esi)

	/* PML4, PDPT and four page directories of 2 MiB pages */
	mov $TABLES, %edi
	mov $(0x6000 / 4), %ecx
	xor %eax, %eax
	rep stosl
	movl $(TABLES + 0x1003), TABLES
	movl $(TABLES + 0x2003), TABLES + 0x1000
	movl $(TABLES + 0x3003), TABLES + 0x1008
	movl $(TABLES + 0x4003), TABLES + 0x1010
	movl $(TABLES + 0x5003), TABLES + 0x1018
	mov $(TABLES + 0x2000), %edi
	mov $0x83, %eax			/* present, writable, 2 MiB */
	mov $2048, %ecx
7:	mov %eax, (%edi)
	add $0x200000, %eax
	add $8, %edi
	loop 7b

	mov $TABLES, %eax
	mov %eax, %cr3
	mov $0x20, %eax			/* CR4.PAE */
	mov %eax, %cr4
	mov $0xc0000080, %ecx		/* EFER.LME */
	rdmsr
	or $0x100, %eax
	wrmsr
	mov %cr0, %eax
	or $0x80000000, %eax		/* CR0.PG */
	mov %eax, %cr0
	ljmp $CODE64, $AT(long_mode)

/* Read up to 128 of ESI sectors from EBX on to EDI, by programmed input; all three move on. */
read_some:
	mov $128, %ecx
	cmp %ecx, %esi
	jae 8f
	mov %esi, %ecx
8:	sub %ecx, %esi
	mov $0x1f2, %edx
	mov %cl, %al			/* sectors */
	out %al, %dx
	inc %edx
	mov %ebx, %eax			/* LBA 7..0, 15..8, 23..16, 27..24 and the drive */
	out %al, %dx
	inc %edx
	shr $8, %eax
	out %al, %dx
	inc %edx
	shr $8, %eax
	out %al, %dx
	inc %edx
	shr $8, %eax
	and $0x0f, %al
	or $0xe0, %al
	out %al, %dx
	inc %edx
	mov $0x20, %al			/* READ SECTORS */
	out %al, %dx
	add %ecx, %ebx
9:	mov $0x1f7, %edx
	in %dx, %al
	test $0x80, %al			/* busy */
	jnz 9b
	test $8, %al			/* data */
	jz 9b
	push %ecx
	mov $256, %ecx
	mov $0x1f0, %edx
	rep insw			/* which Bochs does at one go, insl not */
	pop %ecx
	loop 9b
	ret

	.code64
long_mode:
	mov $PARAMS, %esi
	mov AT(entry), %eax
	jmp *%rax

	.balign 8
gdt:
	.quad 0, 0
	.quad 0x00af9b000000ffff	/* CODE64 */
	.quad 0x00cf93000000ffff	/* DATA */
	.quad 0x00cf9b000000ffff	/* CODE32 */
gdt_pointer:
	.word . - gdt - 1
	.long AT(gdt)

/* struct boot_header */
	.org 0x800
boot_header:
entry:
	.long 0
initrd:
	.long 0
initrd_size:
	.long 0
	.long 0
pieces:
	.space 16 * 32
command_line:
	.space 4096
	.org SECTORS * 512
boot_code_end:

	.section .note.GNU-stack, "", @progbits
