// SPDX-License-Identifier: MIT
/*
 * libFuzzer: the devices that every machine has. Records of 4 bytes: what, port (2 bytes), value. Ports of
 * the serial lines, timer, clock, keyboard controller and configuration space, the IOAPIC's page, and
 * bytes that arrive on the agent's line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/unit/fake.h"
#include "vmm/platform/platform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define IOAPIC 0xfec00000u

static struct vm *vm;
static struct platform *platform;
static int line[2];

static void set_up(void)
{
	char spec[16];
	const struct platform_opts opts = {.console = "none", .agent = spec};

	if (vm)
		return;
	log_init("fuzz", LOG_ERROR);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line))
		abort();
	snprintf(spec, sizeof(spec), "fd=%d", line[1]);
	vm = fake_vm_create(4 * MIB);
	if (!vm || platform_create(&platform, vm, &opts))
		abort();
}

static void serve(const uint8_t r[4])
{
	uint16_t port = (uint16_t)(r[1] | r[2] << 8);
	unsigned len = 1u << (r[0] >> 3) % 3;
	char drained[256];

	switch (r[0] & 7) {
	case 0:
	case 1:
		bus_write(&vm->pio, port, len, r[3] * 0x01010101u);
		break;
	case 2:
		bus_read(&vm->pio, port, len);
		break;
	case 3:
		bus_write(&vm->pio, port & 0x3ff, len, r[3]); /* where most of them are */
		break;
	case 4:
		bus_write(&vm->mmio, IOAPIC + (port & 0xff), 4, r[3] * 0x01010101u);
		break;
	case 5:
		bus_read(&vm->mmio, IOAPIC + (port & 0xff), 4);
		break;
	case 6:
		if (send(line[0], r, 4, MSG_DONTWAIT) < 0 ||
		    recv(line[0], drained, sizeof(drained), MSG_DONTWAIT) < 0)
			break;
		break;
	case 7:
		platform_reset(platform);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	set_up();
	vm_clear_end(vm);
	platform_reset(platform);
	for (; size >= 4; data += 4, size -= 4)
		serve(data);
	return 0;
}
