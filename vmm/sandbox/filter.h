/* SPDX-License-Identifier: MIT */
/* The filter of system calls of one thread. */
#ifndef VMM_SANDBOX_FILTER_H
#define VMM_SANDBOX_FILTER_H

#include "vmm/core/threads.h"

/* On the calling thread, which is who (base/call_filter.h). parts: enum sandbox_part. 0 or -errno. */
int filter_install(enum thread_kind kind, const char *who, unsigned parts);

#endif
