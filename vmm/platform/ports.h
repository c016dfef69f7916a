/* SPDX-License-Identifier: MIT */
#ifndef VMM_PLATFORM_PORTS_H
#define VMM_PLATFORM_PORTS_H

#include "vmm/core/vm.h"

#define DEBUG_EXIT_PORT 0xf4  /* write v: power-off with status (v << 1) | 1 */
#define PANIC_PORT      0x505 /* pvpanic (QEMU docs/specs/pvpanic) */
#define PANIC_PANICKED  1

int ports_init(struct vm *vm);

#endif
