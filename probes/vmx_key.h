/* SPDX-License-Identifier: MIT */
/*
 * What a VMX exit touched, from its qualification: SDM volume 3, "Basic VM-Exit Information". Plain
 * arithmetic, compiled for BPF and for the tests.
 */
#ifndef PROBES_VMX_KEY_H
#define PROBES_VMX_KEY_H

#include "probes/exit_codes.bpf.h"
#include "probes/state.h"

#define VMX_APIC_WRITES 1 /* access type of an APIC access */

/* Reasons whose qualification is asked for. */
static inline bool vmx_has_qualification(__u32 reason)
{
	return reason == VMX_IO || reason == VMX_CR_ACCESS || reason == VMX_DR_ACCESS ||
	       reason == VMX_APIC_ACCESS || reason == VMX_APIC_WRITE || reason == VMX_EOI_INDUCED ||
	       reason == VMX_RDMSR_IMM || reason == VMX_WRMSR_IMM;
}

static inline __u64 vmx_key_of(__u32 reason, __u64 q)
{
	__u64 key = KEY_SOME;

	switch (reason) {
	case VMX_IO:
		key = q >> 16 & 0xffff;
		if (q & 8)
			key |= KEY_IN;
		return key;
	case VMX_CR_ACCESS: /* 3:0 the register, 5:4 to, from, clts, lmsw */
		return key | (q & 0x3f);
	case VMX_DR_ACCESS: /* 2:0 the register, 4 from */
		return key | (q & 0x17);
	case VMX_APIC_ACCESS: /* 11:0 the offset, 15:12 how */
		if ((q >> 12 & 0xf) == VMX_APIC_WRITES)
			key |= KEY_WRITE;
		return key | (q & 0xfff);
	case VMX_APIC_WRITE:
		return key | KEY_WRITE | (q & 0xfff);
	case VMX_EOI_INDUCED:
		return q & 0xff;
	case VMX_RDMSR_IMM:
	case VMX_WRMSR_IMM:
		return (__u32)q;
	}
	return KEY_NONE;
}

#endif
