// SPDX-License-Identifier: MIT
#include "vmm/vhost/user_back.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* A message that has begun must end, and an answer must be taken, within this. */
#define MSG_NS (5 * NSEC_PER_SEC)

#define BIT(n) (1ull << (n))

#define PROTOCOL (BIT(VU_P_MQ) | BIT(VU_P_REPLY_ACK) | BIT(VU_P_CONFIG) | BIT(VU_P_RESET_DEVICE) | \
		  BIT(VU_P_INFLIGHT_SHMFD) | BIT(VU_P_CONFIGURE_MEM_SLOTS))

static unsigned n_rings(const struct vu_back *b)
{
	return 2 * b->be->pairs;
}

static uint64_t offered(const struct vu_back *b)
{
	/* No message of the protocol changes offloads after SET_FEATURES. */
	return (b->be->features & ~BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS)) | BIT(VIRTIO_F_VERSION_1) |
	       BIT(VU_F_PROTOCOL_FEATURES) | (b->be->pairs > 1 ? BIT(VIRTIO_NET_F_MQ) : 0) |
	       (b->be->mtu ? BIT(VIRTIO_NET_F_MTU) : 0);
}

/* ---- rings ---- */

static int translate(struct vu_back *b, unsigned i, struct virtq_layout *l)
{
	const struct vu_back_ring *r = &b->ring[i];
	bool packed = b->features & BIT(VIRTIO_F_RING_PACKED);
	int err;

	l->size = (uint16_t)r->num;
	err = vu_mem_translate(&b->mem, r->addr.desc, 16ull * r->num, &l->desc);
	if (!err)
		err = vu_mem_translate(&b->mem, r->addr.avail, packed ? 4 : 6 + 2ull * r->num, &l->driver);
	if (!err)
		err = vu_mem_translate(&b->mem, r->addr.used, packed ? 4 : 6 + 8ull * r->num, &l->device);
	return err;
}

/* Memory may still come after the addresses: a ring that is not in it yet waits. */
static bool runnable(struct vu_back *b, unsigned i)
{
	const struct vu_back_ring *r = &b->ring[i];
	struct virtq_layout l;

	return r->num && r->has_addr && r->kick_fd >= 0 && r->enabled && b->gm && !translate(b, i, &l);
}

/* Go on where another back-end was killed. One that ended in good order has left the same in both places. */
static void resume(struct vu_back *b, unsigned i, const struct virtq_layout *l)
{
	struct virtq_progress *p = inflight_progress(&b->inflight, i, l->size);

	b->ring[i].resume = false;
	if (!(b->features & BIT(VIRTIO_F_RING_PACKED)) || !p)
		return;
	if (inflight_used(&b->inflight, i) && virtq_resume(b->gm, l, p, &b->ring[i].base))
		log_guest("vhost-user: the inflight region says nothing sensible of ring %u", i);
	inflight_begin(&b->inflight, i, b->ring[i].base);
}

static void fill(struct vu_back *b, unsigned i)
{
	struct net_ring *n = &b->be->rings[i];
	struct vu_back_ring *r = &b->ring[i];

	n->ready = r->running;
	translate(b, i, &n->layout);
	if (r->running && r->resume)
		resume(b, i, &n->layout);
	n->base = r->base;
	n->progress = inflight_progress(&b->inflight, i, r->num);
	n->kick_fd = r->kick_fd;
	n->call_fd = r->call_fd;
	n->stats = &r->stats;
}

/* The pairs that the guest uses are those up to the last running ring. */
static int set_pairs(struct vu_back *b)
{
	unsigned pairs = 1;

	for (unsigned i = 0; i < n_rings(b); i++)
		if (b->ring[i].running)
			pairs = i / 2 + 1;
	return b->be->ops->set_pairs ? b->be->ops->set_pairs(b->be, pairs) : 0;
}

static void device_stop(struct vu_back *b)
{
	if (b->started)
		b->be->ops->stop(b->be);
	b->started = false;
	for (unsigned i = 0; i < n_rings(b); i++)
		if (b->ring[i].running)
			b->ring[i].base = b->be->rings[i].base;
}

/* Start all that can run. Rings that run already are stopped for it: rare, and one path instead of two. */
static int device_update(struct vu_back *b)
{
	bool any = false;
	int err;

	device_stop(b);
	for (unsigned i = 0; i < n_rings(b); i++) {
		b->ring[i].running = runnable(b, i);
		any |= b->ring[i].running;
		fill(b, i);
	}
	if (!any)
		return 0;
	b->be->gm = b->gm;
	b->started = true;
	err = b->be->ops->start(b->be, b->features, n_rings(b));
	if (!err)
		err = b->be->ops->set_offloads(b->be, b->features);
	if (!err)
		err = set_pairs(b);
	if (err)
		device_stop(b);
	return err;
}

