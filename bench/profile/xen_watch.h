/* SPDX-License-Identifier: MIT */
/* What running domains of Xen's ask of it, counted from what xentrace records meanwhile: counts, no times. */
#ifndef BENCH_PROFILE_XEN_WATCH_H
#define BENCH_PROFILE_XEN_WATCH_H

#include <jansson.h>
#include "bench/profile/exit_view.h"
#include "bench/profile/vm_name.h"

struct xen_watch;

/*
 * Begins to count, of the domain of that name or number, or of all (NULL). 0 or -errno (logged). Records of
 * the time before it returns are dropped.
 */
int xen_watch_open(struct xen_watch **out, const char *domain);
/* Counts what has been recorded since. 0, or -errno (logged): xentrace has ended or wrote something else. */
int xen_watch_poll(struct xen_watch *w);
/* xentrace records no more: the last of it is counted. 0 or -errno (logged). */
int xen_watch_end(struct xen_watch *w);
/* Has the one domain ended? Names of new ones are looked up too. */
bool xen_watch_gone(struct xen_watch *w);

/* The rows of all that was counted since the last xen_watch_next, or since the beginning. */
enum xen_span { XEN_LATEST, XEN_ALL };
void xen_watch_view(const struct xen_watch *w, enum xen_span span, enum view_key key, struct view *v);
void xen_watch_next(struct xen_watch *w);
/* Of the one domain, as probes_read has it (probes/data.h), with its name and number. */
json_t *xen_watch_json(const struct xen_watch *w, uint64_t total_ns);
/* "web (domain 3)" */
void xen_watch_title(const struct xen_watch *w, char *buf, size_t size);
/* Records that Xen had no room for, of all domains. */
uint64_t xen_watch_lost(const struct xen_watch *w);
void xen_watch_close(struct xen_watch *w);

#endif
