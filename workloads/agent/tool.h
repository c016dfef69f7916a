/* SPDX-License-Identifier: MIT */
/* Programs of others that make the load in our place (--tool=): iperf3, fio. */
#ifndef WORKLOADS_AGENT_TOOL_H
#define WORKLOADS_AGENT_TOOL_H

#include <sys/types.h>
#include "base/strbuf.h"

/* Found in PATH, with stdout into out (-1: nowhere); ends with us. */
pid_t tool_start(char *const argv[], int out);
/* All that it says until it ends: 0, or -errno after agent_fail. */
int tool_collect(int fd, pid_t pid, const char *name, struct strbuf *out);

#endif
