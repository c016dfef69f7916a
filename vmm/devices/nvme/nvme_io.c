// SPDX-License-Identifier: MIT
/* One command of the namespace (NVMe 1.4, 6): where its data lies, and what it does. */
#include <errno.h>
#include <string.h>

#include "vmm/devices/nvme/nvme.h"

enum { OP_FLUSH = 0, OP_WRITE = 1, OP_READ = 2, OP_ZEROES = 8, OP_DATASET = 9 };

#define FUA	    (1u << 30)
#define DEALLOCATE  (1u << 25) /* of write zeroes */
#define AD	    (1u << 2)  /* of dataset management */
#define LIST_ENTRIES (NVME_PAGE / 8)

struct range {
	uint32_t attributes, blocks;
	uint64_t lba;
};

static uint16_t status_of(const struct disk_req *io, int err)
{
	switch (err) {
	case 0:
		return NVME_OK;
	case -ERANGE:
		return NVME_LBA_RANGE;
	case -EROFS:
		return NVME_READ_ONLY;
	case -ENOSPC:
	case -EFBIG:
		return NVME_CAPACITY;
	case -EINVAL:
		return NVME_INVALID_FIELD;
	case -EOPNOTSUPP:
		return NVME_INVALID_OPCODE;
	}
	return io->op == DISK_READ ? NVME_READ_ERROR : NVME_WRITE_FAULT;
}

static void on_done(struct disk_req *io, int err)
{
	nvme_req_end((struct nvme_req *)io, status_of(io, err));
}

/* Pages that follow one another become one segment. */
static uint16_t add_segment(struct nvme_req *req, gpa_t gpa, uint64_t len)
{
	void *p = gmem_ptr(req->sq->n->pci->gm, gpa, len);
	struct iovec *last = req->io.n_iov ? &req->iov[req->io.n_iov - 1] : NULL;

	if (!p)
		return NVME_DATA_ERROR;
	if (last && (char *)last->iov_base + last->iov_len == p) {
		last->iov_len += len;
		return NVME_OK;
	}
	if (req->io.n_iov == NVME_SEGS)
		return NVME_INVALID_FIELD;
	req->iov[req->io.n_iov++] = (struct iovec){p, len};
	return NVME_OK;
}

/*
 * A list of page addresses; the last entry of a list that does not suffice points to the next one
 * (4.3). Each takes bytes off, so that a list that points to itself ends with the data.
 */
static uint16_t add_list(struct nvme_req *req, gpa_t list, uint64_t len)
{
	while (len) {
		uint64_t entry = 0, left = (NVME_PAGE - list % NVME_PAGE) / 8;
		uint16_t status = NVME_OK;

		if (list % 8)
			return NVME_BAD_PRP_OFFSET;
		for (; left && len && !status; left--, list += 8) {
			uint64_t part = MIN(len, NVME_PAGE);

			if (gmem_read(req->sq->n->pci->gm, list, &entry, 8))
				return NVME_DATA_ERROR;
			if (left == 1 && len > NVME_PAGE)
				break;
			if (entry % NVME_PAGE)
				return NVME_BAD_PRP_OFFSET;
			status = add_segment(req, entry, part);
			len -= part;
		}
		if (status)
			return status;
		if (len && entry == list)
			return NVME_DATA_ERROR; /* a list of one entry that is itself */
		list = entry;
	}
	return NVME_OK;
}

/* 4.3: the first page may begin anywhere; PRP2 is the second, or a list where there are more. */
static uint16_t map_data(struct nvme_req *req, const struct nvme_cmd *cmd, uint64_t len)
{
	uint64_t first = MIN(len, NVME_PAGE - cmd->prp1 % NVME_PAGE);
	uint16_t status;

	if (cmd->flags >> 6)
		return NVME_INVALID_FIELD; /* SGLs are not offered */
	if (cmd->prp1 % 4)
		return NVME_BAD_PRP_OFFSET;
	status = add_segment(req, cmd->prp1, first);
	len -= first;
	if (status || !len)
		return status;
	if (len > NVME_PAGE)
		return add_list(req, cmd->prp2, len);
	if (cmd->prp2 % NVME_PAGE)
		return NVME_BAD_PRP_OFFSET;
	return add_segment(req, cmd->prp2, len);
}

static uint64_t bytes_of(const struct nvme *n, uint64_t blocks)
{
	uint32_t block = disk_info(n->disk)->block;

	return blocks > UINT64_MAX / block ? UINT64_MAX : blocks * block;
}

