/* SPDX-License-Identifier: MIT */
#ifndef WORKLOADS_AGENT_CONFINE_H
#define WORKLOADS_AGENT_CONFINE_H

/*
 * For good, on the only thread: the user nobody where we are root, no capability but CAP_NET_ADMIN, no new
 * privileges, no core dumps. It still ends with the process that started it. 0 or -errno.
 */
int confine_peer(void);

#endif
