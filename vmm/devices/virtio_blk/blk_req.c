// SPDX-License-Identifier: MIT
/* One request of virtio-blk (virtio 1.3, 5.2.6): what it asks for, and what is answered. */
#include <errno.h>
#include <string.h>

#include "vmm/devices/virtio_blk/blk.h"
#include "vmm/virtq/iov.h"

#define SECTOR 512u

static void zero(struct iovec *iov, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		memset(iov[i].iov_base, 0, iov[i].iov_len);
}

/* Leave the header out of what is read and the status byte out of what is written. */
static int split_chain(struct vblk_req *req, struct virtio_blk_outhdr *hdr)
{
	struct virtq_chain *c = &req->c;
	size_t skip = sizeof(*hdr);
	struct iovec *last;

	if (c->out_len < sizeof(*hdr) || !c->n_in)
		return -EBADMSG;
	iov_gather(c->iov, c->n_out, 0, hdr, sizeof(*hdr));
	req->out = c->iov;
	req->n_out = c->n_out;
	while (req->n_out && skip >= req->out->iov_len) {
		skip -= req->out->iov_len;
		req->out++;
		req->n_out--;
	}
	if (req->n_out) {
		req->out->iov_base = (char *)req->out->iov_base + skip;
		req->out->iov_len -= skip;
	}
	req->in = c->iov + c->n_out;
	last = &req->in[c->n_in - 1];
	req->status = (uint8_t *)last->iov_base + --last->iov_len;
	req->n_in = c->n_in - !last->iov_len;
	return 0;
}

static uint8_t status_of(int err)
{
	if (!err)
		return VIRTIO_BLK_S_OK;
	return err == -EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_IOERR;
}

/* The used length counts all that the driver gave us to write: what was not read is zero. */
static void on_moved(struct disk_req *io, int err)
{
	struct vblk_req *req = (struct vblk_req *)io;

	if (err && io->op == DISK_READ)
		zero(io->iov, io->n_iov);
	vblk_req_end(req, status_of(err));
}

static bool durable(const struct vblk_req *req)
{
	return __atomic_load_n(&req->q->blk->through, __ATOMIC_RELAXED);
}

/* In bytes; what does not fit is far behind every medium's end. */
static uint64_t bytes_of(uint64_t sectors)
{
	return sectors > UINT64_MAX / SECTOR ? UINT64_MAX : sectors * SECTOR;
}

static void begin_move(struct vblk_req *req, enum disk_op op, uint64_t sector)
{
	req->io = (struct disk_req){.op = op, .at = bytes_of(sector), .done = on_moved};
	if (op == DISK_READ) {
		req->io.iov = req->in;
		req->io.n_iov = req->n_in;
		req->bytes = req->c.in_len - 1; /* without the status */
	} else {
		req->io.durable = durable(req);
		req->io.iov = req->out;
		req->io.n_iov = req->n_out;
		req->bytes = req->c.out_len - sizeof(struct virtio_blk_outhdr);
	}
	req->io.len = req->bytes;
	if (req->bytes)
		disk_submit(req->q->disk, &req->io);
	else
		vblk_req_end(req, VIRTIO_BLK_S_OK);
}

static void begin_flush(struct vblk_req *req)
{
	stats_count(&req->q->stats->flushes, 1);
	req->io = (struct disk_req){.op = DISK_FLUSH, .done = on_moved};
	disk_submit(req->q->disk, &req->io);
}

static void begin_id(struct vblk_req *req)
{
	char id[VIRTIO_BLK_ID_BYTES] = {0};
	const char *serial = disk_info(req->q->blk->disk)->serial;

	/* No zero at the end when it fills the field (5.2.6). */
	memcpy(id, serial, MIN(strlen(serial), sizeof(id)));
	iov_scatter(req->in, req->n_in, 0, id, sizeof(id));
	vblk_req_end(req, VIRTIO_BLK_S_OK);
}

/* ---- discard and zeroes: one range after the other ---- */

/* 0 and the request filled in, or what is wrong with the range (5.2.6.2). */
static int range_fetch(struct vblk_req *req)
{
	struct virtio_blk_discard_write_zeroes range;
	uint32_t flags, known = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	uint64_t max = VBLK_ZERO_MAX;

	if (req->io.op == DISK_DISCARD) {
		known = 0;
		max = VBLK_RANGE_MAX;
	}
	iov_gather(req->out, req->n_out, req->range * sizeof(range), &range, sizeof(range));
	flags = range.flags;
	req->io.at = bytes_of(range.sector);
	req->io.len = bytes_of(range.num_sectors);
	req->io.may_unmap = flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	if (flags & ~known)
		return -EOPNOTSUPP;
	return req->io.len > max ? -EINVAL : 0;
}

static void range_begin(struct vblk_req *req)
{
	int err = range_fetch(req);

	if (err)
		vblk_req_end(req, status_of(err));
	else
		disk_submit(req->q->disk, &req->io);
}

static void on_range(struct disk_req *io, int err)
{
	struct vblk_req *req = (struct vblk_req *)io;

	if (!err)
		req->bytes += io->len;
	if (err || ++req->range == req->n_ranges || !req->q->running)
		vblk_req_end(req, status_of(err));
	else
		range_begin(req);
}

static void begin_ranges(struct vblk_req *req, enum disk_op op)
{
	size_t size = sizeof(struct virtio_blk_discard_write_zeroes);
	size_t len = req->c.out_len - sizeof(struct virtio_blk_outhdr);

	if (!len || len % size || len / size > VBLK_RANGES_MAX) {
		vblk_req_end(req, VIRTIO_BLK_S_IOERR);
		return;
	}
	req->range = 0;
	req->n_ranges = (unsigned)(len / size);
	req->io = (struct disk_req){.op = op, .durable = durable(req), .done = on_range};
	range_begin(req);
}

int vblk_req_begin(struct vblk_req *req)
{
	struct virtio_blk_outhdr hdr;

	if (split_chain(req, &hdr))
		return -EBADMSG;
	req->bytes = 0;
	if (hdr.type != VIRTIO_BLK_T_IN)
		zero(req->in, req->n_in);
	switch (hdr.type) {
	case VIRTIO_BLK_T_IN:
		begin_move(req, DISK_READ, hdr.sector);
		break;
	case VIRTIO_BLK_T_OUT:
		begin_move(req, DISK_WRITE, hdr.sector);
		break;
	case VIRTIO_BLK_T_FLUSH:
		begin_flush(req);
		break;
	case VIRTIO_BLK_T_GET_ID:
		begin_id(req);
		break;
	case VIRTIO_BLK_T_DISCARD:
		begin_ranges(req, DISK_DISCARD);
		break;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		begin_ranges(req, DISK_ZERO);
		break;
	default:
		vblk_req_end(req, VIRTIO_BLK_S_UNSUPP);
	}
	return 0;
}
