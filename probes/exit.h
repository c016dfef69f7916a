/* SPDX-License-Identifier: MIT */
/* The exits that the probes have counted, as numbers; probes_read() gives the same as JSON. */
#ifndef PROBES_EXIT_H
#define PROBES_EXIT_H

#include "base/hist.h"
#include "probes/probes.h"
#include "probes/state.h"

/* One vCPU, reason and key. */
struct exit_sum {
	pid_t tgid, tid;
	int vcpu;
	uint32_t reason;
	uint64_t key;
	uint64_t count;      /* with those still going on and those that the kernel did not trace */
	uint64_t untraced;   /* fast-path exits without a time */
	uint64_t fast_count, fast_ns;
	uint64_t user_count, user_ns;
	uint64_t guest_ns;   /* in the guest before these exits */
	struct hist hist;    /* exit to entry; count and sum are those of the finished, timed exits */
};

static inline uint64_t exit_sum_kvm_ns(const struct exit_sum *s)
{
	return s->hist.sum - s->fast_ns - s->user_ns;
}

/*
 * Everything counted so far, in the order in which the rows appeared: the same row has the same index.
 * Caller frees. 0 or -ENOMEM.
 */
int probes_exits(struct probes *p, struct exit_sum **out, size_t *n);
/* What was added since `before`, taken earlier at the same index. */
void exit_sum_subtract(struct exit_sum *s, const struct exit_sum *before);
/* What the key belongs to ("e1000 TDT"), or false. */
bool probes_device(struct probes *p, const struct exit_sum *s, char *buf, size_t size);
bool probes_hlt(struct probes *p, const struct exit_sum *s);

struct probes_totals {
	uint64_t exits, untraced, fast, pio, mmio, hlt, injected, userspace_exits, guest_ns;
	uint64_t lost;
};
void probes_totals(struct probes *p, struct probes_totals *t);

/* What the probes themselves cost in the window so far; false when it was too short to tell. */
bool probes_cost_ns(struct probes *p, uint64_t *out);
enum probe_backend probes_backend(struct probes *p);

/* probes_read()'s "exits", "totals" and "window". */
json_t *exits_to_json(struct probes *p);
json_t *totals_to_json(struct probes *p);
json_t *window_to_json(struct probes *p);

#endif
