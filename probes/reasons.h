/* SPDX-License-Identifier: MIT */
/* Names of exit reasons and the text of their keys. */
#ifndef PROBES_REASONS_H
#define PROBES_REASONS_H

#include "probes/state.h"

/* "svm", "vmx", "other" */
const char *backend_name(enum probe_backend backend);

/*
 * "npf", "io", "hlt": the kernel's own names in lower case. A code without a name is "0x1f7": every code
 * keeps a row of its own. "nested io" where it is a guest's own guest's (REASON_NESTED), in all of these.
 * The result is in a static ring of buffers.
 */
const char *reason_name(enum probe_backend backend, uint32_t reason);
/* -1 when there is none. */
int reason_by_name(enum probe_backend backend, const char *name);

enum reason_kind {
	KIND_PLAIN, KIND_PIO, KIND_MMIO, KIND_MSR, KIND_HYPERCALL, KIND_VECTOR, KIND_HLT, KIND_CR, KIND_DR,
	KIND_APIC
};
enum reason_kind reason_kind(enum probe_backend backend, uint32_t reason);

/*
 * "out 0x3f8", "0xfee000b0", "write 0x6e0", "#14", "" (none), "other": static ring. rip: keys are guest
 * addresses.
 */
const char *key_text(enum probe_backend backend, uint32_t reason, uint64_t key, bool rip);

#endif
