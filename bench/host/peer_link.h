/* SPDX-License-Identifier: MIT */
/*
 * How bench run and bench peer (on another machine) meet: one TCP connection a sample, over another network
 * than the wire that is measured. Lines; each side proves that it knows the token, which itself never
 * travels:
 *
 *   peer   exitlab-peer 1 NONCE
 *   run    hello NONCE PORT HMAC(token, "run NONCE NONCE PORT")
 *   peer   ready HMAC(token, "peer NONCE NONCE PORT"), or: refused WHY
 *
 * Then the peer serves workloads on PORT of the wire until the connection ends. Whoever says anything else,
 * or nothing for 5 s, is hung up on.
 */
#ifndef BENCH_HOST_PEER_LINK_H
#define BENCH_HOST_PEER_LINK_H

#include "base/util.h"

#define PEER_PORT "7788"

struct peer_token {
	char text[256];
	size_t len;
};

/* The first line of a file that nobody else can read; 16 characters at least. 0 or -errno (logged). */
int peer_token_read(const char *path, struct peer_token *t);

/* bench run: to ADDR or ADDR:PORT; work_port is the job's. The connection (close it to end the session) or
 * -errno (logged). */
int peer_connect(const char *addr, const struct peer_token *t, unsigned work_port);

/* bench peer: the socket to accept from, on every address. fd or -errno (logged). */
int peer_listen(const char *port);
/* Who connected proves itself: the job's port, or -errno. Nothing is promised yet: peer_answer does. */
struct peer_caller {
	int fd;
	char ours[65], theirs[65];
	unsigned port;
};
int peer_greet(struct peer_caller *c, const struct peer_token *t);
/* Says "ready", or refuses with that text when refusal is not NULL. */
int peer_answer(struct peer_caller *c, const struct peer_token *t, const char *refusal);

#endif
