// SPDX-License-Identifier: MIT
/* What a write to a register does, and what a read gives (section 13). */
#include <unistd.h>

#include "vmm/devices/e1000/e1000.h"

/* Bits that a plain register keeps; what is not here keeps all, what is handled below is not here. */
static const struct {
	uint16_t first, last;
	uint32_t mask;
} masks[] = {
	{FCAH, FCAH, 0xffff},	    {FCT, FCT, 0xffff},		{VET, VET, 0xffff},
	{RDTR, RDTR, 0xffff},	    {RADV, RADV, 0xffff},	{RDLEN, RDLEN, 0xfff80},
	{RDBAL, RDBAL, 0xfffffff0}, {RDH, RDH, 0xffff},		{RDT, RDT, 0xffff},
	{TDBAL, TDBAL, 0xfffffff0}, {TDLEN, TDLEN, 0xfff80},	{TDH, TDH, 0xffff},
	{TDT, TDT, 0xffff},	    {TIDV, TIDV, 0xffff},	{TADV, TADV, 0xffff},
	{FCRTL, FCRTL, 0x8000fff8}, {FCRTH, FCRTH, 0x8000fff8}, {FCTTV, FCTTV, 0xffff},
	{TIPG, TIPG, 0x3fffffff},   {TXCW, TXCW, 0xc000ffff},	{ITR, ITR, 0xffff},
};

static uint32_t mask_of(uint32_t off)
{
	for (size_t i = 0; i < ARRAY_SIZE(masks); i++)
		if (off >= masks[i].first && off <= masks[i].last)
			return masks[i].mask;
	if (off >= RAL && off < RAL + 128 && off & 4) /* RAH */
		return 0x8003ffff;
	return UINT32_MAX;
}

static void write_ctrl(struct e1000 *e, uint32_t v)
{
	if (v & CTRL_RST) {
		e1000_device_reset(e);
		return;
	}
	if (v & CTRL_PHY_RST)
		e1000_phy_reset(e);
	e1000_set(e, CTRL, v & ~(CTRL_RST | CTRL_PHY_RST));
	e1000_set(e, STATUS, (e1000_get(e, STATUS) & ~STATUS_LU) | bits_if(v & CTRL_SLU, STATUS_LU));
}

struct reg_write {
	struct e1000 *e;
	uint32_t off, val;
};

/* Set-up of a ring, or what decides whether it runs: on the thread that runs it. */
static void write_setup(void *arg)
{
	struct reg_write *w = arg;
	struct e1000 *e = w->e;

	if (w->off == CTRL)
		write_ctrl(e, w->val);
	else if (w->off == MDIC)
		e1000_set(e, MDIC, e1000_mdic(e, w->val));
	else
		e1000_set(e, w->off, w->val & mask_of(w->off));
	if (w->off == RCTL || w->off == CTRL)
		e1000_rx_resume(e);
}

/* Written on the thread that runs the ring. */
static bool is_setup(uint32_t off)
{
	static const uint16_t setup[] = {CTRL, RCTL,  TCTL,  RDBAL, RDBAH, RDLEN,
					 RDH,  TDBAL, TDBAH, TDLEN, TDH,   MDIC};

	for (size_t i = 0; i < ARRAY_SIZE(setup); i++)
		if (off == setup[i])
			return true;
	return false;
}

static void write_tdt(struct e1000 *e, uint32_t v)
{
	uint64_t one = 1;

	e1000_set(e, TDT, v & 0xffff);
	e1000_stat(&e->tx_stats->kicks, 1);
	if (e->io_vcpu)
		e1000_tx_run(e);
	else if (write(e->kick_fd, &one, sizeof(one)) < 0)
		e1000_stat(&e->tx_stats->bad, 1);
}

static void resume_rx(void *arg)
{
	e1000_rx_resume(arg);
}

static void write_rdt(struct e1000 *e, uint32_t v)
{
	e1000_set(e, RDT, v & 0xffff);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the tail first, then whether somebody looks */
	/* Rarely: the thread stopped looking at the TAP for want of buffers. */
	if (!__atomic_load_n(&e->tap_watched, __ATOMIC_ACQUIRE) && (e1000_get(e, RCTL) & RCTL_EN))
		evloop_call(e->loop, resume_rx, e);
}

static void write_status(struct e1000 *e, uint32_t v)
{
	(void)e; /* read-only */
	(void)v;
}

static void write_eerd(struct e1000 *e, uint32_t v)
{
	e1000_set(e, EERD, e1000_eerd(e, v));
}

static void write_ics(struct e1000 *e, uint32_t v)
{
	e1000_irq_raise(e, v & 0x1ffff);
}

static void write_ims(struct e1000 *e, uint32_t v)
{
	e1000_ims_write(e, v & 0x1ffff, 0);
}

static void write_imc(struct e1000 *e, uint32_t v)
{
	e1000_ims_write(e, 0, v);
}

/* Those of the data path first. */
static const struct {
	uint16_t off;
	void (*write)(struct e1000 *e, uint32_t v);
} special[] = {
	{TDT, write_tdt},	{RDT, write_rdt},	  {IMS, write_ims},
	{IMC, write_imc},	{ICR, e1000_icr_write},	  {ICS, write_ics},
	{STATUS, write_status}, {EECD, e1000_eecd_write}, {EERD, write_eerd},
};

void e1000_reg_write(struct e1000 *e, uint32_t off, uint32_t v)
{
	for (size_t i = 0; i < ARRAY_SIZE(special); i++) {
		if (off == special[i].off) {
			special[i].write(e, v);
			return;
		}
	}
	if (is_setup(off)) {
		struct reg_write w = {e, off, v};

		evloop_call(e->loop, write_setup, &w);
	} else if (off < sizeof(e->reg) && !(off >= STATS_FIRST && off <= STATS_LAST)) {
		e1000_set(e, off, v & mask_of(off));
	}
}

/* Statistics clear when read; those of 64 bits when their upper half is (13.7). */
static void clear_statistic(struct e1000 *e, uint32_t off)
{
	static const uint16_t octets[] = {GORCL, GOTCL, TORL, TOTL};

	for (size_t i = 0; i < ARRAY_SIZE(octets); i++) {
		if (off == octets[i])
			return;
		if (off == octets[i] + 4u)
			e1000_set(e, octets[i], 0);
	}
	e1000_set(e, off, 0);
}

uint32_t e1000_reg_read(struct e1000 *e, uint32_t off)
{
	uint32_t v;

	switch (off) {
	case ICR:
		return e1000_icr_read(e);
	case EECD:
		return e1000_eecd_read(e);
	case IMC:
		return e1000_get(e, IMS);
	case ICS:
		return e1000_get(e, ICR);
	}
	if (off >= sizeof(e->reg))
		return 0;
	v = e1000_get(e, off);
	if (off >= STATS_FIRST && off <= STATS_LAST)
		clear_statistic(e, off);
	return v;
}
