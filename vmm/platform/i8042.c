// SPDX-License-Identifier: MIT
/* The keyboard controller without a keyboard: its own commands, and the reset line (IBM PS/2 TRM,
 * 8042 commands). */
#include <errno.h>
#include <stdlib.h>

#include "vmm/platform/pm.h"

#define DATA_PORT    0x60
#define COMMAND_PORT 0x64

enum {
	STATUS_OUT_FULL = 1 << 0,
	STATUS_SYSTEM = 1 << 2,  /* self test passed */
	STATUS_UNLOCKED = 1 << 4,
	STATUS_TIMEOUT = 1 << 6, /* the device did not answer */
};

enum {
	CMD_READ_CONFIG = 0x20,
	CMD_WRITE_CONFIG = 0x60,
	CMD_TEST_AUX = 0xa9,
	CMD_SELF_TEST = 0xaa,
	CMD_TEST_KBD = 0xab,
	CMD_READ_OUTPUT = 0xd0,
	CMD_WRITE_OUTPUT = 0xd1,
	CMD_RESET = 0xfe, /* pulses output line 0 */
};

#define OUTPUT_RESET 1 /* 0 resets */
#define OUTPUT_A20   2
#define NO_ANSWER    0xfe

struct i8042 {
	struct vm *vm;
	uint8_t command; /* waits for its data byte; 0: none */
	uint8_t config, out;
	bool full, timeout;
};

static void put_answer(struct i8042 *k, uint8_t byte)
{
	k->out = byte;
	k->full = true;
	k->timeout = false;
}

static void write_command(struct i8042 *k, uint8_t cmd)
{
	k->command = 0;
	switch (cmd) {
	case CMD_READ_CONFIG:
		put_answer(k, k->config);
		break;
	case CMD_WRITE_CONFIG:
	case CMD_WRITE_OUTPUT:
		k->command = cmd;
		break;
	case CMD_SELF_TEST:
		put_answer(k, 0x55);
		break;
	case CMD_TEST_KBD:
	case CMD_TEST_AUX:
		put_answer(k, 0x00);
		break;
	case CMD_READ_OUTPUT:
		put_answer(k, OUTPUT_RESET | OUTPUT_A20);
		break;
	case CMD_RESET:
		vm_end(k->vm, VM_END_RESET, 0);
		break;
	}
}

static void write_data(struct i8042 *k, uint8_t byte)
{
	if (k->command == CMD_WRITE_CONFIG) {
		k->config = byte;
	} else if (k->command == CMD_WRITE_OUTPUT) {
		if (!(byte & OUTPUT_RESET))
			vm_end(k->vm, VM_END_RESET, 0);
	} else {
		/* For the keyboard, which is not there. */
		put_answer(k, NO_ANSWER);
		k->timeout = true;
	}
	k->command = 0;
}

static uint64_t data_read(void *arg, uint64_t off, unsigned len)
{
	struct i8042 *k = arg;

	(void)off;
	(void)len;
	k->full = k->timeout = false;
	return k->out;
}

static void data_write(void *arg, uint64_t off, unsigned len, uint64_t val)
{
	(void)off;
	(void)len;
	write_data(arg, (uint8_t)val);
}

static uint64_t status_read(void *arg, uint64_t off, unsigned len)
{
	const struct i8042 *k = arg;

	(void)off;
	(void)len;
	return STATUS_SYSTEM | STATUS_UNLOCKED | bits_if(k->full, STATUS_OUT_FULL) |
	       bits_if(k->timeout, STATUS_TIMEOUT);
}

static void command_write(void *arg, uint64_t off, unsigned len, uint64_t val)
{
	(void)off;
	(void)len;
	write_command(arg, (uint8_t)val);
}

static const struct bus_ops data_ops = {"8042 data", data_read, data_write};
static const struct bus_ops command_ops = {"8042 command", status_read, command_write};

void i8042_reset(struct i8042 *k)
{
	*k = (struct i8042){.vm = k->vm};
}

int i8042_create(struct i8042 **out, struct vm *vm)
{
	struct i8042 *k = calloc(1, sizeof(*k));
	int err;

	if (!k)
		return -ENOMEM;
	k->vm = vm;
	*out = k;
	vm_stats_region(vm, "i8042", true, DATA_PORT, 5);
	err = vm_map(vm, true, DATA_PORT, 1, &data_ops, k);
	if (err)
		return err;
	return vm_map(vm, true, COMMAND_PORT, 1, &command_ops, k);
}

void i8042_destroy(struct i8042 *k)
{
	free(k);
}
