/* SPDX-License-Identifier: MIT */
/*
 * A page over HTTP, for a collector that comes by every few seconds: GET /metrics, one answer a connection.
 *
 * Clients are strangers. They are served from the caller's own loop and never waited for: at most
 * LISTENER_CLIENTS at a time (the oldest goes when another one comes), each with a request of at most
 * LISTENER_REQUEST bytes and LISTENER_LIMIT_NS for all of it, the answer included.
 */
#ifndef BENCH_PROFILE_LISTENER_H
#define BENCH_PROFILE_LISTENER_H

#include <stdint.h>
#include "base/strbuf.h"

#define LISTENER_CLIENTS  8
#define LISTENER_REQUEST  4096
#define LISTENER_LIMIT_NS (10ull * 1000 * 1000 * 1000)

struct listener;

/* "127.0.0.1:9464", "[::1]:9464", ":9464" (this machine only). 0 or -errno (logged). */
int listener_open(struct listener **out, const char *addr);
void listener_close(struct listener *l);
/* The port, which the kernel has chosen when port 0 was asked for. */
unsigned listener_port(const struct listener *l);
/* Serves for at most ns; page writes what is asked for, now. Does nothing but sleep when l is NULL. */
void listener_serve(struct listener *l, uint64_t ns, void (*page)(void *ctx, struct strbuf *out), void *ctx);

#endif
