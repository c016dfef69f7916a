/* SPDX-License-Identifier: MIT */
/* The exits that the probes have counted, as numbers; probes_read() gives the same as JSON. */
#ifndef PROBES_EXIT_H
#define PROBES_EXIT_H

#include "base/hist.h"
#include "probes/probes.h"
#include "probes/state.h"

/* How many values a slot of a histogram holds: of its thousands of slots a row uses some tens. */
struct exit_bin {
	uint32_t slot;
	uint64_t n;
};

/*
 * One vCPU, reason and key. Times are from exit to entry; that of an exit still going on is till now, and of
 * one that had no entry any more till the end of its vCPU.
 */
struct exit_sum {
	uint32_t serial; /* of the vCPU: of no other one, ever */
	pid_t tgid, tid;
	int vcpu;
	uint32_t reason;
	uint64_t key;
	uint64_t count;      /* with those still going on and those that the kernel did not trace */
	uint64_t untraced;   /* fast-path exits without a time */
	uint64_t fast_count, user_count;
	uint64_t total_ns;   /* and the parts of it; what is left is KVM's: */
	uint64_t fast_ns;    /* KVM's fast path */
	uint64_t user_ns;    /* in userspace, on a CPU */
	uint64_t wait_ns;    /* waiting for a CPU */
	uint64_t asleep_ns;  /* asleep, in KVM or in userspace: for a page, a lock, an event */
	uint64_t guest_ns;   /* in the guest before these exits */
	/* The finished, timed exits alone. */
	uint64_t timed, timed_ns, min_ns, max_ns;
	size_t first_bin, n_bins; /* in exits.bin, by slot */
};

uint64_t exit_sum_kvm_ns(const struct exit_sum *s);

/* Everything counted so far, or within an interval: by vCPU, in the order in which they appeared. */
struct exits {
	struct exit_sum *sum;
	size_t n;
	struct exit_bin *bin;
	size_t n_bins;
};

/* 0 or -ENOMEM. */
int probes_exits(struct probes *p, struct exits *out);
void exits_free(struct exits *e);
/* What came after `before`, taken earlier. */
int exits_since(struct exits *out, const struct exits *now, const struct exits *before);
/* Add this sum's finished exits to h. */
void exits_hist(const struct exits *e, const struct exit_sum *s, struct hist *h);

/* What the key belongs to ("e1000 TDT"), or false. */
bool probes_device(struct probes *p, const struct exit_sum *s, char *buf, size_t size);
bool probes_hlt(struct probes *p, const struct exit_sum *s);

struct probes_totals {
	uint64_t exits, untraced, fast, pio, mmio, hlt, hypercalls, injected, userspace_exits, guest_ns;
	uint64_t lost;
};
void probes_totals(struct probes *p, struct probes_totals *t);

/*
 * Exits that no row holds, edges of a window's parts beyond the last, and events that the kernel did not
 * call the programs for.
 */
uint64_t probes_lost(struct probes *p);
/* What the probes themselves cost in the window so far; false when it was too short to tell. */
bool probes_cost_ns(struct probes *p, uint64_t *out);
enum probe_backend probes_backend(struct probes *p);

/* probes_read()'s "exits", "totals", "window" and "laps". */
json_t *exits_to_json(struct probes *p);
json_t *totals_to_json(struct probes *p);
json_t *window_to_json(struct probes *p);
json_t *laps_to_json(struct probes *p);

#endif
