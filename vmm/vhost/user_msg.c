// SPDX-License-Identifier: MIT
#include "vmm/vhost/user_msg.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define HDR_LEN 12

/* What a request must look like, and its answer: payload bytes, with fds or without. */
struct rule {
	const char *name;
	uint16_t min, max;
	uint8_t fds_min, fds_max;
	uint16_t reply_min, reply_max; /* 0: has none of its own */
	bool reply_fd;
};

#define EMPTY 0, 0
#define U64   sizeof(uint64_t), sizeof(uint64_t)
#define STATE sizeof(struct vu_vring_state), sizeof(struct vu_vring_state)
#define ADDR  sizeof(struct vu_vring_addr), sizeof(struct vu_vring_addr)
#define MEM   8, sizeof(struct vu_memory)
#define REG   sizeof(struct vu_mem_reg), sizeof(struct vu_mem_reg)
#define CONF  12, sizeof(struct vu_config)
/* The document says 20 bytes; whoever sends the C structure (QEMU) sends 24. */
#define INFL  20, sizeof(struct vu_inflight)

static const struct rule front_rules[] = {
	[VU_GET_FEATURES] = {"GET_FEATURES", EMPTY, 0, 0, U64, false},
	[VU_SET_FEATURES] = {"SET_FEATURES", U64, 0, 0, EMPTY, false},
	[VU_SET_OWNER] = {"SET_OWNER", EMPTY, 0, 0, EMPTY, false},
	[VU_RESET_OWNER] = {"RESET_OWNER", EMPTY, 0, 0, EMPTY, false},
	[VU_SET_MEM_TABLE] = {"SET_MEM_TABLE", MEM, 0, VU_REGIONS_MAX, EMPTY, false},
	[VU_SET_VRING_NUM] = {"SET_VRING_NUM", STATE, 0, 0, EMPTY, false},
	[VU_SET_VRING_ADDR] = {"SET_VRING_ADDR", ADDR, 0, 0, EMPTY, false},
	[VU_SET_VRING_BASE] = {"SET_VRING_BASE", STATE, 0, 0, EMPTY, false},
	[VU_GET_VRING_BASE] = {"GET_VRING_BASE", STATE, 0, 0, STATE, false},
	[VU_SET_VRING_KICK] = {"SET_VRING_KICK", U64, 0, 1, EMPTY, false},
	[VU_SET_VRING_CALL] = {"SET_VRING_CALL", U64, 0, 1, EMPTY, false},
	[VU_SET_VRING_ERR] = {"SET_VRING_ERR", U64, 0, 1, EMPTY, false},
	[VU_GET_PROTOCOL_FEATURES] = {"GET_PROTOCOL_FEATURES", EMPTY, 0, 0, U64, false},
	[VU_SET_PROTOCOL_FEATURES] = {"SET_PROTOCOL_FEATURES", U64, 0, 0, EMPTY, false},
	[VU_GET_QUEUE_NUM] = {"GET_QUEUE_NUM", EMPTY, 0, 0, U64, false},
	[VU_SET_VRING_ENABLE] = {"SET_VRING_ENABLE", STATE, 0, 0, EMPTY, false},
	[VU_SET_BACKEND_REQ_FD] = {"SET_BACKEND_REQ_FD", 0, 8, 1, 1, EMPTY, false},
	[VU_GET_CONFIG] = {"GET_CONFIG", CONF, 0, 0, 0, sizeof(struct vu_config), false},
	[VU_SET_CONFIG] = {"SET_CONFIG", CONF, 0, 0, EMPTY, false},
	[VU_GET_INFLIGHT_FD] = {"GET_INFLIGHT_FD", INFL, 0, 0, INFL, true},
	[VU_SET_INFLIGHT_FD] = {"SET_INFLIGHT_FD", INFL, 1, 1, EMPTY, false},
	[VU_RESET_DEVICE] = {"RESET_DEVICE", EMPTY, 0, 0, EMPTY, false},
	[VU_GET_MAX_MEM_SLOTS] = {"GET_MAX_MEM_SLOTS", EMPTY, 0, 0, U64, false},
	[VU_ADD_MEM_REG] = {"ADD_MEM_REG", REG, 1, 1, EMPTY, false},
	[VU_REM_MEM_REG] = {"REM_MEM_REG", REG, 0, 1, EMPTY, false},
};

