/* SPDX-License-Identifier: MIT */
/*
 * A program that serves a device over vhost-user: it listens on a unix socket, takes one front-end at a time,
 * outlives it, and gives up what it does not need before it listens to the first (vmm/sandbox).
 *
 *      vu_server_signals   open the device   vu_back_init   vu_server_run
 */
#ifndef VMM_VHOST_SERVER_H
#define VMM_VHOST_SERVER_H

#include "base/opts.h"
#include "vmm/sandbox/sandbox.h"

struct vu_back;

struct vu_server {
	/* Of the command line (VU_SERVER_OPTS). */
	const char *socket, *sandbox;
	bool once;
	struct vu_back *back;
	struct threads *threads;
	unsigned sandbox_parts; /* what the device needs beyond SANDBOX_SERVER */
	int signals;
};

/* Rows for the table of options of a program whose arguments, a struct args, have one of these in .server. */
#define VU_SERVER_OPTS                                                                                  \
	{"socket", 's', OPT_STR, offsetof(struct args, server.socket), "PATH",                          \
	 "listen here for the front-end"},                                                              \
	{"once", '1', OPT_FLAG, offsetof(struct args, server.once), NULL,                               \
	 "end when the first front-end hangs up"},                                                      \
	{"sandbox", 0, OPT_STR, offsetof(struct args, server.sandbox), "on|off",                        \
	 "give up user, capabilities, namespaces, paths and most system calls before serving (default on)"}

/* SIGTERM and SIGINT as an fd, and what else a signal may do to us: before there are other threads. */
int vu_server_signals(void);
/* Serve until a signal, or with once the first front-end's end. In a sandbox it does not return. */
void vu_server_run(const struct vu_server *s);

#endif
