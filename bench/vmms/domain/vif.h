/* SPDX-License-Identifier: MIT */
/* The back end's end of a domain's network card, an interface of dom0. */
#ifndef BENCH_VMMS_DOMAIN_VIF_H
#define BENCH_VMMS_DOMAIN_VIF_H

/* Moves it into the namespace NETNS (a file), where it gets the peer's addresses. 0 or -errno (logged). */
int vif_move(unsigned domain, const char *netns);

#endif
