/* SPDX-License-Identifier: MIT */
/* bench profile --xen: the table of exits of a domain of Xen's, in its dom0. */
#ifndef BENCH_PROFILE_XEN_PROFILE_H
#define BENCH_PROFILE_XEN_PROFILE_H

#include <signal.h>
#include "bench/profile/exit_view.h"

struct xen_profile {
	const char *domain;
	uint64_t duration_ns, interval_ns, rows;
	enum view_key key;
	bool json;
};

/* Until the time is over, the domain gone, or *stop. 0 or -errno (logged). */
int xen_profile(const struct xen_profile *p, const volatile sig_atomic_t *stop);

#endif
