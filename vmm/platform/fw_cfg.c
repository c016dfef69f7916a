// SPDX-License-Identifier: MIT
#include "vmm/platform/fw_cfg.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define FW_CFG_PORT 0x510

enum { REG_SELECT = 0, REG_DATA = 1, REG_DMA = 4, REG_DMA_LOW = 8, REGS = 12 };

/* Keys of items. */
enum {
	KEY_SIGNATURE = 0x00,
	KEY_ID = 0x01,
	KEY_RAM_SIZE = 0x03,
	KEY_CPUS = 0x05,
	KEY_KERNEL_SIZE = 0x08,
	KEY_INITRD_SIZE = 0x0b,
	KEY_MAX_CPUS = 0x0f,
	KEY_KERNEL_DATA = 0x11,
	KEY_INITRD_DATA = 0x12,
	KEY_CMDLINE_SIZE = 0x14,
	KEY_CMDLINE_DATA = 0x15,
	KEY_FILES = 0x19,
	KEY_FIRST_FILE = 0x20,
	KEY_E820 = 0x8003,
};

enum { ID_PORTS = 1, ID_DMA = 2 };
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };

struct item {
	uint16_t key;
	const void *data;
	uint64_t size;
};

/* Big-endian. */
struct file_entry {
	uint32_t size;
	uint16_t key, reserved;
	char name[56];
};

struct files {
	uint32_t count;
	struct file_entry e820;
};

struct e820_entry {
	uint64_t addr, size;
	uint32_t type;
} __attribute__((packed));

struct e820_table {
	uint32_t count;
	struct e820_entry entry[E820_MAX];
} __attribute__((packed));

struct dma_request {
	uint32_t control, length;
	uint64_t addr;
};

#define ITEMS_MAX 16

struct fw_cfg {
	struct vm *vm;
	struct item item[ITEMS_MAX];
	size_t n_items;
	uint32_t id, kernel_size, initrd_size, cmdline_size;
	uint64_t ram_size;
	uint16_t cpus;
	struct files files;
	struct e820_table e820;

	pthread_mutex_t lock; /* what follows, which any vCPU may write */
	const struct item *selected; /* NULL: an item that is not there */
	uint64_t at;
	uint32_t dma_high;
};

static const struct item *item_find(const struct fw_cfg *f, uint16_t key)
{
	for (size_t i = 0; i < f->n_items; i++)
		if (f->item[i].key == key)
			return &f->item[i];
	return NULL;
}

static uint64_t item_left(const struct fw_cfg *f)
{
	return f->selected ? f->selected->size - f->at : 0;
}

static void item_select(struct fw_cfg *f, uint16_t key)
{
	f->selected = item_find(f, key);
	f->at = 0;
}

static const uint8_t *item_take(struct fw_cfg *f, uint64_t n)
{
	const uint8_t *p = (const uint8_t *)f->selected->data + f->at;

	f->at += n;
	return p;
}

/* ---- DMA ---- */

/* Behind the item's end come zeros. */
static int dma_read(struct fw_cfg *f, gpa_t to, uint32_t len)
{
	uint64_t n = MIN(len, item_left(f));
	uint8_t *p = gmem_ptr(f->vm->gm, to, len);

	if (!len)
		return 0;
	if (!p)
		return -EFAULT;
	if (n)
		memcpy(p, item_take(f, n), n);
	memset(p + n, 0, len - n);
	return 0;
}

static void dma_skip(struct fw_cfg *f, uint32_t len)
{
	uint64_t n = MIN(len, item_left(f));

	if (n)
		item_take(f, n);
}

static void dma_serve(struct fw_cfg *f, gpa_t at)
{
	struct dma_request r;
	uint32_t control, done = 0;

	if (gmem_read(f->vm->gm, at, &r, sizeof(r)))
		return;
	control = be32toh(r.control);
	if (control & DMA_SELECT)
		item_select(f, (uint16_t)(control >> 16));
	if (control & DMA_READ) {
		if (dma_read(f, be64toh(r.addr), be32toh(r.length)))
			done = DMA_ERROR;
	} else if (control & DMA_WRITE) {
		done = DMA_ERROR;
	} else if (control & DMA_SKIP) {
		dma_skip(f, be32toh(r.length));
	}
	done = htobe32(done);
	gmem_write(f->vm->gm, at, &done, sizeof(done));
}

/* ---- ports ---- */

static uint64_t read_data(struct fw_cfg *f)
{
	uint64_t v = 0;

	pthread_mutex_lock(&f->lock);
	if (item_left(f))
		v = *item_take(f, 1);
	pthread_mutex_unlock(&f->lock);
	return v;
}

