/* SPDX-License-Identifier: MIT */
/*
 * What probes_read gives, each member once (base/json.h says how a list is read). Rows of exits and of
 * threads are those of a record (results/SCHEMA.md), with the vCPU, the thread and, when every process is
 * watched, the process of each row of exits.
 */
#ifndef PROBES_DATA_H
#define PROBES_DATA_H

#include "base/json.h"

/* Back ends of what Xen recorded: of a PV domain, and of one that the processor virtualises. */
#define PROBED_XEN_PV  "xen-pv"
#define PROBED_XEN_HVM "xen-hvm"

#define PROBED_MEMBERS(M, S)                                                                      \
	M(S, TEXT, backend, MUST)                                                                 \
	M(S, MAP, window, MUST)                                                                   \
	M(S, LIST, exits, MAY)                                                                    \
	M(S, MAP, totals, MAY)                                                                    \
	M(S, LIST, laps, MAY) /* exits up to each edge that the guest marked in its window */     \
	M(S, LIST, parts, MAY) /* between every two of them, where each exit was recorded */      \
	M(S, TEXT, names_note, MAY) /* why a QEMU's registers have no names */                    \
	M(S, MAP, notify, MAY)                                                                    \
	M(S, MAP, grants, MAY) /* of a Xen back end in the VMM */                                \
	M(S, LIST, threads, MAY)                                                                  \
	M(S, MAP, mmu, MAY)                                                                       \
	M(S, MAP, life, MAY)                                                                      \
	M(S, MAP, pairs, MAY) /* exits that follow one another closely */                         \
	M(S, LIST, counters, MAY)                                                                 \
	M(S, TEXT, counters_note, MAY)                                                            \
	M(S, OR_ZERO, lost, MUST)                                                                 \
	M(S, OR_NAN, overhead_ns, MAY)                                                            \
	M(S, TEXT, note, MAY)

#define PROBED_PART_MEMBERS(M, S)                                                                 \
	M(S, LIST, exits, MUST)                                                                   \
	M(S, OR_ZERO, hypercalls, MUST)

#define PROBED_WINDOW_MEMBERS(M, S)                                                               \
	M(S, BOOL, opened, MUST)                                                                  \
	M(S, BOOL, closed, MUST)                                                                  \
	M(S, OR_ZERO, open_ns, MUST)                                                              \
	M(S, OR_ZERO, close_ns, MUST)                                                             \
	M(S, OR_ZERO, total_ns, MAY)

#define PROBED_TOTALS_MEMBERS(M, S)                                                               \
	M(S, OR_ZERO, exits, MUST)                                                                \
	M(S, OR_ZERO, untraced, MUST)                                                             \
	M(S, OR_ZERO, fast, MUST)                                                                 \
	M(S, OR_ZERO, pio, MUST)                                                                  \
	M(S, OR_ZERO, mmio, MUST)                                                                 \
	M(S, OR_ZERO, hlt, MUST)                                                                  \
	M(S, OR_ZERO, hypercalls, MAY)                                                            \
	M(S, OR_ZERO, injected, MUST)                                                             \
	M(S, OR_ZERO, userspace_exits, MUST)                                                      \
	M(S, OR_ZERO, guest_ns, MUST)

/* OR_NAN: absent, not zero, where kicks cannot be seen. */
#define PROBED_NOTIFY_MEMBERS(M, S)                                                               \
	M(S, OR_NAN, kicks_ioeventfd, MAY)                                                        \
	M(S, OR_ZERO, kicks_userspace, MUST)                                                      \
	M(S, OR_ZERO, msi, MUST)                                                                  \
	M(S, OR_ZERO, injected, MUST)                                                             \
	M(S, OR_ZERO, eoi, MUST)                                                                  \
	M(S, OR_ZERO, ipi, MUST)                                                                  \
	M(S, OR_ZERO, wakeups, MUST)                                                              \
	M(S, OR_ZERO, halt_polls_ok, MUST)                                                        \
	M(S, OR_ZERO, suppressed, MAY)                                                            \
	M(S, OR_ZERO, unattributed, MUST)                                                         \
	M(S, MAP, kick_to_service, MAY)                                                           \
	M(S, MAP, raise_to_injection, MUST)

#define PROBED_GRANTS_MEMBERS(M, S)                                                               \
	M(S, OR_ZERO, maps, MUST)                                                                 \
	M(S, OR_ZERO, copies, MUST)

#define PROBED_COUNTER_MEMBERS(M, S)                                                              \
	M(S, TEXT, event, MUST)                                                                   \
	M(S, INT, tid, MUST)                                                                      \
	M(S, OR_ZERO, count, MUST)                                                                \
	M(S, OR_ZERO, scale, MUST) /* share of the time that it was counted */

struct probed {
	PROBED_MEMBERS(MEMBER_FIELD, )
};
struct probed_part {
	PROBED_PART_MEMBERS(MEMBER_FIELD, )
};
struct probed_window {
	PROBED_WINDOW_MEMBERS(MEMBER_FIELD, )
};
struct probed_totals {
	PROBED_TOTALS_MEMBERS(MEMBER_FIELD, )
};
struct probed_notify {
	PROBED_NOTIFY_MEMBERS(MEMBER_FIELD, )
};
struct probed_grants {
	PROBED_GRANTS_MEMBERS(MEMBER_FIELD, )
};
struct probed_counter {
	PROBED_COUNTER_MEMBERS(MEMBER_FIELD, )
};

/* All of them read as absent from what is NULL. */
struct probed probed_of(const json_t *read);
struct probed_window probed_window_of(const json_t *read);
struct probed_totals probed_totals_of(const json_t *read);
struct probed_notify probed_notify_of(const json_t *read);
struct probed_grants probed_grants_of(const json_t *read);
bool probed_counter(const json_t *counters, size_t i, struct probed_counter *c);
/* The i-th part; false behind the last. */
bool probed_part(const json_t *parts, size_t i, struct probed_part *p);

#endif
