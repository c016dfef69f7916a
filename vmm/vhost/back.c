// SPDX-License-Identifier: MIT
#include "vmm/core/eventfd.h"
#include "vmm/vhost/back_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* A message that has begun must end, and an answer must be taken, within this. */
#define MSG_NS (5 * NSEC_PER_SEC)

#define BIT(n) (1ull << (n))

/*
 * A refusal is an answer where the front-end asked for one. Elsewhere the connection is closed, because the
 * front-end would go on as if all were well.
 */
static int answer_request(struct vu_back *b, struct vu_msg *m, uint32_t request, uint32_t flags, int err)
{
	bool ack = flags & VU_FLAG_NEED_REPLY && b->protocol & BIT(VU_P_REPLY_ACK);
	struct vu_msg verdict;

	if (err)
		log_guest("vhost-user: %s refused: %s", vu_name(VU_FROM_FRONT, request),
			  strerror(-err));
	if (!err && vu_has_reply(request)) {
		m->flags = VU_FLAG_VERSION | VU_FLAG_REPLY;
		return vu_send(b->sock, m, MSG_NS);
	}
	if (!ack || vu_has_reply(request))
		return err;
	verdict = vu_msg_u64(request, err != 0);
	verdict.flags |= VU_FLAG_REPLY;
	return vu_send(b->sock, &verdict, MSG_NS);
}

int vu_back_serve(struct vu_back *b)
{
	uint32_t request, flags;
	struct vu_msg m;
	int err, r = vu_recv(b->sock, VU_FROM_FRONT, &m, MSG_NS);

	if (r <= 0 && r != -ENOSYS)
		return r;
	request = m.request;
	flags = m.flags;
	if (r > 0)
		r = vu_back_handle(b, &m);
	err = answer_request(b, &m, request, flags, r);
	vu_close_fds(&m);
	if (err)
		return err;
	return 1;
}

/* ---- what the device says ---- */

void vu_back_call(struct vu_back *b, unsigned ring)
{
	eventfd_signal(b->ring[ring].call_fd);
}

void vu_back_broken(struct vu_back *b, unsigned ring)
{
	log_guest("vhost-user: ring %u is broken", ring);
	if (b->ring[ring].err_fd >= 0)
		eventfd_signal(b->ring[ring].err_fd);
}

/* ---- life ---- */

int vu_back_init(struct vu_back *b, struct vu_device *dev)
{
	*b = (struct vu_back){
		.dev = dev, .sock = -1, .own_fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC)};
	for (unsigned i = 0; i < VU_RINGS_MAX; i++) {
		b->ring[i].kick_fd = b->ring[i].call_fd = b->ring[i].err_fd = -1;
		b->ring[i].stats = &b->ring[i].own_stats;
	}
	for (unsigned i = 0; i < b->dev->n_rings; i++) {
		b->ring[i].call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (b->ring[i].call_fd < 0)
			return -errno;
	}
	return 0;
}

void vu_back_connect(struct vu_back *b, int sock)
{
	b->sock = sock;
	b->features = b->protocol = 0;
}

void vu_back_hang_up(struct vu_back *b)
{
	vu_device_stop(b);
	for (unsigned i = 0; i < b->dev->n_rings; i++) {
		int none = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		vu_ring_reset(&b->ring[i]);
		/* Let go of the front-end's call; without a spare fd the next front-end replaces it. */
		if (none >= 0)
			dup3(none, b->ring[i].call_fd, O_CLOEXEC);
		close_fd(&none);
	}
	if (b->dev->ops->reset)
		b->dev->ops->reset(b->dev);
	gmem_destroy(b->gm);
	b->gm = NULL;
	vu_mem_clear(&b->mem);
	inflight_unmap(&b->inflight);
	close_fd(&b->sock);
}

void vu_back_exit(struct vu_back *b)
{
	vu_back_hang_up(b);
	close_fd(&b->own_fds);
	for (unsigned i = 0; i < b->dev->n_rings; i++)
		close_fd(&b->ring[i].call_fd);
}