static void ring_reset(struct vu_back_ring *r)
{
	close_fd(&r->kick_fd);
	close_fd(&r->err_fd);
	r->has_addr = r->enabled = r->running = r->resume = false;
	r->num = r->base = 0;
}

/* ---- requests ---- */

static int get_features(struct vu_back *b, struct vu_msg *m)
{
	*m = vu_msg_u64(m->request, offered(b));
	return 0;
}

static int set_features(struct vu_back *b, struct vu_msg *m)
{
	if (m->p.u64 & ~offered(b))
		return -EINVAL;
	device_stop(b);
	b->features = m->p.u64;
	/* Without the protocol features rings need no enabling. */
	for (unsigned i = 0; i < n_rings(b) && !(b->features & BIT(VU_F_PROTOCOL_FEATURES)); i++)
		b->ring[i].enabled = true;
	return device_update(b);
}

static int get_protocol_features(struct vu_back *b, struct vu_msg *m)
{
	(void)b;
	*m = vu_msg_u64(m->request, PROTOCOL);
	return 0;
}

static int set_protocol_features(struct vu_back *b, struct vu_msg *m)
{
	if (m->p.u64 & ~PROTOCOL)
		return -EINVAL;
	b->protocol = m->p.u64;
	return 0;
}

static int set_owner(struct vu_back *b, struct vu_msg *m)
{
	(void)b;
	(void)m;
	return 0;
}

static int reset_device(struct vu_back *b, struct vu_msg *m)
{
	(void)m;
	device_stop(b);
	for (unsigned i = 0; i < n_rings(b); i++)
		ring_reset(&b->ring[i]);
	return 0;
}

static int get_queue_num(struct vu_back *b, struct vu_msg *m)
{
	*m = vu_msg_u64(m->request, b->be->pairs);
	return 0;
}

/* ---- memory ---- */

static int memory_changed(struct vu_back *b)
{
	int err;

	gmem_destroy(b->gm);
	b->gm = NULL;
	err = b->mem.n ? vu_mem_gmem(&b->mem, &b->gm) : 0;
	return err ? err : device_update(b);
}

static int set_mem_table(struct vu_back *b, struct vu_msg *m)
{
	const struct vu_memory *t = &m->p.mem;
	int err = 0;

	if (t->n > VU_REGIONS_MAX || t->n != m->n_fds ||
	    m->size < offsetof(struct vu_memory, region) + t->n * sizeof(t->region[0]))
		return -EINVAL;
	device_stop(b);
	vu_mem_clear(&b->mem);
	for (unsigned i = 0; i < t->n && !err; i++)
		err = vu_mem_add(&b->mem, &t->region[i], vu_take_fd(m, i));
	if (err)
		vu_mem_clear(&b->mem);
	return memory_changed(b) ?: err;
}

static int get_max_mem_slots(struct vu_back *b, struct vu_msg *m)
{
	(void)b;
	*m = vu_msg_u64(m->request, VU_SLOTS);
	return 0;
}

static int add_mem_reg(struct vu_back *b, struct vu_msg *m)
{
	int err;

	device_stop(b);
	err = vu_mem_add(&b->mem, &m->p.reg.region, vu_take_fd(m, 0));
	return memory_changed(b) ?: err;
}

static int rem_mem_reg(struct vu_back *b, struct vu_msg *m)
{
	int err;

	device_stop(b);
	err = vu_mem_del(&b->mem, &m->p.reg.region);
	return memory_changed(b) ?: err;
}

/* ---- rings ---- */

static struct vu_back_ring *ring_of(struct vu_back *b, uint64_t index)
{
	if (index < n_rings(b))
		return &b->ring[index];
	log_guest("vhost-user: there is no ring %llu", (unsigned long long)index);
	return NULL;
}

static int set_vring_num(struct vu_back *b, struct vu_msg *m)
{
	struct vu_back_ring *r = ring_of(b, m->p.state.index);
	bool packed = b->features & BIT(VIRTIO_F_RING_PACKED);
	uint32_t num = m->p.state.num;

	if (!r || !num || num > VIRTQ_SIZE_MAX || (!packed && !is_pow2(num)))
		return -EINVAL;
	if (r->running)
		return -EBUSY;
	r->num = num;
	return 0;
}

static int set_vring_addr(struct vu_back *b, struct vu_msg *m)
{
	struct vu_back_ring *r = ring_of(b, m->p.addr.index);

	if (!r)
		return -EINVAL;
	device_stop(b);
	r->addr = m->p.addr;
	r->has_addr = true;
	return device_update(b);
}

