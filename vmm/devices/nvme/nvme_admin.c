// SPDX-License-Identifier: MIT
/* Admin commands (NVMe 1.4, 5), on the thread. */
#include <stdio.h>
#include <string.h>

#include "vmm/devices/nvme/nvme.h"

enum {
	DELETE_SQ = 0,
	CREATE_SQ = 1,
	GET_LOG = 2,
	DELETE_CQ = 4,
	CREATE_CQ = 5,
	IDENTIFY = 6,
	ABORT = 8,
	SET_FEATURES = 9,
	GET_FEATURES = 10,
	ASYNC_EVENT = 12,
	DOORBELL_CONFIG = 0x7c,
};
enum { FEATURE_CACHE = 6, FEATURE_QUEUES = 7 };

/* To PRP1 and what follows, at most a page in two pieces. */
static uint16_t put_data(struct nvme *n, const struct nvme_cmd *cmd, const void *data, uint32_t len)
{
	uint32_t first = MIN(len, NVME_PAGE - (uint32_t)(cmd->prp1 % NVME_PAGE));

	if (gmem_write(n->pci->gm, cmd->prp1, data, first))
		return NVME_DATA_ERROR;
	if (len > first && gmem_write(n->pci->gm, cmd->prp2, (const char *)data + first, len - first))
		return NVME_DATA_ERROR;
	return NVME_OK;
}

static void put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, 2);
}

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

static void put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, 8);
}

static void put_text(uint8_t *p, unsigned len, const char *text)
{
	memset(p, ' ', len);
	memcpy(p, text, MIN(strlen(text), len));
}

/* Figure 247: offsets are those of the specification. */
static void identify_controller(const struct nvme *n, uint8_t *p)
{
	const struct disk_info *info = disk_info(n->disk);
	uint16_t commands = 0; /* optional ones: dataset management, write zeroes */

	if (info->discard)
		commands |= 1u << 2;
	if (!info->read_only)
		commands |= 1u << 3;
	put16(p, 0x1af4);
	put16(p + 2, 0x1af4);
	put_text(p + 4, 20, info->serial);
	put_text(p + 24, 40, "Exitlab NVMe");
	put_text(p + 64, 8, "1");
	p[77] = NVME_MDTS;
	put32(p + 80, 0x10400);
	put16(p + 256, n->shadow_knob ? 1u << 8 : 0); /* doorbell buffer configuration */
	p[258] = 3;				      /* aborts at once, less one */
	p[259] = NVME_EVENTS - 1;
	p[260] = 3; /* one firmware slot, read-only */
	p[512] = 0x66;
	p[513] = 0x44;
	put32(p + 516, 1);
	put16(p + 520, commands);
	p[525] = info->write_back;
	snprintf((char *)p + 768, 256, "nqn.2014-08.org.nvmexpress:exitlab:%s", info->serial);
}

/* Figure 245 */
static void identify_namespace(const struct nvme *n, uint8_t *p)
{
	const struct disk_info *info = disk_info(n->disk);
	uint64_t blocks = info->size / info->block;

	put64(p, blocks);
	put64(p + 8, blocks);
	put64(p + 16, blocks);
	p[99] = info->read_only;
	p[130] = (uint8_t)__builtin_ctz(info->block);
}

static uint16_t identify(struct nvme *n, const struct nvme_cmd *cmd)
{
	uint8_t page[NVME_PAGE] = {0};

	switch (cmd->cdw10 & 0xff) {
	case 0:
		if (cmd->nsid != 1 && cmd->nsid != UINT32_MAX)
			return NVME_INVALID_NS;
		identify_namespace(n, page);
		break;
	case 1:
		identify_controller(n, page);
		break;
	case 2: /* active namespaces above nsid */
		if (cmd->nsid >= UINT32_MAX - 1)
			return NVME_INVALID_NS;
		put32(page, cmd->nsid == 0);
		break;
	case 3: /* descriptors: a UUID of the serial number */
		if (cmd->nsid != 1)
			return NVME_INVALID_NS;
		page[0] = 3;
		page[1] = 16;
		put_text(page + 4, 16, disk_info(n->disk)->serial);
		break;
	default:
		return NVME_INVALID_FIELD;
	}
	return put_data(n, cmd, page, sizeof(page));
}

/* Nothing has ever gone wrong: pages of zeroes. The length is the driver's. */
static uint16_t get_log(struct nvme *n, const struct nvme_cmd *cmd)
{
	static const uint8_t zeroes[NVME_PAGE];
	uint64_t len = ((cmd->cdw10 >> 16 | (uint64_t)(cmd->cdw11 & 0xffff) << 16) + 1) * 4;

	if ((cmd->cdw10 & 0xff) < 1 || (cmd->cdw10 & 0xff) > 3)
		return 0x4109; /* invalid log page */
	return put_data(n, cmd, zeroes, (uint32_t)MIN(len, sizeof(zeroes)));
}

static bool queue_size_ok(uint32_t cdw10)
{
	return cdw10 >> 16 >= 1 && cdw10 >> 16 < NVME_ENTRIES;
}

