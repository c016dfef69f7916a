/* SPDX-License-Identifier: MIT */
/* The exit reasons that the probes must know by number. */
#ifndef PROBES_EXIT_CODES_BPF_H
#define PROBES_EXIT_CODES_BPF_H

/* AMD64 APM volume 2, appendix C. */
#define SVM_IOIO      0x7b
#define SVM_MSR       0x7c
#define SVM_VMMCALL   0x81
#define SVM_NPF       0x400
/* SDM volume 3, appendix C. */
#define VMX_EXCEPTION 0
#define VMX_VMCALL    18
#define VMX_IO        30
#define VMX_RDMSR     31
#define VMX_WRMSR     32
#define VMX_EPT_VIOLATION 48
#define VMX_EPT_MISCONFIG 49

#endif
