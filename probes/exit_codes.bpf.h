/* SPDX-License-Identifier: MIT */
/* The exit reasons that the probes must know by number. */
#ifndef PROBES_EXIT_CODES_BPF_H
#define PROBES_EXIT_CODES_BPF_H

/* AMD64 APM volume 2, appendix C. */
#define SVM_PF        0x4e
#define SVM_IOIO      0x7b
#define SVM_MSR       0x7c
#define SVM_VMMCALL   0x81
#define SVM_NPF       0x400
#define SVM_AVIC_UNACCELERATED 0x402
#define SVM_VMGEXIT   0x403
/* GHCB specification 2.03, table 7: what software alone asks for. */
#define SVM_VMGEXIT_MMIO_READ  0x80000001
#define SVM_VMGEXIT_MMIO_WRITE 0x80000002
/* SDM volume 3, appendix C. */
#define VMX_EXCEPTION 0
#define VMX_VMCALL    18
#define VMX_CR_ACCESS 28
#define VMX_DR_ACCESS 29
#define VMX_IO        30
#define VMX_RDMSR     31
#define VMX_WRMSR     32
#define VMX_APIC_ACCESS 44
#define VMX_EOI_INDUCED 45
#define VMX_EPT_VIOLATION 48
#define VMX_EPT_MISCONFIG 49
#define VMX_APIC_WRITE 56
#define VMX_RDMSR_IMM 84
#define VMX_WRMSR_IMM 85

#endif
