// SPDX-License-Identifier: MIT
#include "vmm/net/mac.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "vmm/pci/core.h"

static int parse_mac(const struct pci_dev *pci, const char *text, uint8_t mac[6])
{
	unsigned m[6];
	int end = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5],
		   &end) != 6 ||
	    text[end] || m[0] & 1) {
		log_error("%s: mac=%s: not a unicast MAC address; write it as 52:54:00:12:34:56",
			  pci->name, text);
		return -EINVAL;
	}
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)m[i];
	return 0;
}

/* Two cards with one address would answer for each other. */
static int mac_is_unique(const struct pci_dev *pci, const uint8_t mac[6])
{
	for (int i = 0; i < PCI_SLOTS; i++) {
		const struct pci_dev *other = pci->core->dev[i];

		if (!other || !other->mac || memcmp(other->mac, mac, 6))
			continue;
		log_error("%s: its MAC address is %s's too; give each its own with mac=", pci->name,
			  other->name);
		return -EINVAL;
	}
	return 0;
}

int mac_assign(struct pci_dev *pci, const char *text, uint8_t mac[6])
{
	int err = 0;

	memcpy(mac, (const uint8_t[6]){0x52, 0x54, 0x00, 0xe1, 0x7a, pci->devfn}, 6);
	if (text)
		err = parse_mac(pci, text, mac);
	if (!err)
		err = mac_is_unique(pci, mac);
	if (!err)
		pci->mac = mac;
	return err;
}
