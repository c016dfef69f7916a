/* SPDX-License-Identifier: MIT */
/* Numbers that boot.S and the C files share. */
#ifndef WORKLOADS_MICRO_LAYOUT_H
#define WORKLOADS_MICRO_LAYOUT_H

/* MARKER_BOOTED of workloads/protocol.h, which an assembler cannot read; main.c checks that they agree. */
#define BOOTED_PORT  0x0e10
#define BOOTED_VALUE 0xe1

#define MAX_CPUS     2
#define KERNEL_STACK 8192
#define USER_STACK   32768

#define SEL_KERNEL_CODE 0x08
#define SEL_KERNEL_DATA 0x10
#define SEL_USER_DATA   0x1b
#define SEL_USER_CODE   0x23
#define SEL_BOOT_CODE   0x28 /* 32 bits, between real mode and long mode */
#define SEL_TSS         0x30 /* 16 bytes per CPU */
#define GDT_SIZE        (0x30 + 16 * MAX_CPUS)

/* In the table of every_exit.c, which begins as this one does up to SEL_BOOT_CODE. */
#define TASK_FIRST 0x30
#define TASK_NEXT  0x38

#define AP_TRAMPOLINE 0x8000 /* below 1 MiB, page aligned: the start-up IPI's vector is its page */

#define GATE_SIZE     16 /* bytes of code per gate stub */
#define VEC_IRQ_BASE  0x40
#define N_IRQS        16
#define IRQ_STRIDE    64 /* a cache line per counter */
#define VEC_RESCUE    0x50
#define VEC_SPURIOUS  0xff

#define APIC_BASE  0xfee00000
#define APIC_EOI   0xb0
#define MSR_X2APIC 0x800

#define TRY_FAULTED (-1)

#endif
