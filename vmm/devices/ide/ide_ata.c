// SPDX-License-Identifier: MIT
/* The commands of an ATA disk (ATA/ATAPI-7, volume 1): what each wants, and how PIO goes on. */
#include <string.h>

#include "vmm/devices/ide/ide.h"

enum {
	CMD_RECALIBRATE = 0x10,
	CMD_READ = 0x20,
	CMD_READ_EXT = 0x24,
	CMD_READ_DMA_EXT = 0x25,
	CMD_NATIVE_MAX_EXT = 0x27,
	CMD_READ_MULTIPLE_EXT = 0x29,
	CMD_WRITE = 0x30,
	CMD_WRITE_EXT = 0x34,
	CMD_WRITE_DMA_EXT = 0x35,
	CMD_WRITE_MULTIPLE_EXT = 0x39,
	CMD_VERIFY = 0x40,
	CMD_VERIFY_EXT = 0x42,
	CMD_DIAGNOSTIC = 0x90,
	CMD_SET_PARAMETERS = 0x91,
	CMD_READ_MULTIPLE = 0xc4,
	CMD_WRITE_MULTIPLE = 0xc5,
	CMD_SET_MULTIPLE = 0xc6,
	CMD_READ_DMA = 0xc8,
	CMD_WRITE_DMA = 0xca,
	CMD_STANDBY_NOW = 0xe0,
	CMD_IDLE_NOW = 0xe1,
	CMD_CHECK_POWER = 0xe5,
	CMD_FLUSH = 0xe7,
	CMD_FLUSH_EXT = 0xea,
	CMD_IDENTIFY = 0xec,
	CMD_SET_FEATURES = 0xef,
	CMD_NATIVE_MAX = 0xf8,
};

#define LBA_MODE 0x40 /* of the device register */
#define LBA28	 (1u << 28)

static uint64_t disk_sectors(const struct ide *d)
{
	return disk_info(d->disk)->size / ATA_SECTOR;
}

void ata_reset(struct ide *d)
{
	d->phase = ATA_IDLE;
	d->wanted = false;
	d->feature = d->device = 0;
	memset(d->lba, 0, sizeof(d->lba));
	d->count[0] = d->lba[0][0] = 1; /* the signature of a disk (9.12) */
	d->count[1] = 0;
	d->status = ATA_DRDY | ATA_DSC;
	d->error = 1; /* no fault found */
	d->write_cache = disk_info(d->disk)->write_back;
	d->multiple = ATA_MULTIPLE; /* as firmware sets it: Linux takes what it finds (word 59) */
	ide_irq(d, false);
}

void ata_end(struct ide *d, uint8_t error)
{
	d->phase = ATA_IDLE;
	d->error = error;
	d->status = (uint8_t)(ATA_DRDY | ATA_DSC | (error ? ATA_ERR : 0));
	ide_irq(d, true);
}

void ata_name_sector(struct ide *d, uint64_t sector, bool ext)
{
	for (unsigned i = 0; i < 3; i++) {
		d->lba[i][0] = (uint8_t)(sector >> 8 * i);
		d->lba[i][1] = (uint8_t)(sector >> (24 + 8 * i));
	}
	if (!ext)
		d->device = (uint8_t)((d->device & 0xf0) | (sector >> 24 & 15));
}

/* ---- what a command says of its data ---- */

static void take_lba28(struct ide *d)
{
	d->sector = d->lba[0][0] | (uint32_t)d->lba[1][0] << 8 | (uint32_t)d->lba[2][0] << 16 |
		    (uint32_t)(d->device & 15) << 24;
	d->left = d->count[0] ? d->count[0] : 256;
}

static void take_lba48(struct ide *d)
{
	d->sector = 0;
	for (unsigned i = 0; i < 3; i++)
		d->sector |= (uint64_t)d->lba[i][0] << 8 * i | (uint64_t)d->lba[i][1] << (24 + 8 * i);
	d->left = d->count[0] | (uint32_t)d->count[1] << 8;
	if (!d->left)
		d->left = 65536;
}

/* False: it has ended with an error. */
static bool range_taken(struct ide *d, bool ext)
{
	d->ext = ext;
	if (ext)
		take_lba48(d);
	else
		take_lba28(d);
	if (d->device & LBA_MODE && range_ok(d->sector, d->left, disk_sectors(d)))
		return true;
	ata_end(d, ATA_IDNF);
	return false;
}

/* One at a time is all that a disk does. */
static void count_begin(struct ide *d)
{
	stats_count(&d->stats->depth_sum, 1);
}

