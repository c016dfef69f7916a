// SPDX-License-Identifier: MIT
/*
 * libFuzzer: a driver of a virtio-blk disk that lays whatever the input says over its ring and its
 * buffers, and kicks. Byte 0 chooses the features; then records: where (2 bytes), how long (1 byte),
 * and so many bytes to paste there, or, with length 0, a width and a value (1 + 4 bytes) to write
 * into that register. The device serves after each.
 */
#include <linux/virtio_pci.h>
#include <string.h>

#include "tests/fuzz/disk.h"
#include "tests/unit/drv_ring.h"
#include "vmm/devices/virtio_blk/blk_pci.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RING	   0x1000 /* and the buffers behind it: what the input can reach */
#define REACH	   0x2000
#define BAR	   4
#define NOTIFY	   0x3000

static struct fuzz_disk disk;

static void wr(unsigned off, unsigned len, uint64_t val)
{
	fake_write(disk.dev, BAR, off, len, val);
}

static uint64_t features_of(uint8_t b)
{
	static const uint64_t bits[] = {F_PACKED,
					F_INDIRECT,
					F_EVENT_IDX,
					F_IN_ORDER,
					1ull << VIRTIO_BLK_F_FLUSH,
					1ull << VIRTIO_BLK_F_CONFIG_WCE,
					1ull << VIRTIO_F_RING_RESET};
	uint64_t f = 1ull << VIRTIO_F_VERSION_1;

	for (unsigned i = 0; i < ARRAY_SIZE(bits); i++)
		f |= b >> i & 1 ? bits[i] : 0;
	return f;
}

static void bring_up(uint64_t features)
{
	static const uint64_t at[] = {RING, RING + 0x400, RING + 0x800};

	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	for (unsigned i = 0; i < 2; i++) {
		wr(VIRTIO_PCI_COMMON_GFSELECT, 4, i);
		wr(VIRTIO_PCI_COMMON_GF, 4, (uint32_t)(features >> 32 * i));
	}
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0xb);
	wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
	for (unsigned i = 0; i < 3; i++)
		wr(VIRTIO_PCI_COMMON_Q_DESCLO + 8 * i, 4, at[i]);
	wr(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0xf);
}

static void serve(void)
{
	struct vblk_pci *d = disk.dev->priv;

	wr(NOTIFY, 2, 0);
	disk_serve(d->blk.q[0].thread);
}

static void write_register(unsigned off, const uint8_t *data)
{
	uint32_t val;

	memcpy(&val, data + 1, 4);
	wr(off & 0x3fff, 1u << (data[0] & 3), val);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	disk_set_up(&disk, &virtio_blk_ops, ",ring=packed,in_order=on,size=16");
	memset(gmem_ptr(vm_gmem(disk.vm), RING, REACH), 0, REACH);
	if (size)
		bring_up(features_of(data[0]));
	for (size_t at = 1; at + 3 <= size;) {
		unsigned where = (unsigned)(data[at] | data[at + 1] << 8), len = data[at + 2];
		size_t need = len ? len : 5;

		at += 3;
		if (at + need > size)
			break;
		if (len)
			gmem_write(vm_gmem(disk.vm), RING + where % (REACH - 256), data + at, len);
		else
			write_register(where, data + at);
		at += need;
		serve();
	}
	disk_check(&disk);
	return 0;
}
