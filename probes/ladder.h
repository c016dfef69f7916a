/* SPDX-License-Identifier: MIT */
/*
 * The life of one packet: from everything that happened in the window, in the order of its time, the way of
 * one request to the peer and of its answer back into the guest, and on to the next request. Where no thread
 * is the peer, it is a disk's request: the other end is the host's kernel, in the call that hands it on.
 *
 * A trip is found backwards, because each thing has one cause while it may have many consequences: a thread
 * that runs was woken by someone, who was woken in turn, up to the exit in which the guest rang the doorbell.
 * While a thread waits for a CPU on which another one still runs, what that one does is a part of the trip
 * too (`waits`): on a machine of one CPU that is most of what a wake-up costs.
 *
 * Trips follow one another without a gap, from doorbell to doorbell; where the doorbell is a card's own and
 * no exit, from one request's interrupt at the peer's card to the next one's.
 */
#ifndef PROBES_LADDER_H
#define PROBES_LADDER_H

#include <jansson.h>
#include "probes/state.h"

/* Beside enum step_kind, which has them all but an exit's and who gets a CPU. */
enum life_kind {
	LIFE_EXIT = STEP_EOI + 1, /* arg: the key */
	LIFE_USER,
	LIFE_ENTRY,
	LIFE_RUN,                 /* arg: who leaves the CPU */
	LIFE_KINDS
};

struct life_event {
	uint64_t ns, arg;
	uint32_t tid, reason; /* reason: of LIFE_EXIT, LIFE_USER, LIFE_ENTRY */
	uint16_t cpu, kind;
};

struct life_thread {
	uint32_t tid;
	const char *role; /* as in a record */
	const char *name;
};

struct life_log {
	struct life_event *event;
	size_t n, n_threads;
	const struct life_thread *thread;
	/* What an exit was: "npf", "virtio-net0 txq0 kick". */
	void (*name)(void *ctx, uint32_t reason, uint64_t key, char *buf, size_t size);
	void *ctx;
};

/* From one event to the switch and the run that it is made of, and from an exit to its two or three. */
void life_add_step(struct life_log *log, const struct step_event *e);
void life_add_exit(struct life_log *log, const struct exit_event *e);
/*
 * The trip whose time is the median of all; .samples[].life of a record (results/SCHEMA.md). The events are
 * put in order. NULL with *why set when there is no trip (not to be freed).
 */
json_t *life_ladder(struct life_log *log, const char **why);

#endif