static void begin_move(struct ide *d, enum disk_op op, bool ext, unsigned block)
{
	if (!range_taken(d, ext))
		return;
	if (!block) { /* READ or WRITE MULTIPLE before SET MULTIPLE */
		ata_end(d, ATA_ABRT);
		return;
	}
	count_begin(d);
	d->op = op;
	d->dma = false;
	d->block = block;
	d->at = 0;
	d->len = ATA_SECTOR * MIN(block, d->left);
	if (op == DISK_READ) {
		ide_want(d);
		return;
	}
	d->phase = ATA_OUT; /* no interrupt for the first block (9.8) */
	d->status = ATA_DRDY | ATA_DSC | ATA_DRQ;
}

static void begin_dma(struct ide *d, enum disk_op op, bool ext)
{
	if (!d->dma_knob) {
		ata_end(d, ATA_ABRT);
		return;
	}
	if (!range_taken(d, ext))
		return;
	count_begin(d);
	d->op = op;
	d->dma = true;
	d->phase = ATA_WAIT_DMA;
	d->status = ATA_BSY;
	if (d->bm_status & BM_ACTIVE)
		ide_want(d);
}

static void begin_flush(struct ide *d)
{
	count_begin(d);
	d->op = DISK_FLUSH;
	d->dma = false;
	d->left = 0;
	ide_want(d);
}

void ata_dma_started(struct ide *d)
{
	if (d->phase == ATA_WAIT_DMA)
		ide_want(d);
}

/* ---- IDENTIFY DEVICE (6.17) ---- */

/* Two characters a word, the first in its upper half, padded with blanks. */
static void put_text(uint16_t *word, unsigned words, const char *text)
{
	size_t len = strlen(text);

	for (unsigned i = 0; i < 2 * words; i++) {
		uint8_t c = i < len ? (uint8_t)text[i] : ' ';

		word[i / 2] = (uint16_t)(word[i / 2] << 8 | c);
	}
}

static unsigned log2_of(uint32_t n)
{
	return (unsigned)__builtin_ctz(n);
}

static void put_sizes(const struct ide *d, uint16_t *w)
{
	uint64_t n = disk_sectors(d), small = MIN(n, (uint64_t)LBA28 - 1);
	uint32_t physical = disk_info(d->disk)->physical;

	w[1] = 16383;
	w[3] = 16;
	w[6] = 63;
	w[60] = (uint16_t)small;
	w[61] = (uint16_t)(small >> 16);
	for (unsigned i = 0; i < 4; i++)
		w[100 + i] = (uint16_t)(n >> 16 * i);
	if (physical > ATA_SECTOR && is_pow2(physical))
		w[106] = (uint16_t)(0x6000 | log2_of(physical / ATA_SECTOR));
}

static void begin_identify(struct ide *d)
{
	uint16_t w[ATA_SECTOR / 2] = {[0] = 0x40, [47] = 0x8000 | ATA_MULTIPLE, [49] = 0xa00, [53] = 2};

	put_sizes(d, w);
	put_text(w + 10, 10, disk_info(d->disk)->serial);
	put_text(w + 23, 4, "1");
	put_text(w + 27, 20, "Exitlab disk");
	if (d->multiple)
		w[59] = (uint16_t)(0x100 | d->multiple);
	if (d->dma_knob) {
		w[49] |= 0x100;
		w[63] = 0x407; /* multiword DMA modes 0 to 2, 2 is chosen */
	}
	w[64] = 3; /* PIO modes 3 and 4 */
	w[65] = w[66] = w[67] = w[68] = 120;
	w[80] = 0xf0; /* ATA-4 to ATA-7 */
	w[82] = w[85] = 0x4000;
	w[83] = w[86] = 0x7400; /* LBA48, FLUSH CACHE and EXT */
	w[84] = w[87] = 0x4000;
	if (disk_info(d->disk)->write_back)
		w[82] |= 0x20;
	if (d->write_cache)
		w[85] |= 0x20;
	memcpy(d->buf, w, sizeof(w));
	d->op = DISK_READ;
	d->left = 0;
	d->at = 0;
	d->len = ATA_SECTOR;
	d->phase = ATA_IN;
	d->status = ATA_DRDY | ATA_DSC | ATA_DRQ;
	ide_irq(d, true);
}

/* ---- commands without data ---- */

static void set_features(struct ide *d)
{
	enum {
		CACHE_ON = 2,
		TRANSFER_MODE = 3,
		LOOK_AHEAD_OFF = 0x55,
		CACHE_OFF = 0x82,
		LOOK_AHEAD_ON = 0xaa
	};

	switch (d->feature) {
	case CACHE_ON:
		d->write_cache = disk_info(d->disk)->write_back;
		break;
	case CACHE_OFF:
		d->write_cache = false;
		break;
	case TRANSFER_MODE:
	case LOOK_AHEAD_OFF:
	case LOOK_AHEAD_ON:
		break;
	default:
		ata_end(d, ATA_ABRT);
		return;
	}
	ata_end(d, 0);
}

