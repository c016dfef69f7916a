/* SPDX-License-Identifier: MIT */
/* MAC addresses of network cards. */
#ifndef VMM_NET_MAC_H
#define VMM_NET_MAC_H

#include "vmm/pci/pci.h"

/*
 * The address of mac= (NULL: locally administered, by slot) into mac, which must live as long as the card.
 * 0, or -EINVAL (logged): it is no unicast address, or another card of this machine has it.
 */
int mac_assign(struct pci_dev *pci, const char *text, uint8_t mac[6]);

#endif