static const struct rule back_rules[] = {
	[VU_BACK_CONFIG_CHANGE] = {"CONFIG_CHANGE", EMPTY, 0, 0, EMPTY, false},
};

static const struct rule *rule_in(const struct rule *rules, size_t n, uint32_t request)
{
	return request < n && rules[request].name ? &rules[request] : NULL;
}

static const struct rule *rule_of(enum vu_from from, uint32_t request)
{
	if (from == VU_FROM_FRONT)
		return rule_in(front_rules, ARRAY_SIZE(front_rules), request);
	return rule_in(back_rules, ARRAY_SIZE(back_rules), request);
}

const char *vu_name(enum vu_from from, uint32_t request)
{
	const struct rule *r = rule_of(from, request);

	return r ? r->name : "unknown request";
}

bool vu_has_reply(uint32_t request)
{
	const struct rule *r = rule_of(VU_FROM_FRONT, request);

	return r && r->reply_max;
}

/* ---- file descriptors ---- */

int vu_take_fd(struct vu_msg *m, unsigned i)
{
	int fd;

	if (i >= m->n_fds)
		return -1;
	fd = m->fd[i];
	m->fd[i] = -1;
	return fd;
}

void vu_close_fds(struct vu_msg *m)
{
	for (unsigned i = 0; i < m->n_fds; i++)
		close_fd(&m->fd[i]);
	m->n_fds = 0;
}

/* Take what the kernel has already put into our table, and see whether there was more than fits. */
static int collect_fds(struct msghdr *h, struct vu_msg *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (m->n_fds < VU_FDS_MAX)
				m->fd[m->n_fds++] = fd;
			else
				close(fd);
		}
	}
	return h->msg_flags & MSG_CTRUNC ? -EPROTO : 0;
}

/* ---- bytes ---- */

