// SPDX-License-Identifier: MIT
/*
 * The PHY behind MDIC and the EEPROM behind EECD: constants that a driver reads, and their serial protocol.
 */
#include <string.h>

#include "vmm/devices/e1000/e1000.h"

#define EECD_SK      0x01u
#define EECD_CS      0x02u
#define EECD_DI      0x04u
#define EECD_DO      0x08u
#define EECD_REQ     0x40u
#define EECD_GNT     0x80u
#define EECD_PRESENT 0x100u

#define EEPROM_SUM     0xbaba /* of all 64 words */
#define MICROWIRE_BITS 9      /* start bit, two of operation, six of address */
#define MICROWIRE_READ 6

enum phy_reg {
	PHY_CTRL = 0,
	PHY_STATUS = 1,
	PHY_ID1 = 2,
	PHY_ID2 = 3,
	PHY_AUTONEG_ADV = 4,
	PHY_LP_ABILITY = 5,
	PHY_AUTONEG_EXP = 6,
	PHY_1000T_CTRL = 9,
	PHY_1000T_STATUS = 10,
	M88_SPEC_CTRL = 16,
	M88_SPEC_STATUS = 17,
	M88_EXT_CTRL = 20,
};

#define PHY_CTRL_LOOPBACK 0x4000u
#define PHY_CTRL_RESET    0x8000u
#define PHY_CTRL_RESTART  0x0200u

void e1000_eeprom_init(struct e1000 *e)
{
	uint16_t sum = 0;

	memset(e->eeprom, 0, sizeof(e->eeprom));
	for (unsigned i = 0; i < 3; i++)
		e->eeprom[i] = (uint16_t)(e->mac[2 * i] | e->mac[2 * i + 1] << 8);
	e->eeprom[0x0a] = 0x4408; /* initialisation control 1: 64 words, IDs valid */
	e->eeprom[0x0b] = 0x001e; /* subsystem, device and vendor IDs */
	e->eeprom[0x0c] = 0x8086;
	e->eeprom[0x0d] = 0x100e;
	e->eeprom[0x0e] = 0x8086;
	e->eeprom[0x0f] = 0x3040; /* initialisation control 2: pause both ways */
	for (unsigned i = 0; i < 63; i++)
		sum = (uint16_t)(sum + e->eeprom[i]);
	e->eeprom[63] = (uint16_t)(EEPROM_SUM - sum);
}

void e1000_phy_reset(struct e1000 *e)
{
	static const struct {
		enum phy_reg reg;
		uint16_t value;
	} defaults[] = {
		{PHY_CTRL, 0x1140},       /* autonegotiation, full duplex, 1000 Mb/s */
		{PHY_STATUS, 0x796d},     /* autonegotiation complete, link up */
		{PHY_ID1, 0x0141},        /* Marvell 88E1000 */
		{PHY_ID2, 0x0c20},
		{PHY_AUTONEG_ADV, 0x0de1},
		{PHY_LP_ABILITY, 0x41e1},
		{PHY_AUTONEG_EXP, 0x0001},
		{PHY_1000T_CTRL, 0x0e00},
		{PHY_1000T_STATUS, 0x3c00},
		{M88_SPEC_CTRL, 0x0360},
		{M88_SPEC_STATUS, 0xac00}, /* 1000 Mb/s, full duplex, resolved, link up */
		{M88_EXT_CTRL, 0x0d60},
	};

	memset(e->phy, 0, sizeof(e->phy));
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
		e->phy[defaults[i].reg] = defaults[i].value;
}

uint32_t e1000_eecd_read(struct e1000 *e)
{
	uint32_t v = EECD_PRESENT | (e1000_get(e, EECD) & (EECD_SK | EECD_CS | EECD_DI | EECD_REQ));
	bool out = e->ee.reading && e->ee.out_bits && ((e->ee.out >> (e->ee.out_bits - 1)) & 1);

	if (v & EECD_REQ)
		v |= EECD_GNT;
	/* Idle, and between words, the data line is high: ready. */
	return v | bits_if(out || !e->ee.reading, EECD_DO);
}

/* One rising edge of the clock: a bit in, or the next bit out. */
static void eeprom_clock(struct e1000 *e, bool di)
{
	if (e->ee.reading) {
		if (e->ee.out_bits)
			e->ee.out_bits--;
		return;
	}
	if (!e->ee.bits && !di)
		return; /* leading zeros before the start bit */
	e->ee.shift = e->ee.shift << 1 | di;
	if (++e->ee.bits < MICROWIRE_BITS)
		return;
	if (e->ee.shift >> 6 == MICROWIRE_READ) {
		e->ee.reading = true;
		e->ee.out = e->eeprom[e->ee.shift & 0x3f];
		e->ee.out_bits = 17; /* a zero comes first */
	}
	e->ee.bits = 0;
	e->ee.shift = 0;
}

void e1000_eecd_write(struct e1000 *e, uint32_t v)
{
	bool sk = v & EECD_SK, cs = v & EECD_CS;

	e1000_set(e, EECD, v);
	if (!cs) {
		memset(&e->ee, 0, sizeof(e->ee));
		return;
	}
	if (sk && !e->ee.sk)
		eeprom_clock(e, v & EECD_DI);
	e->ee.sk = sk;
	e->ee.cs = cs;
}

/* 82540: start is bit 0, done bit 4, address 15..8, data 31..16. */
uint32_t e1000_eerd(struct e1000 *e, uint32_t v)
{
	if (!(v & 1))
		return v;
	return (v & 0xffff & ~1u) | 0x10 | (uint32_t)e->eeprom[(v >> 8) & 0x3f] << 16;
}

static void phy_write(struct e1000 *e, unsigned reg, uint16_t v)
{
	if (reg == PHY_CTRL) {
		if (v & PHY_CTRL_RESET)
			e1000_phy_reset(e);
		v &= (uint16_t)~(PHY_CTRL_RESET | PHY_CTRL_RESTART); /* clear themselves */
	}
	/* Status and identification are read-only. */
	if (reg != PHY_STATUS && reg != PHY_ID1 && reg != PHY_ID2 && reg != PHY_LP_ABILITY &&
	    reg != PHY_1000T_STATUS && reg != M88_SPEC_STATUS)
		e->phy[reg] = v;
}

uint32_t e1000_mdic(struct e1000 *e, uint32_t v)
{
	unsigned reg = (v >> 16) & 0x1f, phy = (v >> 21) & 0x1f, op = (v >> 26) & 3;

	v &= 0x23ffffffu | 3u << 26;
	if (phy != 1 || (op != 1 && op != 2))
		return v | 1u << 28 | 1u << 30; /* ready, error: nobody at this address */
	if (op == 1)
		phy_write(e, reg, (uint16_t)v);
	else
		v = (v & 0xffff0000u) | e->phy[reg];
	return v | 1u << 28;
}
