/* SPDX-License-Identifier: MIT */
/*
 * What Xen did for one domain, out of what xentrace recorded: the same rows and totals as those of KVM's
 * probes (probes/data.h), so that a domain's record reads as a guest's.
 *
 * The file is a run of records, as Xen's trace buffers hold them (xen/include/public/trace.h):
 *
 *      bits 0-27 event, 28-30 number of data words, 31: a time stamp of 64 bits comes before them
 *
 * each CPU's in order, pieces of different CPUs one after the other, and each piece begins with a record that
 * names its CPU. Which domain a record is about says the last switch on that CPU, or that none took place.
 *
 * An exit is an entry into Xen that the domain caused: of a PV domain a hypercall, a fault or an instruction
 * that Xen emulates (calls within a multicall have rows and are none), of an HVM domain what the processor
 * calls one.
 */
#ifndef PROBES_XEN_TRACE_H
#define PROBES_XEN_TRACE_H

#include <jansson.h>
#include "probes/state.h"

enum xen_event_kind {
	XEN_HYPERCALL, XEN_SUBCALL, XEN_TRAP, XEN_PAGE_FAULT, XEN_INVALID_OP, XEN_PRIVOP, XEN_SEGMENT,
	XEN_FPU, XEN_FIXUP, XEN_DESCRIPTOR, XEN_PTWR, XEN_EXIT
};

/* One thing that a domain did. */
struct xen_event {
	uint64_t tsc;
	uint64_t at;   /* of a privileged instruction: where it is */
	uint64_t key;  /* a hypercall as in KEY_XEN, a vector, a port with XEN_PORT_WRITE */
	uint32_t code; /* of XEN_EXIT: the processor's */
	uint16_t domain;
	uint8_t kind;  /* enum xen_event_kind */
	uint8_t value; /* that was written to the port */
};
#define XEN_PORT_WRITE (1u << 16)

/* What another domain did with pages that ours had granted it. */
enum xen_grant_kind { XEN_GRANT_MAP, XEN_GRANT_UNMAP, XEN_GRANT_TRANSFER, XEN_GRANT_COPY, XEN_GRANT_KINDS };
struct xen_grant {
	uint64_t tsc;
	uint32_t n;
	uint8_t kind; /* enum xen_grant_kind */
};

struct xen_trace {
	struct xen_event *event;
	size_t n;
	struct xen_grant *grant;
	size_t n_grants;
	uint64_t lost; /* records, of all domains: which ones is not known */
	enum probe_backend backend; /* whose exit codes they are */
};

/* 0, or -EBADMSG with *why set (not to be freed) for bytes that are no such file. */
int xen_trace_parse(struct xen_trace *t, const void *data, size_t size, unsigned domain, const char **why);
void xen_trace_free(struct xen_trace *t);

/*
 * The same while xentrace is at it: what it has written so far is taken piece by piece, and what that came to
 * is handed over from time to time.
 */
struct xen_reader;
#define XEN_ALL_DOMAINS 0x10001u /* their events; of grants none, which name one domain of the two */
struct xen_reader *xen_reader_new(unsigned domain);
/* The whole records of data; *used says where the rest begins, which has to come again. 0 or -EBADMSG. */
int xen_reader_take(struct xen_reader *r, const void *data, size_t size, size_t *used, const char **why);
/*
 * The events since the last time, in the order in which they came. Those that the next record may say more of
 * stay for the next time, unless it is the end.
 */
void xen_reader_give(struct xen_reader *r, struct xen_trace *t, bool end);
void xen_reader_free(struct xen_reader *r);

/* Rows and sums of such events, whatever their domain and without a window: {0} is none. */
struct xen_sums {
	json_int_t exits, hypercalls, pio, hlt;
};
struct xen_tally {
	json_t *rows; /* by reason and key, or NULL */
	uint64_t place;
	struct xen_sums sums;
};
void xen_tally_add(struct xen_tally *y, const struct xen_trace *t, const struct xen_event *e);
/* Of grants, what Xen says of them for certain: a copy's domain it does not record. */
void xen_tally_grants(struct xen_tally *y, const struct xen_trace *t);
void xen_tally_merge(struct xen_tally *into, const struct xen_tally *from);
/* {reason, key, count}, most first. */
json_t *xen_tally_rows(const struct xen_tally *y);
json_t *xen_totals_json(const struct xen_sums *s);
void xen_tally_free(struct xen_tally *y);
/* The codes of this machine's processors: Xen does not say whose it is on. */
enum probe_backend xen_machine_backend(void);

/*
 * The parts of a window that the guest marked: how many writes to ports each part has itself. Of a PV domain
 * only the place of such an instruction is recorded, not the port, so that markers are told by their order.
 */
struct xen_parts {
	const uint64_t *writes;
	size_t n;
};

/*
 * What probes_read gives: backend PROBED_XEN_PV or PROBED_XEN_HVM (probes/data.h), window, exits, totals,
 * laps, parts, lost. A window that cannot be told has opened and closed false.
 */
json_t *xen_trace_json(const struct xen_trace *t, const struct xen_parts *parts);

/* Both, of a file and of PATH.domain beside it, which has the domain's number. 0 or -errno (logged). */
int xen_trace_read(const char *path, const struct xen_parts *parts, json_t **out);

#endif
