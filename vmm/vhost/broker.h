/* SPDX-License-Identifier: MIT */
/*
 * The one thing that a vhost-user front-end must be able to do after it has given up its privileges:
 * connect to its back-end again. A child process, forked before, does it: for each byte that it receives
 * it connects to the one path that it knows and sends back the socket. It ends with its parent.
 */
#ifndef VMM_VHOST_BROKER_H
#define VMM_VHOST_BROKER_H

#include <sys/types.h>

struct vu_broker {
	int channel; /* -1: there is none */
	pid_t pid;
};

#define VU_BROKER_INIT {.channel = -1}

/* 0 or -errno. Before there are other threads. */
int vu_broker_start(struct vu_broker *b, const char *path);
void vu_broker_stop(struct vu_broker *b);
/* A connected, non-blocking socket, or -errno. */
int vu_broker_connect(const struct vu_broker *b);

#endif