static int set_vring_base(struct vu_back *b, struct vu_msg *m)
{
	struct vu_back_ring *r = ring_of(b, m->p.state.index);

	if (!r)
		return -EINVAL;
	if (r->running)
		return -EBUSY;
	r->base = m->p.state.num;
	return 0;
}

static int get_vring_base(struct vu_back *b, struct vu_msg *m)
{
	struct vu_back_ring *r = ring_of(b, m->p.state.index);

	if (!r)
		return -EINVAL;
	device_stop(b);
	close_fd(&r->kick_fd); /* stopped: it starts again with a new kick */
	*m = vu_msg_state(m->request, m->p.state.index, r->base);
	return device_update(b);
}

/* Reading or writing any other kind of file could block us, or worse. */
static bool is_eventfd(int fd)
{
	char path[32], target[32] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof(target) - 1) > 0 && !strcmp(target, "anon_inode:[eventfd]");
}

/* *fd: the eventfd of the message, non-blocking, or -1 when it says that there is none. */
static int ring_fd(struct vu_back *b, struct vu_msg *m, struct vu_back_ring **r, int *fd)
{
	bool none = m->p.u64 & VU_VRING_NO_FD;

	*fd = -1;
	*r = ring_of(b, m->p.u64 & ~(uint64_t)VU_VRING_NO_FD);
	if (!*r || none == (m->n_fds == 1))
		return -EINVAL;
	if (none)
		return 0;
	if (!is_eventfd(m->fd[0])) {
		log_guest("vhost-user: %s with an fd that is no eventfd", vu_name(VU_FROM_FRONT, m->request));
		return -EINVAL;
	}
	*fd = vu_take_fd(m, 0);
	fcntl(*fd, F_SETFL, O_RDWR | O_NONBLOCK);
	return 0;
}

static int set_vring_kick(struct vu_back *b, struct vu_msg *m)
{
	struct vu_back_ring *r;
	int fd, err = ring_fd(b, m, &r, &fd);

	if (err)
		return err;
	if (fd < 0)
		return -EOPNOTSUPP; /* a ring to be polled: poll_us does it on top of kicks */
	device_stop(b);
	close_fd(&r->kick_fd);
	r->kick_fd = fd;
	return device_update(b);
}

/* Front-ends change the call at run time, whenever the guest masks its vector: no stop for that. */
static int set_vring_call(struct vu_back *b, struct vu_msg *m)
{
	struct vu_back_ring *r;
	int fd, err = ring_fd(b, m, &r, &fd);

	if (err)
		return err;
	if (fd < 0)
		fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = fd < 0 || dup3(fd, r->call_fd, O_CLOEXEC) < 0 ? -errno : 0;
	close_fd(&fd);
	return err;
}

static int set_vring_err(struct vu_back *b, struct vu_msg *m)
{
	struct vu_back_ring *r;
	int fd, err = ring_fd(b, m, &r, &fd);

	if (err)
		return err;
	device_stop(b); /* ring_broken uses it on another thread */
	close_fd(&r->err_fd);
	r->err_fd = fd;
	return device_update(b);
}

static int set_vring_enable(struct vu_back *b, struct vu_msg *m)
{
	struct vu_back_ring *r = ring_of(b, m->p.state.index);

	if (!r || m->p.state.num > 1)
		return -EINVAL;
	if (r->enabled == m->p.state.num)
		return 0;
	r->enabled = m->p.state.num;
	return device_update(b);
}

/* ---- what outlives us ---- */

static int get_inflight_fd(struct vu_back *b, struct vu_msg *m)
{
	struct vu_inflight d = m->p.inflight;
	int fd = inflight_create(&d);

	(void)b;
	if (fd < 0)
		return fd;
	*m = vu_msg_empty(m->request);
	m->size = sizeof(d);
	m->p.inflight = d;
	m->fd[m->n_fds++] = fd;
	return 0;
}

static int set_inflight_fd(struct vu_back *b, struct vu_msg *m)
{
	device_stop(b);
	for (unsigned i = 0; i < n_rings(b); i++)
		b->ring[i].resume = true;
	return inflight_map(&b->inflight, &m->p.inflight, vu_take_fd(m, 0)) ?: device_update(b);
}

/* ---- configuration ---- */

static int get_config(struct vu_back *b, struct vu_msg *m)
{
	struct virtio_net_config c = {
		.status = VIRTIO_NET_S_LINK_UP,
		.max_virtqueue_pairs = (uint16_t)b->be->pairs,
		.mtu = b->be->mtu,
	};
	struct vu_config *q = &m->p.config;

	/* An answer without payload says no. */
	if (m->size < 12 || m->size - 12 != q->size || !range_ok(q->offset, q->size, sizeof(c)))
		m->size = 0;
	else
		memcpy(q->data, (char *)&c + q->offset, q->size);
	return 0;
}

