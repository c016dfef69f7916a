/* SPDX-License-Identifier: MIT */
/* Configuration space registers that the core itself uses; see linux/pci_regs.h for the rest. */
#ifndef VMM_PCI_REGS_H
#define VMM_PCI_REGS_H

#include <linux/pci_regs.h>

/* Unaligned little-endian access to configuration space. */
/*
 * Bytes whole and at any time: I/O threads look at COMMAND and at the interrupts' switches without
 * the device's lock.
 */
static inline uint8_t cfg_get8(const uint8_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline void cfg_put8(uint8_t *p, uint8_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELAXED);
}

static inline uint16_t cfg_get16(const uint8_t *p)
{
	return (uint16_t)(cfg_get8(p) | cfg_get8(p + 1) << 8);
}

static inline uint32_t cfg_get32(const uint8_t *p)
{
	return cfg_get16(p) | (uint32_t)cfg_get16(p + 2) << 16;
}

static inline void cfg_put16(uint8_t *p, uint16_t v)
{
	cfg_put8(p, (uint8_t)v);
	cfg_put8(p + 1, (uint8_t)(v >> 8));
}

static inline void cfg_put32(uint8_t *p, uint32_t v)
{
	cfg_put16(p, (uint16_t)v);
	cfg_put16(p + 2, (uint16_t)(v >> 16));
}

#endif
