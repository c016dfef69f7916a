// SPDX-License-Identifier: MIT
#include "vmm/vhost/user_link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* A back-end that is this late is taken for dead. */
#define ANSWER_NS (3 * NSEC_PER_SEC)

#define BIT(n) (1ull << (n))

/* MTU and link status come through CONFIG; the others are for robustness and several queues. */
#define WANTED (BIT(VU_P_MQ) | BIT(VU_P_REPLY_ACK) | BIT(VU_P_BACKEND_REQ) | BIT(VU_P_CONFIG) | \
		BIT(VU_P_INFLIGHT_SHMFD))

bool vu_link_has(const struct vu_link *l, enum vu_protocol_feature p)
{
	return l->protocol & BIT(p);
}

static int link_fail(struct vu_link *l, const struct vu_msg *m, int err)
{
	if (err == -EPIPE || err == -ECONNRESET || !err)
		err = -ENOTCONN; /* the back-end went away; whoever watches the socket says so */
	else
		log_error("%s: vhost-user %s: %s", l->who, vu_name(VU_FROM_FRONT, m->request),
			  err == -ETIMEDOUT ? "no answer from the back-end" : strerror(-err));
	l->dead = true;
	shutdown(l->sock, SHUT_RDWR);
	return err;
}

int vu_link_get(struct vu_link *l, struct vu_msg *m)
{
	struct vu_msg reply;
	int r;

	if (l->dead || l->sock < 0)
		return -ENOTCONN;
	r = vu_send(l->sock, m, ANSWER_NS);
	if (!r)
		r = vu_recv_reply(l->sock, m, &reply, ANSWER_NS);
	if (r <= 0)
		return link_fail(l, m, r);
	*m = reply;
	return 0;
}

int vu_link_do(struct vu_link *l, struct vu_msg *m)
{
	struct vu_msg reply;
	int r;

	if (l->dead || l->sock < 0)
		return -ENOTCONN;
	if (vu_link_has(l, VU_P_REPLY_ACK))
		m->flags |= VU_FLAG_NEED_REPLY;
	r = vu_send(l->sock, m, ANSWER_NS);
	if (r)
		return link_fail(l, m, r);
	if (!vu_link_has(l, VU_P_REPLY_ACK))
		return 0;
	r = vu_recv_reply(l->sock, m, &reply, ANSWER_NS);
	if (r <= 0)
		return link_fail(l, m, r);
	if (!reply.p.u64)
		return 0;
	log_error("%s: the vhost-user back-end refused %s", l->who,
		  vu_name(VU_FROM_FRONT, m->request));
	return -EREMOTEIO;
}

int vu_link_set_memory(struct vu_link *l, const struct gmem *gm)
{
	struct vu_msg m = vu_msg_empty(VU_SET_MEM_TABLE);
	size_t n;
	const struct gmem_region *r = gmem_regions(gm, &n);

	n = MIN(n, (size_t)VU_REGIONS_MAX);
	for (size_t i = 0; i < n; i++) {
		m.p.mem.region[i] = (struct vu_region){r[i].gpa, r[i].size, (uintptr_t)r[i].hva,
						       r[i].fd_offset};
		m.fd[i] = gmem_fd(gm);
	}
	m.p.mem.n = m.n_fds = (uint32_t)n;
	m.size = (uint32_t)(offsetof(struct vu_memory, region) + n * sizeof(struct vu_region));
	return vu_link_do(l, &m);
}

int vu_link_set_fd(struct vu_link *l, enum vu_request request, unsigned ring, int fd)
{
	struct vu_msg m = vu_msg_u64(request, ring | bits_if(fd < 0, VU_VRING_NO_FD));

	if (fd >= 0) {
		m.fd[0] = fd;
		m.n_fds = 1;
	}
	return vu_link_do(l, &m);
}

/* ---- opening ---- */

static int get_u64(struct vu_link *l, uint32_t request, uint64_t *out)
{
	struct vu_msg m = vu_msg_empty(request);
	int err = vu_link_get(l, &m);

	if (!err)
		*out = m.p.u64;
	return err;
}

static int negotiate_features(struct vu_link *l)
{
	struct vu_msg owner = vu_msg_empty(VU_SET_OWNER), protocol;
	uint64_t offered = 0, pairs = 1;
	int err = get_u64(l, VU_GET_FEATURES, &l->features);

	if (!err && l->features & BIT(VU_F_PROTOCOL_FEATURES))
		err = get_u64(l, VU_GET_PROTOCOL_FEATURES, &offered);
	if (!err && offered & WANTED) {
		protocol = vu_msg_u64(VU_SET_PROTOCOL_FEATURES, offered & WANTED);
		err = vu_link_do(l, &protocol);
		l->protocol = offered & WANTED;
	}
	if (!err && vu_link_has(l, VU_P_MQ))
		err = get_u64(l, VU_GET_QUEUE_NUM, &pairs);
	if (!err)
		err = vu_link_do(l, &owner);
	l->pairs = (unsigned)MIN(pairs, UINT8_MAX);
	return err;
}

int vu_link_open(struct vu_link *l, const struct vu_broker *broker, const char *path, bool quiet)
{
	int sock = vu_broker_connect(broker);
	int err;

	if (sock < 0) {
		if (!quiet)
			log_error("%s: vhost-user: %s: %s; start the back-end first", l->who, path,
				  strerror(-sock));
		return sock;
	}
	*l = (struct vu_link){.who = l->who, .sock = sock};
	err = negotiate_features(l);
	if (err) {
		if (!quiet && err == -ENOTCONN)
			log_error(
				"%s: vhost-user: %s: the back-end hung up; it may serve another VM already",
				l->who, path);
		vu_link_close(l);
	}
	return err;
}

void vu_link_close(struct vu_link *l)
{
	close_fd(&l->sock);
	l->dead = false;
}