static int set_config(struct vu_back *b, struct vu_msg *m)
{
	(void)b;
	(void)m;
	return -EOPNOTSUPP; /* virtio 1.x: nothing in it is writable */
}

/* ---- the table ---- */

static int (*const handlers[])(struct vu_back *, struct vu_msg *) = {
	[VU_GET_FEATURES] = get_features,
	[VU_SET_FEATURES] = set_features,
	[VU_SET_OWNER] = set_owner,
	[VU_RESET_OWNER] = reset_device,
	[VU_SET_MEM_TABLE] = set_mem_table,
	[VU_SET_VRING_NUM] = set_vring_num,
	[VU_SET_VRING_ADDR] = set_vring_addr,
	[VU_SET_VRING_BASE] = set_vring_base,
	[VU_GET_VRING_BASE] = get_vring_base,
	[VU_SET_VRING_KICK] = set_vring_kick,
	[VU_SET_VRING_CALL] = set_vring_call,
	[VU_SET_VRING_ERR] = set_vring_err,
	[VU_GET_PROTOCOL_FEATURES] = get_protocol_features,
	[VU_SET_PROTOCOL_FEATURES] = set_protocol_features,
	[VU_GET_QUEUE_NUM] = get_queue_num,
	[VU_SET_VRING_ENABLE] = set_vring_enable,
	[VU_GET_CONFIG] = get_config,
	[VU_SET_CONFIG] = set_config,
	[VU_GET_INFLIGHT_FD] = get_inflight_fd,
	[VU_SET_INFLIGHT_FD] = set_inflight_fd,
	[VU_RESET_DEVICE] = reset_device,
	[VU_GET_MAX_MEM_SLOTS] = get_max_mem_slots,
	[VU_ADD_MEM_REG] = add_mem_reg,
	[VU_REM_MEM_REG] = rem_mem_reg,
};

/* Refusals are told when the front-end asked for a verdict, else by hanging up: it would go on as if all were well. */
static int answer(struct vu_back *b, struct vu_msg *m, uint32_t request, uint32_t flags, int err)
{
	bool ack = flags & VU_FLAG_NEED_REPLY && b->protocol & BIT(VU_P_REPLY_ACK);
	struct vu_msg verdict;

	if (err)
		log_guest("vhost-user: %s refused: %s", vu_name(VU_FROM_FRONT, request), strerror(-err));
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
		r = request < ARRAY_SIZE(handlers) && handlers[request] ? handlers[request](b, &m) : -ENOSYS;
	err = answer(b, &m, request, flags, r);
	vu_close_fds(&m);
	return err ? err : 1;
}

/* ---- callbacks of the net_backend, on its threads ---- */

static void signal_fd(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		return; /* full: it is signalled already */
}

static void on_call(void *front, unsigned ring)
{
	struct vu_back *b = front;

	signal_fd(b->ring[ring].call_fd);
}

static void on_broken(void *front, unsigned ring)
{
	struct vu_back *b = front;

	log_guest("vhost-user: ring %u is broken", ring);
	if (b->ring[ring].err_fd >= 0)
		signal_fd(b->ring[ring].err_fd);
}

static void on_link(void *front, bool up)
{
	(void)front;
	(void)up;
}

static const struct net_front_ops front_ops = {.call = on_call, .ring_broken = on_broken, .link = on_link};

/* ---- life ---- */

int vu_back_init(struct vu_back *b, struct net_backend *be)
{
	*b = (struct vu_back){.be = be, .sock = -1};
	be->front_ops = &front_ops;
	be->front = b;
	for (unsigned i = 0; i < NET_RINGS_MAX; i++)
		b->ring[i].kick_fd = b->ring[i].call_fd = b->ring[i].err_fd = -1;
	for (unsigned i = 0; i < n_rings(b); i++) {
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
	device_stop(b);
	for (unsigned i = 0; i < n_rings(b); i++) {
		int none = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		ring_reset(&b->ring[i]);
		/* Let go of the front-end's call; without a spare fd the next front-end replaces it. */
		if (none >= 0)
			dup3(none, b->ring[i].call_fd, O_CLOEXEC);
		close_fd(&none);
	}
	gmem_destroy(b->gm);
	b->gm = NULL;
	vu_mem_clear(&b->mem);
	inflight_unmap(&b->inflight);
	close_fd(&b->sock);
}

void vu_back_exit(struct vu_back *b)
{
	vu_back_hang_up(b);
	for (unsigned i = 0; i < n_rings(b); i++)
		close_fd(&b->ring[i].call_fd);
}
