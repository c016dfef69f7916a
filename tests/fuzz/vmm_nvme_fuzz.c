// SPDX-License-Identifier: MIT
/*
 * libFuzzer: a driver of an NVMe controller with one pair of queues that lays whatever the input says
 * over its queues, lists and data, and rings. Byte 0: shadow doorbells or not; then records: where
 * (2 bytes), how long (1 byte), and so many bytes to paste there, or, with length 0, a register (the
 * where) and a value (4 bytes) to write into it.
 */
#include <string.h>

#include "tests/fuzz/disk.h"
#include "vmm/devices/nvme/nvme.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BASE	   0x10000 /* admin queues, the pair, shadows, lists: a page each */
#define REACH	   0x8000
#define BELLS	   0x1000

static struct fuzz_disk disk;

static void wr(unsigned off, uint32_t val)
{
	fake_write(disk.dev, 0, off, 4, val);
}

static void serve(void)
{
	struct nvme *n = disk.dev->priv;

	disk_serve(n->thread);
}

static void admin(unsigned tail, uint8_t opcode, uint64_t prp1, uint64_t prp2, uint32_t dw10, uint32_t dw11)
{
	struct nvme_cmd c = {.opcode = opcode, .prp1 = prp1, .prp2 = prp2, .cdw10 = dw10, .cdw11 = dw11};

	gmem_write(vm_gmem(disk.vm), BASE + 64 * (tail - 1), &c, sizeof(c));
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
	disk_set_up(&disk, &nvme_ops, ",queues=2");
	memset(gmem_ptr(vm_gmem(disk.vm), BASE, REACH), 0, REACH);
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
			gmem_write(vm_gmem(disk.vm), BASE + where % (REACH - 256), data + at, len);
		else
			wr(where & 0x3ffc, val);
		at += need;
		serve();
	}
	disk_check(&disk);
	return 0;
}
