/* SPDX-License-Identifier: MIT */
/*
 * Intel's PIIX3 IDE function with one disk on its primary channel, at the ports and with the interrupt
 * that PCs always had (0x1f0, 0x3f6, IRQ 14): PIO, and bus master DMA through BAR 4.
 *
 *      ide.c       ports, bus master, life of the function
 *      ide_ata.c   the disk's commands (ATA/ATAPI-7)
 *      ide_io.c    what is done for them: blocks of PIO, DMA by its table
 *
 * A command is taken by the vCPU that writes it and carried out by the thread; the disk is busy (BSY)
 * meanwhile. Where the medium answers sooner than a thread could be woken, the vCPU carries small ones out
 * itself, and the disk is busy for nobody to see. All state is under one lock, which is not held while a
 * request is with the medium. What was posted (core/posted.h) before a command ends happens before its end.
 */
#ifndef VMM_DEVICES_IDE_IDE_H
#define VMM_DEVICES_IDE_IDE_H

#include "base/clock.h"
#include "vmm/block/disk.h"
#include "vmm/block/io_thread.h"
#include "vmm/pci/pci.h"

#define ATA_SECTOR   512u
#define ATA_MULTIPLE 16u   /* sectors of one block of PIO, at most */
#define ATA_PRDS     1024u /* pieces of one DMA transfer, at most */

/* io=auto: the vCPU does small requests while each of the last so many took no longer than this. */
#define IDE_SMALL     (16 * KIB)
#define IDE_QUICK_NS  (20 * NSEC_PER_USEC)
#define IDE_QUICK_RUN 16u

enum ide_io { IDE_AUTO, IDE_VCPU, IDE_THREAD }; /* who carries commands out */

enum { ATA_ERR = 1, ATA_DRQ = 8, ATA_DSC = 0x10, ATA_DRDY = 0x40, ATA_BSY = 0x80 }; /* status */
enum { ATA_ABRT = 4, ATA_IDNF = 0x10, ATA_UNC = 0x40 };				   /* error */
enum { ATA_NIEN = 2, ATA_SRST = 4, ATA_HOB = 0x80 };				   /* device control */
enum { BM_START = 1, BM_TO_MEMORY = 8 };					   /* bus master command */
enum { BM_ACTIVE = 1, BM_ERROR = 2, BM_IRQ = 4, BM_CAPABLE = 0x60 };		   /* bus master status */

enum ata_phase {
	ATA_IDLE,
	ATA_BUSY,     /* the thread is at it */
	ATA_WAIT_DMA, /* for the bus master to be started */
	ATA_IN,	      /* the guest reads the buffer */
	ATA_OUT,      /* the guest writes it */
};

struct ide {
	struct pci_dev *pci;
	struct disk *disk;
	struct disk_queue *queue;
	struct io_thread *thread;
	int kick_fd;
	bool dma_knob;
	bool posted;	  /* writes that nothing waits for stay in KVM */
	int io;		  /* enum ide_io */
	uint64_t bm_base; /* of those of the bus master; 0: none */
	struct stats_queue *stats;
	pthread_mutex_t lock; /* inside of the PCI device's; everything below */
	/* Registers: what was written last, and before that (LBA48 takes both). */
	uint8_t feature, count[2], lba[3][2], device, control, status, error;
	uint8_t bm_command, bm_status;
	uint32_t bm_table;
	bool irq;
	bool write_cache; /* as the driver set it */
	unsigned multiple; /* sectors of a block of READ and WRITE MULTIPLE */
	/* The command. */
	enum ata_phase phase;
	enum disk_op op;
	bool ext;	  /* its address has 48 bits */
	bool dma;
	bool wanted; /* to be begun, by whoever comes first */
	bool asked;  /* by the access that is just being answered */
	unsigned block;	  /* sectors of a block of PIO */
	uint64_t sector;
	uint32_t left;	  /* sectors */
	uint32_t under_way; /* of them, with the medium */
	unsigned at, len; /* of the buffer */
	uint8_t buf[ATA_MULTIPLE * ATA_SECTOR] __attribute__((aligned(8)));
	/* Of the request that is with the medium, if one is: then they are those of who carries it out. */
	bool at_medium;
	pthread_cond_t idle; /* it is not any more */
	struct disk_req req;
	struct iovec iov[ATA_PRDS];
	uint64_t begun_ns;
	unsigned quick; /* small requests in a row that did not take long */
	uint64_t host_requests; /* of the thread's queue, that have been counted; the thread's own */
};

/* ---- ide.c, with the lock held ---- */
void ide_irq(struct ide *d, bool raised);
/* The command is to be gone on with: what calls this ends with ide_go_on. */
void ide_want(struct ide *d);

/* ---- ide_ata.c, with the lock held ---- */
/* The registers say what a disk says after a reset. */
void ata_reset(struct ide *d);
void ata_command(struct ide *d, uint8_t command);
/* The registers name the sector, as after an error there (ATA-7, 6.2). */
void ata_name_sector(struct ide *d, uint64_t sector, bool ext);
/* The command ends: 0, or bits of the error register. */
void ata_end(struct ide *d, uint8_t error);
/* The bus master was started. */
void ata_dma_started(struct ide *d);
uint32_t ata_data_read(struct ide *d, unsigned len);
void ata_data_write(struct ide *d, unsigned len, uint32_t val);

/* ---- ide_io.c ---- */
/* With the lock held, which it gives back: what an access wants is done here, or by the thread. */
void ide_go_on(struct ide *d);
/* Nothing is wanted any more and nothing with the medium. With the lock held. */
void ide_wait_idle(struct ide *d);
/* A small request has taken so long. With the lock held. */
void ide_note_speed(struct ide *d, uint64_t ns);
bool ide_serve(void *arg);
bool ide_arm(void *arg);

#endif
