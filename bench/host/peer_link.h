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

#include <poll.h>

#include "base/util.h"

#define PEER_PORT	"7788"
#define PEER_LINE	256 /* the longest, with its end */
#define PEER_CALLERS	8   /* not proven yet; one more, and the first of them has to go */

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
/* Who connected, and what of its line has come. */
struct peer_caller {
	int fd; /* -1: nobody */
	uint64_t deadline_ns;
	char line[PEER_LINE];
	size_t have;
	char ours[65], theirs[65];
	unsigned port;
};
/* Those at the door: none of them is waited for, so that none keeps another out. */
struct peer_door {
	struct peer_caller caller[PEER_CALLERS];
};
void peer_door_open(struct peer_door *d);
/* fd is the door's from here on; it is greeted. */
void peer_door_add(struct peer_door *d, int fd);
/* What to poll for, PEER_CALLERS of it; the return value: how long, in ms, -1 for ever. */
int peer_door_wait(const struct peer_door *d, struct pollfd *fds);
/*
 * Reads what they have said; who is late or says anything else is hung up on (logged). True: out has proven
 * itself and is yours; ask again, there may be more. Nothing is promised yet: peer_answer does.
 */
bool peer_door_next(struct peer_door *d, const struct peer_token *t, struct peer_caller *out);
void peer_door_close(struct peer_door *d);
/* Says "ready", or refuses with that text when refusal is not NULL. */
int peer_answer(struct peer_caller *c, const struct peer_token *t, const char *refusal);

#endif
