/* SPDX-License-Identifier: MIT */
/*
 * What a guest whose registers are hidden (SEV-ES, SEV-SNP) asks for by VMGEXIT, from the page that it shares
 * with KVM: GHCB specification 2.03, 2.3. Plain arithmetic, compiled for BPF and for the tests; the guest may
 * write the page as it likes.
 */
#ifndef PROBES_GHCB_KEY_H
#define PROBES_GHCB_KEY_H

#include "probes/exit_codes.bpf.h"
#include "probes/state.h"

/* Offsets in the page. */
#define GHCB_RAX   0x1f8
#define GHCB_RCX   0x308
#define GHCB_BLOCK 0x390
#define GHCB_CODE  0x390
#define GHCB_INFO1 0x398

struct ghcb_block { /* from GHCB_BLOCK on */
	__u64 code, info1, info2, scratch;
	__u8 others[0x40];
	__u8 valid[16]; /* a bit for each eight bytes of the page: the guest has set them */
};

struct ghcb_exit {
	struct ghcb_block block;
	__u64 rax, rcx;
};

static inline int ghcb_valid(const struct ghcb_exit *g, unsigned int offset)
{
	return g->block.valid[offset / 64] >> (offset / 8 % 8) & 1;
}

/* Its own code; without one that is valid, and a number of an exit, it stays a VMGEXIT. */
static inline __u32 ghcb_reason(const struct ghcb_exit *g)
{
	if (!ghcb_valid(g, GHCB_CODE) || g->block.code >> 32 || REASON_IS_NESTED((__u32)g->block.code))
		return SVM_VMGEXIT;
	return (__u32)g->block.code;
}

/* The members of the page mean what the VMCB's do. */
static inline __u64 ghcb_key(const struct ghcb_exit *g)
{
	__u64 info1 = g->block.info1, key = KEY_NONE;

	switch (ghcb_reason(g)) {
	case SVM_IOIO:
		if (ghcb_valid(g, GHCB_INFO1))
			key = info1 >> 16 & 0xffff;
		if (ghcb_valid(g, GHCB_INFO1) && info1 & 1)
			key |= KEY_IN;
		return key;
	case SVM_MSR:
		if (ghcb_valid(g, GHCB_RCX))
			key = (__u32)g->rcx;
		if (ghcb_valid(g, GHCB_INFO1) && info1 & 1)
			key |= KEY_WRITE;
		return key;
	case SVM_VMMCALL:
		return ghcb_valid(g, GHCB_RAX) ? g->rax : KEY_NONE;
	case SVM_VMGEXIT_MMIO_READ:
	case SVM_VMGEXIT_MMIO_WRITE:
		return ghcb_valid(g, GHCB_INFO1) ? info1 : KEY_NONE;
	}
	return KEY_NONE;
}

#endif
