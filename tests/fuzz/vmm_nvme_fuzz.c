// SPDX-License-Identifier: MIT
/*
 * libFuzzer: a driver of an NVMe controller with one pair of queues that lays whatever the input says
 * over its queues, lists and data, and rings. Byte 0: shadow doorbells or not; then records: where
 * (2 bytes), how long (1 byte), and so many bytes to paste there, or, with length 0, a register (the
 * where) and a value (4 bytes) to write into it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/unit/fake.h"
#include "vmm/devices.h"
#include "vmm/devices/nvme/nvme.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RAM	   (1 * MIB)
#define DISK_BYTES (256 * KIB)
#define BASE	   0x10000 /* admin queues, the pair, shadows, lists: a page each */
#define REACH	   0x8000
#define BELLS	   0x1000

static struct vm *vm;
static struct pci_dev *dev;
static int medium;

static void set_up(void)
{
	char opts[128];

	if (vm)
		return;
	log_init("fuzz", LOG_ERROR);
	medium = memfd_create("disk", MFD_CLOEXEC);
	if (medium < 0 || ftruncate(medium, DISK_BYTES) < 0)
		abort();
	snprintf(opts, sizeof(opts), "file=/proc/self/fd/%d,direct=off,engine=sync,poll_us=0,queues=2", medium);
	vm = fake_vm_create(RAM);
	dev = vm ? fake_attach(vm, &nvme_ops, opts) : NULL;
	if (!dev)
		abort();
}

static void wr(unsigned off, uint32_t val)
{
	fake_write(dev, 0, off, 4, val);
}

static void nothing(void *arg)
{
	(void)arg;
}

static void serve(void)
{
	struct nvme *n = dev->priv;

	io_thread_call(n->thread, nothing, NULL);
	io_thread_call(n->thread, nothing, NULL);
}

static void admin(unsigned tail, uint8_t opcode, uint64_t prp1, uint64_t prp2, uint32_t dw10, uint32_t dw11)
{
	struct nvme_cmd c = {.opcode = opcode, .prp1 = prp1, .prp2 = prp2, .cdw10 = dw10, .cdw11 = dw11};

	gmem_write(vm_gmem(vm), BASE + 64 * (tail - 1), &c, sizeof(c));
	wr(BELLS, tail);
	serve();
}

static void bring_up(bool shadow)
{
	wr(0x14, 0);
	wr(0x24, 0xf000f);
	wr(0x28, BASE);
	wr(0x2c, 0);
	wr(0x30, BASE + 0x1000);
	wr(0x34, 0);
	wr(0x14, 0x460001);
	admin(1, 5, BASE + 0x3000, 0, 0xf0001, 3);
	admin(2, 1, BASE + 0x2000, 0, 0xf0001, 0x10001);
	if (shadow)
		admin(3, 0x7c, BASE + 0x4000, BASE + 0x5000, 0, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stat st;

	set_up();
	memset(gmem_ptr(vm_gmem(vm), BASE, REACH), 0, REACH);
	if (size)
		bring_up(data[0] & 1);
	for (size_t at = 1; at + 3 <= size;) {
		unsigned where = (unsigned)(data[at] | data[at + 1] << 8), len = data[at + 2];
		size_t need = len ? len : 4;
		uint32_t val;

		at += 3;
		if (at + need > size)
			break;
		memcpy(&val, data + at, 4 < need ? 4 : need);
		if (len)
			gmem_write(vm_gmem(vm), BASE + where % (REACH - 256), data + at, len);
		else
			wr(where & 0x3ffc, val);
		at += need;
		serve();
	}
	/* Whatever was asked for, nothing went outside of the medium. */
	if (fstat(medium, &st) < 0 || st.st_size != DISK_BYTES)
		abort();
	return 0;
}
