/* SPDX-License-Identifier: MIT */
/* Network interfaces and the namespaces that they are in. All return 0 or -errno. */
#ifndef BENCH_HOST_LINK_H
#define BENCH_HOST_LINK_H

#include "base/util.h"

/* The addresses of guest and peer: 10.77.0.HOST, fd77::HOST. */
#define WIRE_NET4       "10.77.0."
#define WIRE_NET6       "fd77::"
#define WIRE_HOST_GUEST 2
#define WIRE_HOST_PEER  1

/* Run fn in the namespace *ns_fd, or in a new one, returned there, when it is -1. */
int netns_run(int *ns_fd, int (*fn)(void *arg), void *arg);
/* A new namespace with its loopback up; fd or -errno (logged). */
int netns_new(void);
/* The same with nothing that is up, for a process without a network; -1 where it is not permitted. */
int netns_new_empty(void);

/* These act in the namespace that the caller is in. */
/* A socket that is connected to rtnetlink, or NULL; nl_socket_free takes both. */
struct nl_sock *link_socket(void);
int link_up(const char *name);
bool link_is_up(const char *name);
/* Address, MAC and state of one interface; for netns_run. */
struct link_setup {
	const char *name, *mac; /* mac NULL: the interface keeps its own */
	int host;               /* its number in the nets above */
};
int link_setup(void *arg);
int link_move(const char *name, int ns_fd);
/* How long the interrupt of a received frame may be put off; the value that was. For netns_run. */
struct link_coalesce {
	const char *name;
	unsigned rx_usecs;
};
int link_coalesce_swap(void *arg);

#endif
