/* SPDX-License-Identifier: MIT */
/* A virtual function for a sample: enabled, given a MAC, on vfio-pci; everything journalled and undone. */
#ifndef BENCH_SRIOV_H
#define BENCH_SRIOV_H

#include "base/journal.h"

struct sriov {
	struct journal *journal;
	char *pf;       /* interface, "eth0" */
	char *pf_addr;  /* "0000:01:00.0" */
	char *vf_addr;  /* "0000:01:10.0" */
};

/* nic: an interface, or "auto" for the first card that can. 0 or -errno (logged). */
int sriov_setup(struct sriov *s, const char *nic, const char *mac);
/* After the VMM has ended. */
void sriov_undo(struct sriov *s);
/* The other card on the lab's wire: an SR-IOV card that is not pf, or NULL. Caller frees. */
char *sriov_peer_nic(const char *pf);
/* First card that has VFs to give, or NULL. Caller frees. */
char *sriov_find_pf(void);

#endif
