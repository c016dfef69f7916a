// SPDX-License-Identifier: MIT
/* PM1 event and control registers and the power management timer (ACPI 6.5, 4.8.3). No event is
 * ever raised. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "vmm/platform/acpi.h"
#include "vmm/platform/pm.h"

#define TIMER_HZ  3579545ull
#define CNT_SCI   1u /* ACPI mode, always */
#define CNT_SLP_TYP(v) ((v) >> 10 & 7)
#define CNT_SLP_EN (1u << 13)

enum { REG_STATUS = 0, REG_ENABLE = 2, REG_CONTROL = 4, REG_TIMER = 8 };

struct pm {
	struct vm *vm;
	uint16_t enable, control;
};

static uint32_t timer_now(void)
{
	uint64_t ns = clock_ns();

	/* In two parts: the product would wrap after an hour and a half. */
	return (uint32_t)(ns / NSEC_PER_SEC * TIMER_HZ +
			  ns % NSEC_PER_SEC * TIMER_HZ / NSEC_PER_SEC);
}

/* All four registers as the 12 bytes that they are: any width at any offset comes out right. */
static uint64_t pm_read(void *arg, uint64_t off, unsigned len)
{
	const struct pm *pm = arg;
	uint64_t val = 0;

	(void)len;
	if (off < REG_CONTROL)
		val = (uint32_t)pm->enable << 16;
	else if (off < REG_TIMER)
		val = pm->control | CNT_SCI;
	else
		val = timer_now();
	return val >> (off % 4 * 8);
}

static void control_write(struct pm *pm, uint16_t val)
{
	pm->control = val & ~CNT_SLP_EN;
	if (val & CNT_SLP_EN && CNT_SLP_TYP(val) == PM_S5_TYPE)
		vm_end(pm->vm, VM_END_POWEROFF, 0);
}

static void pm_write(void *arg, uint64_t off, unsigned len, uint64_t val)
{
	struct pm *pm = arg;

	if (off == REG_CONTROL && len >= 2)
		control_write(pm, (uint16_t)val);
	else if (off == REG_ENABLE && len == 2)
		pm->enable = (uint16_t)val;
	else if (off == REG_STATUS && len == 4)
		pm->enable = (uint16_t)(val >> 16);
}

static const struct bus_ops pm_ops = {"ACPI PM", pm_read, pm_write};

void pm_reset(struct pm *pm)
{
	pm->enable = pm->control = 0;
}

int pm_create(struct pm **out, struct vm *vm)
{
	struct pm *pm = calloc(1, sizeof(*pm));

	if (!pm)
		return -ENOMEM;
	pm->vm = vm;
	*out = pm;
	vm_stats_region(vm, "ACPI PM1", true, PM_EVENT_PORT, 8);
	vm_stats_region(vm, "ACPI PM timer", true, PM_TIMER_PORT, 4);
	return vm_map(vm, true, PM_EVENT_PORT, PM_PORTS_LEN, &pm_ops, pm);
}

void pm_destroy(struct pm *pm)
{
	free(pm);
}
