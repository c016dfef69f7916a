// SPDX-License-Identifier: MIT
/*
 * libFuzzer: a driver of a virtio-blk disk that lays whatever the input says over its ring and its
 * buffers, and kicks. Byte 0 chooses the features; then records: where (2 bytes), how long (1 byte),
 * and so many bytes to paste there, or, with length 0, a width and a value (1 + 4 bytes) to write
 * into that register. The device serves after each.
 */
#include <fcntl.h>
#include <linux/virtio_pci.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/unit/drv_ring.h"
#include "tests/unit/fake.h"
#include "vmm/devices.h"
#include "vmm/devices/virtio_blk/blk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RAM	   (1 * MIB)
#define DISK_BYTES (256 * KIB)
#define SIZE	   16
#define RING	   0x1000 /* and the buffers behind it: what the input can reach */
#define REACH	   0x2000
#define BAR	   4
#define NOTIFY	   0x3000

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
	snprintf(opts, sizeof(opts),
		 "file=/proc/self/fd/%d,direct=off,engine=sync,ring=packed,in_order=on,size=%d,poll_us=0",
		 medium, SIZE);
	vm = fake_vm_create(RAM);
	dev = vm ? fake_attach(vm, &virtio_blk_ops, opts) : NULL;
	if (!dev)
		abort();
}

static void wr(unsigned off, unsigned len, uint64_t val)
{
	fake_write(dev, BAR, off, len, val);
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

static void nothing(void *arg)
{
	(void)arg;
}

/* Two turns of the thread: what was there before is served. */
static void serve(void)
{
	struct vblk *b = dev->priv;

	wr(NOTIFY, 2, 0);
	io_thread_call(b->q[0].thread, nothing, NULL);
	io_thread_call(b->q[0].thread, nothing, NULL);
}

static void write_register(unsigned off, const uint8_t *data)
{
	uint32_t val;

	memcpy(&val, data + 1, 4);
	wr(off & 0x3fff, 1u << (data[0] & 3), val);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stat st;

	set_up();
	memset(gmem_ptr(vm_gmem(vm), RING, REACH), 0, REACH);
	if (size)
		bring_up(features_of(data[0]));
	for (size_t at = 1; at + 3 <= size;) {
		unsigned where = (unsigned)(data[at] | data[at + 1] << 8), len = data[at + 2];
		size_t need = len ? len : 5;

		at += 3;
		if (at + need > size)
			break;
		if (len)
			gmem_write(vm_gmem(vm), RING + where % (REACH - 256), data + at, len);
		else
			write_register(where, data + at);
		at += need;
		serve();
	}
	/* Whatever was asked for, nothing went outside of the medium. */
	if (fstat(medium, &st) < 0 || st.st_size != DISK_BYTES)
		abort();
	return 0;
}
