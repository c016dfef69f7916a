/* SPDX-License-Identifier: MIT */
/*
 * --trace FILE: a timeline for ui.perfetto.dev. One track per vCPU with guest, KVM and userspace; of one VM
 * also a track for each thread that serves it (I/O, vhost worker), with its system calls, and arrows from a
 * kick to the service that it wakes and from there to the interrupt. FILE.json is in Chrome's format instead
 * and has the vCPUs alone. Bounded: a ring buffer that drops and counts when its reader is late.
 */
#ifndef PROBES_TRACE_H
#define PROBES_TRACE_H

#include <stdio.h>
#include "probes/probes.h"
#include "probes/state.h"

#define TRACE_RING_BYTES (8u << 20)

/* Threads are told by the process that they are of: of all processes there is no trace of them. */
bool trace_has_threads(const struct probes_opts *opts);
int trace_open(struct probes *p);
/* Write out what has come: probes_poll. */
void trace_poll(struct probes *p);
/* Poll once more and finish the file. Fine when there is none. */
void trace_close(struct probes *p);
uint64_t trace_drops(struct probes *p);

/* The pieces, for tests: a file to write into, an event of the ring; Chrome's head, tail and one exit. */
int trace_open_file(struct probes *p);
int trace_on_event(void *probes, void *data, size_t size);
struct trace_slice {
	int tgid, tid, vcpu;
	const char *reason, *key;
	uint64_t guest_from_ns, exit_ns, user_ns, entry_ns; /* guest_from_ns and user_ns 0: none */
};
void trace_write_head(FILE *f);
void trace_write_track(FILE *f, int tgid, int tid, int vcpu);
void trace_write_exit(FILE *f, const struct trace_slice *s);
void trace_write_tail(FILE *f, uint64_t drops);

#endif
