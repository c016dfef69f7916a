/* SPDX-License-Identifier: MIT */
/*
 * Kernel modules that a sample wants for itself: loaded with parameters of ours and taken away again. On a
 * host by modprobe through the journal; a lab is ours, and its kernel's modules are in the cache.
 */
#ifndef BENCH_HOST_KMOD_H
#define BENCH_HOST_KMOD_H

#include "base/util.h"

struct journal;

struct kmod {
	const char *name; /* NULL: not loaded */
	struct journal *journal;
};

/* True when this machine has it as a module; in a lab always. */
bool kmod_exists(const char *name);
/* "nr_devices=1 gb=1". 0, -EBUSY when it is loaded already and not ours, or -errno. */
int kmod_load(struct kmod *k, const char *name, const char *params);
void kmod_unload(struct kmod *k);

/*
 * One that others may use too: loaded unless it is, and on a host unloaded by the journal. 0 or -errno
 * (logged).
 */
int kmod_need(struct journal *j, const char *name);

/* ---- in a lab ---- */
int kmod_lab_unload(const char *name);
/* With what it needs. */
int kmod_lab_load(const char *name, const char *params);

#endif
