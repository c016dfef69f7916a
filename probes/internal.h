/* SPDX-License-Identifier: MIT */
/* Inside of probes/: one loaded BPF object and what belongs to it. */
#ifndef PROBES_INTERNAL_H
#define PROBES_INTERNAL_H

#include "probes/kernel.h"
#include "probes/probes.h"
#include "probes/state.h"
#include "probes/probes.skel.h"
#include "probes/recycle.h"

struct probes {
	struct probes_opts opts;
	struct probes_bpf *skel;
	enum probe_backend backend;
	struct kernel *kernel;
	struct kernel_var svm_data; /* while programs are loaded */
	struct exit_row *rows; /* the map itself; written by recycle.c alone */
	size_t rows_size;
	bool kicks_seen; /* this kernel lets us hook eventfd_signal */
	uint64_t open_ns;
	struct counters *counters;
	struct trace *trace;
	struct life *life;
	struct cost *cost;
	struct names *names;
	struct ended ended; /* what has been given up: see recycle.h */
};

/* Interrupts whose raising was not timed, because another one's was just then: see docs/profile.md. */
uint64_t probes_untimed(const struct probes *p);

/* Until when what is going on counts. */
uint64_t probes_counted_until(struct probes *p);

/* How many rows and slots have been in use; those handed back since are empty. */
static inline uint32_t probes_rows_used(const struct probes *p)
{
	return MIN(p->skel->bss->n_rows, ROWS_DEFAULT);
}

static inline uint32_t probes_vcpus_used(const struct probes *p)
{
	return MIN(p->skel->data->n_vcpus, PROBE_VCPUS);
}

static inline const struct hot_state *probes_hot(const struct probes *p)
{
	return &p->skel->data_hot->hot;
}

#endif