static uint64_t slba(const struct nvme_cmd *cmd)
{
	return cmd->cdw10 | (uint64_t)cmd->cdw11 << 32;
}

static uint16_t begin_move(struct nvme_req *req, const struct nvme_cmd *cmd, enum disk_op op)
{
	struct nvme *n = req->sq->n;
	uint64_t len = bytes_of(n, (cmd->cdw12 & 0xffff) + 1ull);
	uint16_t status;

	if (len > NVME_DATA_MAX)
		return NVME_INVALID_FIELD;
	req->io = (struct disk_req){
		.op = op, .at = bytes_of(n, slba(cmd)), .len = len, .iov = req->iov, .done = on_done};
	req->io.durable = op == DISK_WRITE && (cmd->cdw12 & FUA || !disk_info(n->disk)->write_back);
	status = map_data(req, cmd, len);
	if (status)
		return status;
	stats_count(&req->sq->stats->bytes, len);
	disk_submit(n->queue, &req->io);
	return NVME_PENDING;
}

static uint16_t begin_plain(struct nvme_req *req, const struct nvme_cmd *cmd, enum disk_op op)
{
	struct nvme *n = req->sq->n;

	req->io = (struct disk_req){.op = op, .done = on_done};
	if (op == DISK_FLUSH) {
		stats_count(&req->sq->stats->flushes, 1);
	} else {
		req->io.at = bytes_of(n, slba(cmd));
		req->io.len = bytes_of(n, (cmd->cdw12 & 0xffff) + 1ull);
		req->io.may_unmap = cmd->cdw12 & DEALLOCATE;
		req->io.durable = cmd->cdw12 & FUA || !disk_info(n->disk)->write_back;
	}
	disk_submit(n->queue, &req->io);
	return NVME_PENDING;
}

/* ---- dataset management: one range after the other ---- */

static void on_range(struct disk_req *io, int err);

static void begin_range(struct nvme_req *req)
{
	struct nvme *n = req->sq->n;
	struct range r;

	memcpy(&r, req->ranges + req->range * sizeof(r), sizeof(r));
	req->io = (struct disk_req){.op = DISK_DISCARD,
				    .at = bytes_of(n, r.lba),
				    .len = bytes_of(n, r.blocks),
				    .done = on_range};
	disk_submit(n->queue, &req->io);
}

static void on_range(struct disk_req *io, int err)
{
	struct nvme_req *req = (struct nvme_req *)io;

	/* A range of nothing is none. */
	if (err == -EINVAL && !io->len)
		err = 0;
	if (err || ++req->range == req->n_ranges || !req->sq->n->running)
		nvme_req_end(req, status_of(io, err));
	else
		begin_range(req);
}

static uint16_t begin_dataset(struct nvme_req *req, const struct nvme_cmd *cmd)
{
	uint64_t at = 0;
	uint16_t status;

	if (!disk_info(req->sq->n->disk)->discard)
		return NVME_INVALID_OPCODE; /* not offered */
	if (!(cmd->cdw11 & AD))
		return NVME_OK;
	req->range = 0;
	req->n_ranges = (cmd->cdw10 & 0xff) + 1;
	req->io.n_iov = 0;
	status = map_data(req, cmd, req->n_ranges * sizeof(struct range));
	if (status)
		return status;
	/* The one copy: a driver that changes its list meanwhile changes nothing. */
	for (unsigned i = 0; i < req->io.n_iov; at += req->iov[i++].iov_len)
		memcpy(req->ranges + at, req->iov[i].iov_base, req->iov[i].iov_len);
	begin_range(req);
	return NVME_PENDING;
}

uint16_t nvme_io(struct nvme_req *req, const struct nvme_cmd *cmd)
{
	if (cmd->nsid != 1 && !(cmd->opcode == OP_FLUSH && cmd->nsid == UINT32_MAX))
		return NVME_INVALID_NS;
	switch (cmd->opcode) {
	case OP_READ:
		return begin_move(req, cmd, DISK_READ);
	case OP_WRITE:
		return begin_move(req, cmd, DISK_WRITE);
	case OP_FLUSH:
		return begin_plain(req, cmd, DISK_FLUSH);
	case OP_ZEROES:
		return begin_plain(req, cmd, DISK_ZERO);
	case OP_DATASET:
		return begin_dataset(req, cmd);
	}
	return NVME_INVALID_OPCODE;
}
