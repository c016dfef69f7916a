/* SPDX-License-Identifier: MIT */
/* The switches of a mode (--set k=v): one table says where each goes and what it may be. */
#ifndef BENCH_MODES_KNOBS_H
#define BENCH_MODES_KNOBS_H

#include "base/util.h"

struct mode;

enum knob_home {
	KNOB_DEVICE,  /* of the device that the guest sees; the mode says whether it has it */
	KNOB_MACHINE, /* of the machine */
	KNOB_HARNESS, /* of the measurement itself */
	KNOB_MEDIUM,  /* of what disks lie on, of all modes that have one (--medium) */
	KNOB_CARD,    /* of the host's card, for its virtual function; the mode says too */
	KNOB_KVM,     /* of KVM: a parameter of its module (bench/host/kvm_params.h) */
	KNOB_JOB,     /* of the workload: any key of workloads/job.h */
};

struct knob_info {
	const char *name;
	enum knob_home home;
	const char *values;    /* "split|packed", or "1..8" for a number */
	const char *help;
};

extern const struct knob_info knob_table[]; /* ends with a NULL name */

struct knob {
	const char *name, *value;
};

struct knobs {
	struct knob *k;
	size_t n;
};

const struct knob_info *knob_find(const char *name);
const char *knobs_get(const struct knobs *ks, const char *name, const char *fallback);
/* Of an on|off. */
bool knobs_on(const struct knobs *ks, const char *name, bool fallback);
uint64_t knobs_u64(const struct knobs *ks, const char *name, uint64_t fallback);
void knobs_set(struct knobs *ks, const char *name, const char *value);
/* Older plans' words in those of today: npt=on|off is paging=nested|shadow. */
void knob_translate(const char **name, const char **value);
/* Name known, value one of those allowed, mode fits: 0, else -EINVAL with one logged line. */
int knob_check(const char *name, const char *value, const struct mode *mode);
/* The word of observer= with which every step is kept, for bench life. */
#define OBSERVER_LIFE "life"
/* One of words, which sep parts. */
bool knob_word_in(const char *words, char sep, const char *word);
/* The modes that have it, blank-separated; "" for all. Caller frees. */
char *knob_modes(const struct knob_info *k);

#endif
