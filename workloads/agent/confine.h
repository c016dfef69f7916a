/* SPDX-License-Identifier: MIT */
#ifndef WORKLOADS_AGENT_CONFINE_H
#define WORKLOADS_AGENT_CONFINE_H

/*
 * For good, on the only thread: the user nobody where we are root, no capability but CAP_NET_ADMIN, no new
 * privileges, no core dumps. It still ends with the process that started it. 0 or -errno.
 */
int confine_peer(void);
/*
 * Then, once everything is open that a session does not open itself: no file, no program, no socket but for
 * datagrams. Whoever calls for more ends the process with a line that says so. 0 or -errno.
 */
int confine_peer_calls(void);

#endif
