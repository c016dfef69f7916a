// SPDX-License-Identifier: MIT
/* Class 16: legacy devices by their ports. What ends a machine on purpose is left out. */
#include "workloads/micro/hostile.h"

static const struct range {
	uint16_t first, last;
} keep_off[] = {
	{0x2f8, 0x2ff}, /* COM2: our own voice */
	{0x20, 0x21},   {0xa0, 0xa1},   {0x4d0, 0x4d1}, /* PICs: stay masked */
	{0x64, 0x64},   {0x92, 0x92},   {0xcf9, 0xcf9}, /* resets */
	{0xf4, 0xf7},   {0x505, 0x505}, {0xb2, 0xb3},   /* debug exit, panic, SMI */
	{0xe10, 0xe10},                                 /* the marker */
	{0x600, 0x67f}, {0xb000, 0xb0ff},               /* ACPI power management */
};

static bool may_touch(unsigned port)
{
	for (unsigned i = 0; i < ARRAY_SIZE(keep_off); i++)
		if (port + 3 >= keep_off[i].first && port <= keep_off[i].last)
			return false;
	return true;
}

/* UART divisor 0, all line settings, and transmit with each of them. */
static void odd_uart(void)
{
	for (unsigned i = 0; i < 64; i++, hostile_cases++) {
		outb(0x3fb, (uint8_t)(0x80 | i));
		outb(0x3f8, (uint8_t)((i % 3 == 0) * i));
		outb(0x3f9, 0);
		outb(0x3fb, (uint8_t)i);
		outb(0x3fc, (uint8_t)(hostile_random()));
		outb(0x3fa, (uint8_t)(hostile_random()));
		outb(0x3f8, 'x');
	}
}

static void fuzz_ports(void)
{
	for (unsigned port = 0; port < 0xd00; port += step_after(port, 0x500, 7)) {
		uint64_t v = hostile_random();

		if (!may_touch(port))
			continue;
		hostile_cases++;
		inb((uint16_t)port);
		inw((uint16_t)port);
		inl((uint16_t)port);
		outb((uint16_t)port, (uint8_t)v);
		outw((uint16_t)port, (uint16_t)v);
		outl((uint16_t)port, (uint32_t)v);
	}
}

static void legacy_ports(void)
{
	odd_uart();
	fuzz_ports();
}

const struct hostile_class hostile_ports[] = {
	{"ports", ANY_CARD, legacy_ports},
	{NULL, ANY_CARD, NULL},
};
