/* SPDX-License-Identifier: MIT */
/*
 * What KVM uses of the processor: parameters that kvm_intel and kvm_amd read when they are loaded, so that
 * the module is loaded anew. In a lab it is ours; on a host only when no guest runs, with modprobe and
 * through the journal.
 */
#ifndef BENCH_HOST_KVM_PARAMS_H
#define BENCH_HOST_KVM_PARAMS_H

#include "base/util.h"

struct journal;

struct kvm_param {
	const char *knob, *on, *off; /* the words of --set */
	const char *intel, *amd;     /* its name in each module; NULL: that vendor has no such thing */
};

/* Ends with a NULL knob. Each also has a row in bench/modes/knobs.c, which holds its help text. */
extern const struct kvm_param kvm_param_table[];
const struct kvm_param *kvm_param_find(const char *knob);

/* What module (kvm_intel, kvm_amd) calls it, or NULL. */
const char *kvm_param_name(const struct kvm_param *k, const char *module);

#define KVM_PARAMS_MAX 16

struct kvm_params {
	const struct kvm_param *want[KVM_PARAMS_MAX];
	bool on[KVM_PARAMS_MAX];
	size_t n;
	const char *module;      /* kvm_intel or kvm_amd; NULL: nothing is to be set */
	char *was;               /* the parameters to go back to; NULL: nothing was changed */
	struct journal *journal; /* how a host gets its parameters back; NULL in a lab */
};

/* One more that is wanted; value is one of the param's two words. */
void kvm_params_want(struct kvm_params *p, const struct kvm_param *param, const char *value);
/*
 * All that are wanted, if any. 0; -ENOTSUP for one that this KVM does not have, or another -errno: *why
 * says it.
 */
int kvm_params_set(struct kvm_params *p, char **why);
void kvm_params_undo(struct kvm_params *p);

/* On a host: the module can be loaded anew now, because no guest uses it. */
bool kvm_params_free_to_change(void);

#endif
