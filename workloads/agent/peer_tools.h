/* SPDX-License-Identifier: MIT */
/*
 * How the peer starts iperf3, which it may not itself: a process of its own, made before the peer gave that
 * up, is told a port and nothing else. It ends with the peer.
 */
#ifndef WORKLOADS_AGENT_PEER_TOOLS_H
#define WORKLOADS_AGENT_PEER_TOOLS_H

#include <stdint.h>

/* The channel to it, or -errno. */
int tools_start(void);
/* iperf3 serves on this port, once; it is waited for until it listens. 0 or -errno. */
int tools_serve(int channel, uint16_t port);
/* The one that was started, if any, is ended. */
void tools_end(int channel);

#endif