static uint64_t fw_cfg_read(void *arg, uint64_t off, unsigned len)
{
	static const char signature[8] = "QEMU CFG";
	uint64_t v = 0;

	if (off == REG_DATA && len == 1)
		return read_data(arg);
	if (off < REG_DMA || off + len > REG_DMA + sizeof(signature))
		return UINT64_MAX;
	memcpy(&v, signature + (off - REG_DMA), len);
	return v;
}

static void fw_cfg_write(void *arg, uint64_t off, unsigned len, uint64_t val)
{
	struct fw_cfg *f = arg;

	pthread_mutex_lock(&f->lock);
	if (off == REG_SELECT && len == 2)
		item_select(f, (uint16_t)val);
	else if (off == REG_DMA && len == 4)
		f->dma_high = be32toh((uint32_t)val);
	else if (off == REG_DMA_LOW && len == 4)
		dma_serve(f, (uint64_t)f->dma_high << 32 | be32toh((uint32_t)val));
	pthread_mutex_unlock(&f->lock);
}

static const struct bus_ops fw_cfg_ops = {"fw_cfg", fw_cfg_read, fw_cfg_write};

/* ---- the items ---- */

static void add_item(struct fw_cfg *f, uint16_t key, const void *data, uint64_t size)
{
	BUG_ON(f->n_items == ITEMS_MAX);
	f->item[f->n_items++] = (struct item){key, data, size};
}

static void add_e820(struct fw_cfg *f)
{
	struct e820_range map[E820_MAX];
	size_t n = e820_build(f->vm->gm, map);

	f->e820.count = (uint32_t)n;
	for (size_t i = 0; i < n; i++)
		f->e820.entry[i] = (struct e820_entry){map[i].addr, map[i].size, map[i].type};
	f->files.count = htobe32(1);
	f->files.e820 = (struct file_entry){
		htobe32((uint32_t)(n * sizeof(struct e820_entry))), htobe16(KEY_FIRST_FILE), 0, "etc/e820"};
	add_item(f, KEY_E820, &f->e820, sizeof(f->e820.count) + n * sizeof(struct e820_entry));
	add_item(f, KEY_FILES, &f->files, sizeof(f->files));
	add_item(f, KEY_FIRST_FILE, f->e820.entry, n * sizeof(struct e820_entry));
}

static void add_image(struct fw_cfg *f, const struct boot_image *image)
{
	f->kernel_size = (uint32_t)image->kernel.size;
	f->initrd_size = (uint32_t)image->initrd.size;
	f->cmdline_size = (uint32_t)strlen(image->cmdline) + 1;
	add_item(f, KEY_KERNEL_SIZE, &f->kernel_size, sizeof(f->kernel_size));
	add_item(f, KEY_KERNEL_DATA, image->kernel.data, image->kernel.size);
	add_item(f, KEY_INITRD_SIZE, &f->initrd_size, sizeof(f->initrd_size));
	add_item(f, KEY_INITRD_DATA, image->initrd.data, image->initrd.size);
	add_item(f, KEY_CMDLINE_SIZE, &f->cmdline_size, sizeof(f->cmdline_size));
	add_item(f, KEY_CMDLINE_DATA, image->cmdline, f->cmdline_size);
}

static void add_machine(struct fw_cfg *f)
{
	f->id = ID_PORTS | ID_DMA;
	f->ram_size = gmem_size(f->vm->gm);
	f->cpus = (uint16_t)f->vm->n_cpus;
	add_item(f, KEY_SIGNATURE, "QEMU", 4);
	add_item(f, KEY_ID, &f->id, sizeof(f->id));
	add_item(f, KEY_RAM_SIZE, &f->ram_size, sizeof(f->ram_size));
	add_item(f, KEY_CPUS, &f->cpus, sizeof(f->cpus));
	add_item(f, KEY_MAX_CPUS, &f->cpus, sizeof(f->cpus));
}

int fw_cfg_create(struct fw_cfg **out, struct vm *vm, const struct boot_image *image)
{
	struct fw_cfg *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->vm = vm;
	pthread_mutex_init(&f->lock, NULL);
	add_machine(f);
	add_e820(f);
	if (image)
		add_image(f, image);
	fw_cfg_reset(f);
	vm_stats_region(vm, "fw_cfg", true, FW_CFG_PORT, REGS);
	*out = f;
	return vm_map(vm, true, FW_CFG_PORT, REGS, &fw_cfg_ops, f);
}

void fw_cfg_reset(struct fw_cfg *f)
{
	pthread_mutex_lock(&f->lock);
	f->dma_high = 0;
	item_select(f, KEY_SIGNATURE);
	pthread_mutex_unlock(&f->lock);
}

void fw_cfg_destroy(struct fw_cfg *f)
{
	if (!f)
		return;
	pthread_mutex_destroy(&f->lock);
	free(f);
}
