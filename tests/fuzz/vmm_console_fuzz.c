// SPDX-License-Identifier: MIT
/*
 * libFuzzer: virtio-console. The first byte says whether its rings are packed; then records of 8 bytes:
 * what, which queue, where (2 bytes), value (4 bytes). Registers, memory of the rings, kicks, and bytes
 * that arrive from the host.
 */
#include <linux/virtio_pci.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/unit/fake.h"
#include "vmm/devices.h"
#include "vmm/virtio/virtio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BAR    4
#define NOTIFY 0x3000
#define RINGS  0x10000 /* of queue 0; 4 KiB each for descriptors, driver and device, then queue 1 */

static struct vm *vm;
static struct pci_dev *dev;
static int line[2];

static void set_up(void)
{
	char opts[48];

	if (vm)
		return;
	log_init("fuzz", LOG_ERROR);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line))
		abort();
	snprintf(opts, sizeof(opts), "out=fd=%d,ring=packed,in_order=on", line[1]);
	vm = fake_vm_create(4 * MIB);
	dev = vm ? fake_attach(vm, &virtio_console_ops, opts) : NULL;
	if (!dev)
		abort();
}

static void wr(unsigned off, unsigned len, uint64_t val)
{
	fake_write(dev, BAR, off, len, val);
}

static void bring_up(bool packed)
{
	memset(gmem_ptr(dev->gm, RINGS, 0x8000), 0, 0x8000);
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 3);
	wr(VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
	wr(VIRTIO_PCI_COMMON_GF, 4, 1u << VIRTIO_RING_F_INDIRECT_DESC);
	wr(VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	wr(VIRTIO_PCI_COMMON_GF, 4, 1 | bits_if(packed, 4));
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 11);
	for (unsigned q = 0; q < 2; q++) {
		wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, q);
		wr(VIRTIO_PCI_COMMON_Q_SIZE, 2, 8);
		wr(VIRTIO_PCI_COMMON_Q_DESCLO, 4, RINGS + 0x4000 * q);
		wr(VIRTIO_PCI_COMMON_Q_AVAILLO, 4, RINGS + 0x4000 * q + 0x1000);
		wr(VIRTIO_PCI_COMMON_Q_USEDLO, 4, RINGS + 0x4000 * q + 0x2000);
		wr(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	}
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 15);
}

static void serve(const uint8_t r[8])
{
	uint16_t at = (uint16_t)(r[2] | r[3] << 8);
	char drained[512];
	uint32_t val;

	memcpy(&val, r + 4, 4);
	switch (r[0] % 5) {
	case 0:
	case 1:
		gmem_write(dev->gm, RINGS + 0x4000 * (r[1] & 1) + (at & 0x3fff), &val, 4);
		break;
	case 2:
		wr(NOTIFY + 4 * (r[1] & 3), 2, r[1] & 3);
		break;
	case 3:
		wr(at % 0x3000, 1u << (r[1] & 3), val);
		break;
	case 4:
		if (send(line[0], r, 8, MSG_DONTWAIT) < 0 ||
		    recv(line[0], drained, sizeof(drained), MSG_DONTWAIT) < 0)
			break;
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	set_up();
	if (!size)
		return 0;
	bring_up(data[0] & 1);
	for (data++, size--; size >= 8; data += 8, size -= 8)
		serve(data);
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	return 0;
}
