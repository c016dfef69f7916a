/* SPDX-License-Identifier: MIT */
/* The domains of the Xen that this machine is dom0 of, as `xl` lists them. */
#ifndef BENCH_PROFILE_XEN_DOMAINS_H
#define BENCH_PROFILE_XEN_DOMAINS_H

#include "bench/profile/vm_name.h"

struct xen_domain {
	unsigned id;
	char name[VM_NAME]; /* one line */
};

struct xen_domains {
	struct xen_domain *domain;
	size_t n;
};

/* What `xl vm-list` printed: lines that are none of a domain's mean nothing. */
void xen_domains_parse(struct xen_domains *d, const char *text);
/* 0, or -errno with one logged line that says what to do. */
int xen_domains_list(struct xen_domains *d);
/* By its name, or its number; NULL: there is none. */
const struct xen_domain *xen_domains_find(const struct xen_domains *d, const char *name);
const struct xen_domain *xen_domains_by_id(const struct xen_domains *d, unsigned id);
void xen_domains_free(struct xen_domains *d);

#endif