static uint16_t create_cq(struct nvme *n, const struct nvme_cmd *cmd)
{
	uint32_t id = cmd->cdw10 & 0xffff, size = (cmd->cdw10 >> 16) + 1;

	if (!id || id > n->pairs || n->cq[id].on)
		return NVME_QID_INVALID;
	if (!queue_size_ok(cmd->cdw10))
		return NVME_QSIZE_INVALID;
	if (!(cmd->cdw11 & 1) || cmd->prp1 % NVME_PAGE)
		return NVME_INVALID_FIELD;
	if (cmd->cdw11 >> 16 >= n->pci->n_vectors)
		return NVME_VECTOR_INVALID;
	if (!gmem_ptr(n->pci->gm, cmd->prp1, 16ull * size))
		return NVME_DATA_ERROR;
	__atomic_store_n(&n->bell[2 * id + 1], 0, __ATOMIC_RELAXED);
	n->cq[id] = (struct nvme_cq){.on = true,
				     .base = cmd->prp1,
				     .size = (uint16_t)size,
				     .phase = true,
				     .irq = cmd->cdw11 & 2,
				     .vector = (uint16_t)(cmd->cdw11 >> 16)};
	return NVME_OK;
}

static uint16_t create_sq(struct nvme *n, const struct nvme_cmd *cmd)
{
	uint32_t id = cmd->cdw10 & 0xffff, size = (cmd->cdw10 >> 16) + 1, cq = cmd->cdw11 >> 16;

	if (!id || id > n->pairs || n->sq[id].on)
		return NVME_QID_INVALID;
	if (!cq || cq > n->pairs || !n->cq[cq].on)
		return NVME_CQ_INVALID;
	if (!queue_size_ok(cmd->cdw10))
		return NVME_QSIZE_INVALID;
	if (!(cmd->cdw11 & 1) || cmd->prp1 % NVME_PAGE)
		return NVME_INVALID_FIELD;
	if (!gmem_ptr(n->pci->gm, cmd->prp1, 64ull * size))
		return NVME_DATA_ERROR;
	__atomic_store_n(&n->bell[2 * id], 0, __ATOMIC_RELAXED);
	n->sq[id].base = cmd->prp1;
	n->sq[id].size = (uint16_t)size;
	n->sq[id].cq = (uint16_t)cq;
	n->sq[id].head = n->sq[id].in_flight = 0;
	n->sq[id].on = true;
	n->cq[cq].n_sqs++;
	return NVME_OK;
}

/* What is under way ends first (5.6). */
static uint16_t delete_sq(struct nvme *n, const struct nvme_cmd *cmd)
{
	uint32_t id = cmd->cdw10 & 0xffff;

	if (!id || id > n->pairs || !n->sq[id].on)
		return NVME_QID_INVALID;
	n->sq[id].on = false;
	disk_drain(n->queue);
	n->cq[n->sq[id].cq].n_sqs--;
	return NVME_OK;
}

static uint16_t delete_cq(struct nvme *n, const struct nvme_cmd *cmd)
{
	uint32_t id = cmd->cdw10 & 0xffff;

	if (!id || id > n->pairs || !n->cq[id].on)
		return NVME_QID_INVALID;
	if (n->cq[id].n_sqs)
		return NVME_QUEUE_DELETION;
	n->cq[id].on = false;
	return NVME_OK;
}

static uint16_t features(struct nvme *n, const struct nvme_cmd *cmd, uint32_t *result)
{
	switch (cmd->cdw10 & 0xff) {
	case FEATURE_QUEUES:
		*result = (n->pairs - 1) << 16 | (n->pairs - 1);
		return NVME_OK;
	case FEATURE_CACHE:
		*result = disk_info(n->disk)->write_back;
		return NVME_OK;
	case 1: /* arbitration, power, temperature, errors, coalescing, vectors, atomicity, events */
	case 2:
	case 4:
	case 5:
	case 8:
	case 9:
	case 10:
	case 11:
		return NVME_OK;
	}
	return NVME_INVALID_FIELD;
}

/* It answers when something happens, and nothing ever does. */
static uint16_t hold_event(struct nvme *n, const struct nvme_cmd *cmd)
{
	if (n->n_held == NVME_EVENTS)
		return NVME_EVENT_LIMIT;
	n->held[n->n_held++] = cmd->cid;
	return NVME_PENDING;
}

static uint16_t configure_shadow(struct nvme *n, const struct nvme_cmd *cmd)
{
	if (!n->shadow_knob)
		return NVME_INVALID_OPCODE;
	if (cmd->prp1 % NVME_PAGE || cmd->prp2 % NVME_PAGE ||
	    !gmem_ptr(n->pci->gm, cmd->prp1, NVME_PAGE) || !gmem_ptr(n->pci->gm, cmd->prp2, NVME_PAGE))
		return NVME_INVALID_FIELD;
	n->shadow = cmd->prp1;
	n->event = cmd->prp2;
	return NVME_OK;
}

uint16_t nvme_admin(struct nvme *n, const struct nvme_cmd *cmd, uint32_t *result)
{
	switch (cmd->opcode) {
	case IDENTIFY:
		return identify(n, cmd);
	case GET_LOG:
		return get_log(n, cmd);
	case CREATE_CQ:
		return create_cq(n, cmd);
	case CREATE_SQ:
		return create_sq(n, cmd);
	case DELETE_SQ:
		return delete_sq(n, cmd);
	case DELETE_CQ:
		return delete_cq(n, cmd);
	case SET_FEATURES:
	case GET_FEATURES:
		return features(n, cmd, result);
	case ABORT:
		*result = 1; /* not aborted */
		return NVME_OK;
	case ASYNC_EVENT:
		return hold_event(n, cmd);
	case DOORBELL_CONFIG:
		return configure_shadow(n, cmd);
	}
	return NVME_INVALID_OPCODE;
}
