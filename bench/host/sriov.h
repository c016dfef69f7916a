/* SPDX-License-Identifier: MIT */
/*
 * A virtual function for a sample: made by its card or there already, given a MAC address and what else is
 * wanted, put on vfio-pci. Everything is journalled; undone in this order, which is the reverse of how it was
 * done:
 *
 *   off vfio-pci, driver_override as it was, its old driver, settings, the card's link, number of functions,
 * autoprobe
 */
#ifndef BENCH_HOST_SRIOV_H
#define BENCH_HOST_SRIOV_H

#include "base/journal.h"
#include "bench/host/vf_settings.h"

struct sriov_want {
	const char *nic; /* an interface, or "auto" for the first card that can */
	const char *vf;  /* a function that is there already, "0000:01:10.0"; NULL: make one */
	const char *mac; /* given to a function that has none */
	struct vf_settings settings;
	unsigned functions;     /* how many the card is to make: one for each VM */
	bool unsafe_interrupts; /* assign also where interrupts are not remapped */
};

struct sriov {
	struct journal *journal; /* one for all functions of a sample */
	bool is_next;            /* the journal belongs to the first function of the sample */
	char *pf;       /* interface, "eth0"; or controller, "nvme0" */
	char *pf_addr;  /* "0000:01:00.0" */
	char *vf_addr;  /* "0000:01:10.0" */
	unsigned index; /* of the function */
};

/* 0 or -errno (logged). */
int sriov_setup(struct sriov *s, const struct sriov_want *want);
/* Function index of the same card, for one more VM. */
int sriov_setup_next(struct sriov *s, const struct sriov *first, unsigned index,
		     const struct sriov_want *want);
/* After all VMMs have ended, the first function's last. */
void sriov_undo(struct sriov *s);
/* The first card that has functions to give and is not this one (NULL: any), or NULL. Caller frees. */
char *sriov_find_card(const char *not_this);

#endif
