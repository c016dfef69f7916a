/* SPDX-License-Identifier: MIT */
/* Configuration space registers that the core itself uses; see linux/pci_regs.h for the rest. */
#ifndef VMM_PCI_REGS_H
#define VMM_PCI_REGS_H

#include <linux/pci_regs.h>

/* Unaligned little-endian access to configuration space. */
static inline uint16_t cfg_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t cfg_get32(const uint8_t *p)
{
	return cfg_get16(p) | (uint32_t)cfg_get16(p + 2) << 16;
}

static inline void cfg_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void cfg_put32(uint8_t *p, uint32_t v)
{
	cfg_put16(p, (uint16_t)v);
	cfg_put16(p + 2, (uint16_t)(v >> 16));
}

#endif
