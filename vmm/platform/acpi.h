/* SPDX-License-Identifier: MIT */
#ifndef VMM_PLATFORM_ACPI_H
#define VMM_PLATFORM_ACPI_H

#include "vmm/core/gmem.h"

/* Fixed hardware (ACPI 6.5, 4.8): what the FADT says and pm.c answers. */
#define PM_EVENT_PORT   0x600 /* status, enable: 2 bytes each */
#define PM_CONTROL_PORT 0x604
#define PM_TIMER_PORT   0x608
#define PM_PORTS_LEN    12
#define PM_SCI          9
#define PM_S5_TYPE      5
#define RESET_PORT      0xcf9
#define RESET_VALUE     0x06

struct acpi_config {
	unsigned n_cpus;
	bool pics; /* the two 8259s are there (not with a split irqchip) */
};

/* Tables into guest memory at BOOT_ACPI; the address of the RSDP. */
int acpi_build(struct gmem *gm, const struct acpi_config *config, gpa_t *rsdp);

#endif
