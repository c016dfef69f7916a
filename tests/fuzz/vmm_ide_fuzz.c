// SPDX-License-Identifier: MIT
/*
 * libFuzzer: a driver of the IDE function that writes and reads whatever the input says, over a table of
 * DMA that the input lays out. Records: a byte of what (0 to 8: a port of the channel or its control,
 * written; 9: bus master command, 10: its status, 11: its table, 12: paste to the table, 13: many words of
 * data read, 14: written), then four bytes of value. What can be posted is, until something reads; after
 * records of 128 and more nothing does.
 */
#include <string.h>

#include "tests/fuzz/disk.h"
#include "vmm/devices/ide/ide.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TABLE	   0x10000
#define PORTS	   0x1f0
#define CONTROL	   0x3f6

static struct fuzz_disk disk;

static void serve(void)
{
	struct ide *d = disk.dev->priv;

	disk_serve(d->thread);
}

static void many_words(bool write, uint32_t val)
{
	for (unsigned i = 0; i < 1 + val % 4096; i++) {
		if (write)
			fake_out(disk.vm, PORTS, 2, val + i);
		else
			fake_in(disk.vm, PORTS, 1u << val % 3);
	}
}

static void one_record(uint8_t what, uint32_t val)
{
	static const uint8_t bm[] = {0, 2, 4};

	what %= 15;
	if (what < 8)
		fake_out(disk.vm, PORTS + what, what ? 1 : 2, val);
	else if (what == 8)
		fake_out(disk.vm, CONTROL, 1, val);
	else if (what < 12)
		fake_out(disk.vm, disk.dev->bar[4].base + bm[what - 9], what == 11 ? 4 : 1,
			 what == 11 ? TABLE + val % 256 : val);
	else if (what == 12)
		gmem_write(vm_gmem(disk.vm), TABLE + 4 * (val >> 24), &val, 4);
	else
		many_words(what == 14, val);
	serve();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	disk_set_up(&disk, &ide_ops, "");
	fake_out(disk.vm, CONTROL, 1, ATA_SRST);
	fake_out(disk.vm, CONTROL, 1, 0);
	memset(gmem_ptr(vm_gmem(disk.vm), TABLE, 4096), 0, 4096);
	for (size_t at = 0; at + 5 <= size; at += 5) {
		uint32_t val;

		memcpy(&val, data + at + 1, sizeof(val));
		one_record(data[at] & 127, val);
		if (data[at] < 128)
			fake_in(disk.vm, PORTS + (val & 7), val & 7 ? 1 : 2);
	}
	disk_check(&disk);
	return 0;
}
