/* SPDX-License-Identifier: MIT */
/* ACPI fixed hardware, CMOS clock and 8042: small devices with a line each. */
#ifndef VMM_PLATFORM_PM_H
#define VMM_PLATFORM_PM_H

#include "vmm/core/vm.h"

struct pm;
int pm_create(struct pm **out, struct vm *vm);
void pm_destroy(struct pm *pm);
void pm_reset(struct pm *pm);

struct rtc;
int rtc_create(struct rtc **out, struct vm *vm);
void rtc_destroy(struct rtc *rtc);
void rtc_reset(struct rtc *rtc);

struct i8042;
int i8042_create(struct i8042 **out, struct vm *vm);
void i8042_destroy(struct i8042 *kbd);
void i8042_reset(struct i8042 *kbd);

#endif
