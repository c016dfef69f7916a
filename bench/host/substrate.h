/* SPDX-License-Identifier: MIT */
/* What this machine can do, found by trying, and the choice between host and lab. */
#ifndef BENCH_HOST_SUBSTRATE_H
#define BENCH_HOST_SUBSTRATE_H

#include "base/util.h"

enum kvm_backend { KVM_NONE, KVM_VMX, KVM_SVM, KVM_PVM, KVM_OTHER };

enum kvm_backend host_kvm_backend(void);
const char *kvm_backend_name(enum kvm_backend b);
/*
 * The needs (workloads/workloads.h) that this machine does not meet; *why names the first in words (caller
 * frees).
 */
unsigned host_lacks(unsigned needs, char **why);

#endif
