/* SPDX-License-Identifier: MIT */
/*
 * The front-end's connection to a vhost-user back-end: connecting, negotiation, requests. Every wait is
 * bounded, as a vCPU may stand behind it. After any error the connection is dead (shut down, so that
 * whoever polls the socket sees it) and further requests fail at once with -ENOTCONN.
 */
#ifndef VMM_VHOST_USER_LINK_H
#define VMM_VHOST_USER_LINK_H

#include "vmm/core/gmem.h"
#include "vmm/vhost/broker.h"
#include "vmm/vhost/user_msg.h"

struct vu_link {
	const char *who;    /* for messages */
	int sock;           /* -1: never connected */
	bool dead;
	uint64_t features;  /* virtio features that the back-end offers */
	uint64_t protocol;  /* negotiated VU_P_* */
	unsigned pairs;     /* queue pairs that it can serve, at most */
};

#define VU_LINK_INIT {.sock = -1}

/*
 * Connect to path, which the broker knows, and negotiate. 0 or -errno; quiet: log nothing (a try to
 * reconnect).
 */
int vu_link_open(struct vu_link *l, const struct vu_broker *broker, const char *path, bool quiet);
void vu_link_close(struct vu_link *l);
bool vu_link_has(const struct vu_link *l, enum vu_protocol_feature p);

/* Send; with REPLY_ACK wait for the back-end's verdict. fds stay the caller's. */
int vu_link_do(struct vu_link *l, struct vu_msg *m);
/* Send and wait for the answer, which replaces *m; its fds are the caller's. */
int vu_link_get(struct vu_link *l, struct vu_msg *m);
int vu_link_set_memory(struct vu_link *l, const struct gmem *gm);
/* SET_VRING_KICK, _CALL or _ERR; fd -1 for none. */
int vu_link_set_fd(struct vu_link *l, enum vu_request request, unsigned ring, int fd);

#endif
