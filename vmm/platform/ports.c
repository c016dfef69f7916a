// SPDX-License-Identifier: MIT
/* Ports that only end things: debug-exit, as QEMU's isa-debug-exit has it, and pvpanic. */
#include "base/log.h"
#include "vmm/platform/ports.h"

static void debug_exit_write(void *arg, uint64_t off, unsigned len, uint64_t val)
{
	(void)off;
	(void)len;
	vm_end(arg, VM_END_POWEROFF, (int)((val << 1 | 1) & 0xff));
}

static const struct bus_ops debug_exit_ops = {"debug-exit", NULL, debug_exit_write};

static uint64_t panic_read(void *arg, uint64_t off, unsigned len)
{
	(void)arg;
	(void)off;
	(void)len;
	return PANIC_PANICKED;
}

static void panic_write(void *arg, uint64_t off, unsigned len, uint64_t val)
{
	(void)off;
	(void)len;
	if (!(val & PANIC_PANICKED))
		return;
	vm_note_panic(arg);
	vm_end(arg, VM_END_CRASH, 1);
}

static const struct bus_ops panic_ops = {"panic", panic_read, panic_write};

int ports_init(struct vm *vm)
{
	int err = vm_map(vm, true, DEBUG_EXIT_PORT, 4, &debug_exit_ops, vm);

	vm_stats_region(vm, "debug-exit", true, DEBUG_EXIT_PORT, 4);
	if (err)
		return err;
	return vm_map(vm, true, PANIC_PORT, 1, &panic_ops, vm);
}
