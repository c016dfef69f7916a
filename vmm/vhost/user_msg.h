/* SPDX-License-Identifier: MIT */
/*
 * The vhost-user protocol on the wire, for both ends: QEMU's docs/interop/vhost-user.rst.
 *
 * A message is a header of three 32-bit words (request, flags, size), size bytes of payload, and file
 * descriptors that travel with the header's first byte. All in host byte order. The peer is not trusted:
 * vu_recv gives out only messages whose version, size and number of fds are those of the table in
 * user_msg.c; values are checked by whoever uses them.
 */
#ifndef VMM_VHOST_USER_MSG_H
#define VMM_VHOST_USER_MSG_H

#include "base/util.h"

/* From the front-end. Those that are not here (logging, IOTLB, postcopy, ...) are not supported. */
enum vu_request {
	VU_GET_FEATURES = 1,
	VU_SET_FEATURES = 2,
	VU_SET_OWNER = 3,
	VU_RESET_OWNER = 4,
	VU_SET_MEM_TABLE = 5,
	VU_SET_VRING_NUM = 8,
	VU_SET_VRING_ADDR = 9,
	VU_SET_VRING_BASE = 10,
	VU_GET_VRING_BASE = 11,
	VU_SET_VRING_KICK = 12,
	VU_SET_VRING_CALL = 13,
	VU_SET_VRING_ERR = 14,
	VU_GET_PROTOCOL_FEATURES = 15,
	VU_SET_PROTOCOL_FEATURES = 16,
	VU_GET_QUEUE_NUM = 17, /* of a network device: rings, or pairs of them */
	VU_SET_VRING_ENABLE = 18,
	VU_SET_BACKEND_REQ_FD = 21,
	VU_GET_CONFIG = 24,
	VU_SET_CONFIG = 25,
	VU_GET_INFLIGHT_FD = 31,
	VU_SET_INFLIGHT_FD = 32,
	VU_RESET_DEVICE = 34,
	VU_GET_MAX_MEM_SLOTS = 36,
	VU_ADD_MEM_REG = 37,
	VU_REM_MEM_REG = 38,
};

/* From the back-end, on a socket of its own (VU_SET_BACKEND_REQ_FD). */
enum vu_back_request {
	VU_BACK_CONFIG_CHANGE = 2,
};

#define VU_F_PROTOCOL_FEATURES 30 /* among the virtio feature bits */

enum vu_protocol_feature {
	VU_P_MQ = 0,
	VU_P_REPLY_ACK = 3,
	VU_P_BACKEND_REQ = 5,
	VU_P_CONFIG = 9,
	VU_P_INFLIGHT_SHMFD = 12,
	VU_P_RESET_DEVICE = 13,
	VU_P_CONFIGURE_MEM_SLOTS = 15,
};

#define VU_FLAG_VERSION      0x1u
#define VU_FLAG_VERSION_MASK 0x3u
#define VU_FLAG_REPLY        0x4u
#define VU_FLAG_NEED_REPLY   0x8u /* with VU_P_REPLY_ACK: answer with a u64, 0 for done */

#define VU_REGIONS_MAX 8 /* in one SET_MEM_TABLE */
#define VU_FDS_MAX     8
#define VU_RINGS_MAX   16 /* of one device */
#define VU_CONFIG_MAX  256

/* Of SET_VRING_KICK, _CALL and _ERR. */
#define VU_VRING_MASK  0xffu
#define VU_VRING_NO_FD 0x100u

struct vu_vring_state {
	uint32_t index, num;
};

/* Addresses are the front-end's virtual ones. */
struct vu_vring_addr {
	uint32_t index, flags;
	uint64_t desc, used, avail, log;
};

struct vu_region {
	uint64_t gpa, size, user_addr, mmap_offset;
};

struct vu_memory {
	uint32_t n, padding;
	struct vu_region region[VU_REGIONS_MAX];
};

struct vu_mem_reg {
	uint64_t padding;
	struct vu_region region;
};

struct vu_config {
	uint32_t offset, size, flags;
	uint8_t data[VU_CONFIG_MAX];
};

struct vu_inflight {
	uint64_t mmap_size, mmap_offset;
	uint16_t queues, queue_size;
};

struct vu_msg {
	uint32_t request, flags, size; /* as on the wire */
	uint32_t n_fds;
	union {
		uint64_t u64;
		struct vu_vring_state state;
		struct vu_vring_addr addr;
		struct vu_memory mem;
		struct vu_mem_reg reg;
		struct vu_config config;
		struct vu_inflight inflight;
		uint8_t raw[VU_CONFIG_MAX + 16];
	} p;
	int fd[VU_FDS_MAX];
};

/* Who sent it decides what the numbers mean. */
enum vu_from { VU_FROM_FRONT, VU_FROM_BACK };

const char *vu_name(enum vu_from from, uint32_t request);

/*
 * Wait up to timeout_ns for a whole request. 1: *m is filled, and its fds are the caller's, to be used or
 * closed with vu_close_fds. 0: the peer has closed. -ETIMEDOUT, -EPROTO (not a message of the table;
 * logged) or another errno: the connection is of no more use. -ENOSYS: an unknown request, read whole;
 * m->request and flags hold, it has no fds.
 */
int vu_recv(int sock, enum vu_from from, struct vu_msg *m, uint64_t timeout_ns);
/* The answer to a request that was sent: its number, the reply flag and the size must fit. */
int vu_recv_reply(int sock, const struct vu_msg *request, struct vu_msg *reply,
		  uint64_t timeout_ns);
/* 0 or -errno; fds stay the caller's. */
int vu_send(int sock, const struct vu_msg *m, uint64_t timeout_ns);
/* Does this request have an answer of its own (so that REPLY_ACK does not apply)? */
bool vu_has_reply(uint32_t request);

/* Take fd i out of the message. */
int vu_take_fd(struct vu_msg *m, unsigned i);
void vu_close_fds(struct vu_msg *m);

/* A request without payload, with a u64, with an index and a number. */
struct vu_msg vu_msg_empty(uint32_t request);
struct vu_msg vu_msg_u64(uint32_t request, uint64_t v);
struct vu_msg vu_msg_state(uint32_t request, uint32_t index, uint32_t num);

#endif