static int wait_for(int sock, short events, uint64_t deadline_ns)
{
	struct pollfd p = {.fd = sock, .events = events};
	int n;

	do {
		uint64_t left = sub_floor(deadline_ns, clock_ns());

		if (!left)
			return -ETIMEDOUT;
		n = poll(&p, 1, (int)(left / NSEC_PER_MSEC) + 1);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

/* fds are taken only by the first read of a header; the kernel drops those that come at any other place. */
static ssize_t recv_some(int sock, void *buf, size_t len, struct vu_msg *fds_into)
{
	char control[CMSG_SPACE(VU_FDS_MAX * sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = {buf, len};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (fds_into) {
		h.msg_control = control;
		h.msg_controllen = sizeof(control);
	}
	n = recvmsg(sock, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	if (fds_into && collect_fds(&h, fds_into))
		return -EPROTO;
	return n;
}

/* Returns 1 when len bytes have come, 0 when the peer closed before the first of them. */
static int recv_all(int sock, void *buf, size_t len, struct vu_msg *fds_into, uint64_t deadline_ns)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = recv_some(sock, (char *)buf + got, len - got, got ? NULL : fds_into);

		if (n == -EAGAIN)
			n = wait_for(sock, POLLIN, deadline_ns);
		else if (n == 0)
			return got ? -EPIPE : 0;
		if (n < 0 && n != -EINTR)
			return (int)n;
		got += (size_t)MAX(n, 0);
	}
	return 1;
}

/* Header and payload, within our buffer. */
static int recv_raw(int sock, struct vu_msg *m, uint64_t timeout_ns)
{
	uint64_t deadline = clock_ns() + timeout_ns;
	uint32_t hdr[3];
	int r;

	memset(m, 0, sizeof(*m));
	r = recv_all(sock, hdr, HDR_LEN, m, deadline);
	if (r <= 0)
		return r;
	m->request = hdr[0];
	m->flags = hdr[1];
	m->size = hdr[2];
	if ((m->flags & VU_FLAG_VERSION_MASK) != VU_FLAG_VERSION || m->size > sizeof(m->p)) {
		log_guest("vhost-user: request %u with flags 0x%x and %u bytes is no message",
			  m->request, m->flags, m->size);
		return -EPROTO;
	}
	if (m->size)
		r = recv_all(sock, &m->p, m->size, NULL, deadline);
	if (!r)
		r = -EPIPE;
	return r;
}

static int check_shape(const struct vu_msg *m, const char *name, unsigned min, unsigned max, unsigned fds_min,
		       unsigned fds_max)
{
	if (m->size >= min && m->size <= max && m->n_fds >= fds_min && m->n_fds <= fds_max)
		return 1;
	log_guest("vhost-user: %s with %u bytes and %u fds; expected %u to %u and %u to %u", name,
		  m->size, m->n_fds, min, max, fds_min, fds_max);
	return -EPROTO;
}

int vu_recv(int sock, enum vu_from from, struct vu_msg *m, uint64_t timeout_ns)
{
	const struct rule *rule;
	int r = recv_raw(sock, m, timeout_ns);

	if (r > 0) {
		rule = rule_of(from, m->request);
		if (!rule)
			r = -ENOSYS;
		else if (m->flags & VU_FLAG_REPLY)
			r = -EPROTO;
		else
			r = check_shape(m, rule->name, rule->min, rule->max, rule->fds_min, rule->fds_max);
	}
	if (r <= 0)
		vu_close_fds(m);
	return r;
}

int vu_recv_reply(int sock, const struct vu_msg *request, struct vu_msg *reply, uint64_t timeout_ns)
{
	const struct rule *rule = rule_of(VU_FROM_FRONT, request->request);
	int r = recv_raw(sock, reply, timeout_ns);

	if (r > 0 && (reply->request != request->request || !(reply->flags & VU_FLAG_REPLY))) {
		log_guest("vhost-user: request %u (flags 0x%x) came as the answer to %s",
			  reply->request, reply->flags, rule->name);
		r = -EPROTO;
	}
	if (r > 0 && rule->reply_max)
		r = check_shape(reply, rule->name, rule->reply_min, rule->reply_max, 0, rule->reply_fd);
	else if (r > 0) /* the verdict on a request that has no answer of its own */
		r = check_shape(reply, rule->name, sizeof(uint64_t), sizeof(uint64_t), 0, 0);
	if (r <= 0)
		vu_close_fds(reply);
	return r;
}

static int send_some(int sock, const struct vu_msg *m, size_t done)
{
	char control[CMSG_SPACE(VU_FDS_MAX * sizeof(int))] __attribute__((aligned(8))) = {0};
	uint32_t hdr[3] = {m->request, m->flags, m->size};
	size_t hdr_done = MIN(done, (size_t)HDR_LEN), body_done = done - hdr_done;
	struct iovec iov[2] = {{(char *)hdr + hdr_done, HDR_LEN - hdr_done},
			       {(char *)m->p.raw + body_done, m->size - body_done}};
	struct msghdr h = {.msg_iov = iov, .msg_iovlen = 2};
	ssize_t n;

	if (m->n_fds && !done) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		h.msg_control = control;
		h.msg_controllen = CMSG_SPACE(m->n_fds * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(m->n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), m->fd, m->n_fds * sizeof(int));
	}
	n = sendmsg(sock, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
	return n < 0 ? -errno : (int)n;
}

int vu_send(int sock, const struct vu_msg *m, uint64_t timeout_ns)
{
	uint64_t deadline = clock_ns() + timeout_ns;
	size_t done = 0, total = HDR_LEN + m->size;

	while (done < total) {
		int n = send_some(sock, m, done);

		if (n == -EAGAIN)
			n = wait_for(sock, POLLOUT, deadline);
		if (n < 0 && n != -EINTR)
			return n;
		done += (size_t)MAX(n, 0);
	}
	return 0;
}

/* ---- messages ---- */

struct vu_msg vu_msg_empty(uint32_t request)
{
	return (struct vu_msg){.request = request, .flags = VU_FLAG_VERSION};
}

struct vu_msg vu_msg_u64(uint32_t request, uint64_t v)
{
	return (struct vu_msg){
		.request = request, .flags = VU_FLAG_VERSION, .size = sizeof(v), .p.u64 = v};
}

struct vu_msg vu_msg_state(uint32_t request, uint32_t index, uint32_t num)
{
	return (struct vu_msg){.request = request,
			       .flags = VU_FLAG_VERSION,
			       .size = sizeof(struct vu_vring_state),
			       .p.state = {index, num}};
}
