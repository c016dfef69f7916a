/* SPDX-License-Identifier: MIT */
/*
 * What a TDX guest asks for by TDG.VP.VMCALL: Intel's GHCI specification 1.5, section 3. KVM gives its leaf
 * as the reason of the exit already; the qualification is not the instruction's. Plain arithmetic, compiled
 * for BPF and for the tests.
 */
#ifndef PROBES_TDX_KEY_H
#define PROBES_TDX_KEY_H

#include "probes/exit_codes.bpf.h"
#include "probes/state.h"

struct tdx_call {
	__u64 r10; /* number of a hypercall, then the result */
	__u64 r12, r13, r14;
};

#define TDX_WRITES 1 /* r13 of I/O: what the guest does; 0 is a read */

static inline __u64 tdx_key_of(__u32 reason, const struct tdx_call *c)
{
	__u64 key = c->r14 & 0xffff;

	if (reason != VMX_IO) /* no other one that has a qualification is a leaf */
		return KEY_NONE;
	if (c->r13 != TDX_WRITES)
		key |= KEY_IN;
	return key;
}

#endif
