/* SPDX-License-Identifier: MIT */
/*
 * An NVM Express controller (NVMe 1.4) with one namespace on a disk.
 *
 *      nvme.c        registers, doorbells, life of the controller
 *      nvme_admin.c  admin commands
 *      nvme_io.c     one command of the namespace: its data pointer, what it does
 *      nvme_queue.c  submission and completion queues, and the thread that serves them all
 *
 * A doorbell is a register write that says how far a queue has come; the thread takes the commands.
 * With shadow doorbells (5.7) the driver writes that to memory and rings only when the thread,
 * about to sleep, has asked for it.
 *
 * Guest memory is reached through gmem alone; each command and each list entry is fetched once.
 */
#ifndef VMM_DEVICES_NVME_NVME_H
#define VMM_DEVICES_NVME_NVME_H

#include "vmm/block/disk.h"
#include "vmm/block/io_thread.h"
#include "vmm/pci/pci.h"

#define NVME_PAIRS    9	  /* the admin queue and eight more */
#define NVME_ENTRIES  256 /* of a queue, at most */
#define NVME_PAGE     4096u
#define NVME_MDTS     8 /* a command moves up to 2^8 pages: 1 MiB */
#define NVME_DATA_MAX ((uint64_t)NVME_PAGE << NVME_MDTS)
#define NVME_SEGS     ((1u << NVME_MDTS) + 1)
#define NVME_EVENTS   4 /* asynchronous event requests that are held */

struct nvme;
struct nvme_sq;

/*
 * Status of a completion: type in bits 8 to 10, code below (4.6.1); DNR where a retry cannot help.
 */
enum {
	NVME_OK = 0,
	NVME_INVALID_OPCODE = 0x4001,
	NVME_INVALID_FIELD = 0x4002,
	NVME_DATA_ERROR = 0x4,
	NVME_INTERNAL = 0x6,
	NVME_ABORTED_SQ = 0x8,
	NVME_INVALID_NS = 0x400b,
	NVME_BAD_PRP_OFFSET = 0x4013,
	NVME_LBA_RANGE = 0x4080,
	NVME_CAPACITY = 0x4081,
	NVME_CQ_INVALID = 0x4100,
	NVME_QID_INVALID = 0x4101,
	NVME_QSIZE_INVALID = 0x4102,
	NVME_EVENT_LIMIT = 0x4105,
	NVME_VECTOR_INVALID = 0x4108,
	NVME_QUEUE_DELETION = 0x410c,
	NVME_WRITE_FAULT = 0x280,
	NVME_READ_ERROR = 0x281,
	NVME_READ_ONLY = 0x4182,
	NVME_PENDING = 0xffff, /* not a status: the command goes on */
};

struct nvme_cmd {
	uint8_t opcode, flags;
	uint16_t cid;
	uint32_t nsid, cdw2, cdw3;
	uint64_t mptr, prp1, prp2;
	uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};

struct nvme_cqe {
	uint32_t result, unused;
	uint16_t sq_head, sq_id, cid, status;
};

struct nvme_req {
	struct disk_req io; /* first */
	struct nvme_sq *sq;
	struct nvme_req *next; /* free */
	uint16_t cid;
	unsigned range, n_ranges; /* of dataset management */
	uint8_t ranges[4096];
	struct iovec iov[NVME_SEGS];
};

struct nvme_cq {
	bool on;
	gpa_t base;
	uint16_t size, tail, head; /* head: as the driver last said */
	bool phase, irq, fresh;	   /* fresh: entries since the last interrupt */
	uint16_t vector;
	uint16_t n_sqs;
	uint16_t in_flight; /* commands whose completions will come here */
};

struct nvme_sq {
	struct nvme *n;
	uint16_t id, cq;
	bool on;
	gpa_t base;
	uint16_t size, head, tail;
	uint16_t in_flight;
	struct stats_queue *stats;
	char name[16];
};

struct nvme {
	struct pci_dev *pci;
	struct disk *disk;
	struct disk_queue *queue;
	struct io_thread *thread;
	int kick_fd;
	unsigned pairs; /* of I/O queues */
	bool shadow_knob;
	/* Registers, written by vCPUs under the device's lock. */
	uint32_t cc, csts, aqa, intms;
	uint64_t asq, acq;
	uint32_t bell[2 * NVME_PAIRS]; /* atomic: as last written */
	/* The thread's. */
	bool running;
	struct nvme_cq cq[NVME_PAIRS];
	struct nvme_sq sq[NVME_PAIRS];
	gpa_t shadow, event; /* 0: none */
	uint16_t held[NVME_EVENTS];
	unsigned n_held;
	struct nvme_req *reqs, *free;
};

/* nvme_queue.c */
bool nvme_serve(void *arg);
bool nvme_arm(void *arg);
void nvme_complete(struct nvme_sq *sq, uint16_t cid, uint16_t status, uint32_t result);
void nvme_req_end(struct nvme_req *req, uint16_t status);

/* nvme_admin.c, nvme_io.c: status, or NVME_PENDING when nvme_req_end will come (I/O) or is held. */
uint16_t nvme_admin(struct nvme *n, const struct nvme_cmd *cmd, uint32_t *result);
uint16_t nvme_io(struct nvme_req *req, const struct nvme_cmd *cmd);

#endif
