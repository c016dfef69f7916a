/* SPDX-License-Identifier: MIT */
/*
 * The probes of one measured process, as the runner and `bench profile` use them:
 *
 *      probes_open(&p, &opts)    load and attach, before the guest runs (the VMM may still be held before
 *                                exec)
 *      probes_read(p, &json)     what the window holds now
 *      probes_close(p)           detach; everything also dies with our fds
 *
 * With PROBE_WINDOW the BPF side counts only between the guest's marker writes (workloads/protocol.h).
 */
#ifndef PROBES_PROBES_H
#define PROBES_PROBES_H

#include <jansson.h>
#include <sys/types.h>
#include "base/util.h"

struct probes;

/* What counts: all from open to read, between the guest's marker writes, or until its MARKER_BOOTED. */
enum probes_span { PROBE_ALL, PROBE_WINDOW, PROBE_BOOT };

/* Exits of a guest's own guests: shown beside its own, alone, or not. Totals have them always. */
enum probes_nested { NESTED_TOO, NESTED_ONLY, NESTED_NOT };

struct probes_opts {
	pid_t pid;            /* tgid to watch; 0: every KVM process */
	pid_t peer, backend;  /* CPU time only: the other end of the wire, a vhost-user back end; 0: none */
	enum probes_span span;
	bool exits, notify, cpu, mmu; /* which probes */
	/* do not sample their own run time: while that is done they cost twice as much */
	bool no_cost;
	const char *grants;   /* the VMM's program, whose Xen back end is looked at; NULL */
	const char *counters; /* libpfm4 event list, or NULL */
	const char *trace;    /* Chrome/Perfetto trace file, or NULL */
	bool life;            /* the life of one packet: probes/life.h; not with a trace */
	uint64_t pairs_ns;    /* exits with at most so long in the guest between them; 0: none */
	int vcpu;             /* -1: all */
	bool key_rip;
	enum probes_nested nested;
};

/* 0; -EOPNOTSUPP and friends with one logged line that says what is missing and what still works. */
int probes_open(struct probes **out, const struct probes_opts *opts);
void probes_close(struct probes *p);

/* What the guest of a VMM that has no names itself says of its registers, before probes_read. */
struct stats_region;
void probes_name_region(struct probes *p, pid_t tgid, const struct stats_region *region);

/* A VMM that may have ended at probes_read is asked now for the names of its registers: after the window. */
void probes_ask_names(struct probes *p, pid_t tgid);

/* Call it a few times a second while you watch: a trace is written out, and room is made for who comes. */
void probes_poll(struct probes *p);

/* A new object; probes/data.h lists what is in it. */
int probes_read(struct probes *p, json_t **out);

/* "svm", "vmx", "pvm" or "other". */
const char *probes_backend_text(struct probes *p);
#define PROBES_NO_KVM_EXIT                                                                        \
	"this machine's KVM back end emits no kvm_exit: rows are exits to userspace, and KVM's own time is in the guest's"

/* The gate is a BPF program's, and those may read perf events, not enable them. */
#define PROBES_COUNTERS_UNGATED "counters count from the start of the process, not in the window only"

#endif
