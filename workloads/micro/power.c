// SPDX-License-Identifier: MIT
/*
 * Power-off as an operating system does it: RSDP, FADT, the S5 package of the DSDT (ACPI 6.5, 5.2 and
 * 4.8.3).
 */
#include <string.h>

#include "workloads/micro/micro.h"

#define BIOS_START 0xe0000ull
#define BIOS_END   0x100000ull
#define LOW_4G     0x100000000ull /* tables are looked for where memory is mapped from the start */

#define FADT_DSDT      40
#define FADT_PM1A_CNT  64
#define PM1_SLP_EN     (1u << 13)
#define PM1_TYPE_SHIFT 10

#define POWER_OFF_TICKS 2000000000ull /* about a second */

#define DEBUG_EXIT_PORT 0xf4

static uint32_t get32(uint64_t addr)
{
	uint32_t v;

	memcpy(&v, (const void *)addr, sizeof(v));
	return v;
}

static uint64_t find_rsdp(void)
{
	for (uint64_t a = BIOS_START; a < BIOS_END; a += 16)
		if (!memcmp((const void *)a, "RSD PTR ", 8))
			return a;
	return 0;
}

/* A table by signature, through the RSDT or the XSDT: whichever there is. */
static uint64_t find_table(const char *sig)
{
	uint64_t rsdp = find_rsdp(), root, entry = 4;
	uint32_t len;

	if (!rsdp)
		return 0;
	root = get32(rsdp + 16);
	if (!root) {
		root = get32(rsdp + 24) | (uint64_t)get32(rsdp + 28) << 32;
		entry = 8;
	}
	if (!root || root >= LOW_4G)
		return 0;
	len = MIN(get32(root + 4), 4096);
	for (uint64_t at = root + 36; at + entry <= root + len; at += entry) {
		uint64_t table = get32(at);

		if (!memcmp((const void *)table, sig, 4))
			return table;
	}
	return 0;
}

/*
 * SLP_TYPa: the first element of Name(_S5_, Package{...}): NameOp "_S5_" PackageOp length count
 * [BytePrefix] value.
 */
static int s5_type(uint64_t dsdt)
{
	uint32_t len = MIN(get32(dsdt + 4), 1u << 20);

	for (uint64_t a = dsdt + 36; a + 10 < dsdt + len; a++) {
		const uint8_t *p = (const uint8_t *)a;

		if (memcmp(p, "_S5_\x12", 5))
			continue;
		p += 6 + (p[5] >> 6) + 1;
		if (*p == 0x0a) /* BytePrefix */
			return p[1];
		return *p == 1;
	}
	return -1;
}

static void acpi_power_off(void)
{
	uint64_t fadt = find_table("FACP");
	uint16_t port;
	int type;

	if (!fadt)
		return;
	type = s5_type(get32(fadt + FADT_DSDT));
	if (type < 0)
		return;
	port = (uint16_t)get32(fadt + FADT_PM1A_CNT);
	outw(port, (uint16_t)(type << PM1_TYPE_SHIFT));
	outw(port, (uint16_t)(type << PM1_TYPE_SHIFT | PM1_SLP_EN));
}

void power_off(unsigned status)
{
	if (status)
		outl(DEBUG_EXIT_PORT, status);
	acpi_power_off();
	/* Some VMMs end a moment later, in another thread. */
	for (uint64_t start = rdtsc(); rdtsc() - start < POWER_OFF_TICKS;)
		cpu_relax();
	/* No ACPI: a debug-exit of 0 is status 1, better than to hang. */
	outl(DEBUG_EXIT_PORT, status);
	for (;;)
		__asm__ volatile("pause");
}