static void set_multiple(struct ide *d)
{
	unsigned n = d->count[0];

	if (n > ATA_MULTIPLE || (n && !is_pow2(n))) {
		ata_end(d, ATA_ABRT);
		return;
	}
	d->multiple = n;
	ata_end(d, 0);
}

static void native_max(struct ide *d, bool ext)
{
	uint64_t last = disk_sectors(d) - 1;

	if (!ext)
		last = MIN(last, (uint64_t)LBA28 - 1);
	ata_name_sector(d, last, ext);
	ata_end(d, 0);
}

static void verify(struct ide *d, bool ext)
{
	if (range_taken(d, ext))
		ata_end(d, 0);
}

static void without_data(struct ide *d, uint8_t command)
{
	switch (command) {
	case CMD_RECALIBRATE:
	case CMD_SET_PARAMETERS:
	case CMD_STANDBY_NOW:
	case CMD_IDLE_NOW:
		ata_end(d, 0);
		return;
	case CMD_VERIFY:
	case CMD_VERIFY_EXT:
		verify(d, command == CMD_VERIFY_EXT);
		return;
	case CMD_NATIVE_MAX:
	case CMD_NATIVE_MAX_EXT:
		native_max(d, command == CMD_NATIVE_MAX_EXT);
		return;
	case CMD_DIAGNOSTIC:
		ata_reset(d);
		ide_irq(d, true);
		return;
	case CMD_SET_MULTIPLE:
		set_multiple(d);
		return;
	case CMD_CHECK_POWER:
		d->count[0] = 0xff; /* active */
		ata_end(d, 0);
		return;
	case CMD_SET_FEATURES:
		set_features(d);
		return;
	}
	ata_end(d, ATA_ABRT);
}

void ata_command(struct ide *d, uint8_t command)
{
	ide_irq(d, false);
	d->error = 0;
	switch (command) {
	case CMD_READ:
	case CMD_READ + 1:
	case CMD_READ_EXT:
		begin_move(d, DISK_READ, command == CMD_READ_EXT, 1);
		break;
	case CMD_WRITE:
	case CMD_WRITE + 1:
	case CMD_WRITE_EXT:
		begin_move(d, DISK_WRITE, command == CMD_WRITE_EXT, 1);
		break;
	case CMD_READ_MULTIPLE:
	case CMD_READ_MULTIPLE_EXT:
		begin_move(d, DISK_READ, command == CMD_READ_MULTIPLE_EXT, d->multiple);
		break;
	case CMD_WRITE_MULTIPLE:
	case CMD_WRITE_MULTIPLE_EXT:
		begin_move(d, DISK_WRITE, command == CMD_WRITE_MULTIPLE_EXT, d->multiple);
		break;
	case CMD_READ_DMA:
	case CMD_READ_DMA + 1:
	case CMD_READ_DMA_EXT:
		begin_dma(d, DISK_READ, command == CMD_READ_DMA_EXT);
		break;
	case CMD_WRITE_DMA:
	case CMD_WRITE_DMA + 1:
	case CMD_WRITE_DMA_EXT:
		begin_dma(d, DISK_WRITE, command == CMD_WRITE_DMA_EXT);
		break;
	case CMD_FLUSH:
	case CMD_FLUSH_EXT:
		begin_flush(d);
		break;
	case CMD_IDENTIFY:
		begin_identify(d);
		break;
	default:
		without_data(d, command);
	}
}

/* ---- the data port ---- */

/* The guest has read or written all of the buffer. */
static void buffer_done(struct ide *d)
{
	if (d->phase == ATA_OUT || d->left) {
		ide_want(d);
		return;
	}
	d->phase = ATA_IDLE; /* the last block that is read has no interrupt of its own */
	d->status = ATA_DRDY | ATA_DSC;
}

uint32_t ata_data_read(struct ide *d, unsigned len)
{
	uint32_t val = UINT32_MAX;

	if (d->phase != ATA_IN)
		return val;
	len = MIN(len, d->len - d->at);
	memcpy(&val, d->buf + d->at, len);
	d->at += len;
	if (d->at == d->len)
		buffer_done(d);
	return val;
}

void ata_data_write(struct ide *d, unsigned len, uint32_t val)
{
	if (d->phase != ATA_OUT)
		return;
	len = MIN(len, d->len - d->at);
	memcpy(d->buf + d->at, &val, len);
	d->at += len;
	if (d->at == d->len)
		buffer_done(d);
}
