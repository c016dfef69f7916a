// SPDX-License-Identifier: MIT
/* What each request of a front-end does to the vhost-user back-end. */
#include "vmm/vhost/back_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"

#define BIT(n) (1ull << (n))

#define PROTOCOL (BIT(VU_P_MQ) | BIT(VU_P_REPLY_ACK) | BIT(VU_P_CONFIG) | BIT(VU_P_RESET_DEVICE) | \
		  BIT(VU_P_INFLIGHT_SHMFD) | BIT(VU_P_CONFIGURE_MEM_SLOTS))

static uint64_t features_offered(const struct vu_back *b)
{
	return b->dev->features | BIT(VIRTIO_F_VERSION_1) | BIT(VU_F_PROTOCOL_FEATURES);
}

/* ---- negotiation ---- */

static int get_features(struct vu_back *b, struct vu_msg *m)
{
	*m = vu_msg_u64(m->request, features_offered(b));
	return 0;
}

static int set_features(struct vu_back *b, struct vu_msg *m)
{
	if (m->p.u64 & ~features_offered(b))
		return -EINVAL;
	vu_device_stop(b);
	b->features = m->p.u64;
	/* Without the protocol features rings need no enabling. */
	for (unsigned i = 0; i < b->dev->n_rings && !(b->features & BIT(VU_F_PROTOCOL_FEATURES)); i++)
		b->ring[i].enabled = true;
	return vu_device_update(b);
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
	vu_device_stop(b);
	for (unsigned i = 0; i < b->dev->n_rings; i++)
		vu_ring_reset(&b->ring[i]);
	return 0;
}

static int get_queue_num(struct vu_back *b, struct vu_msg *m)
{
	*m = vu_msg_u64(m->request, b->dev->queues);
	return 0;
}

/* ---- memory ---- */

/* The device goes on with the regions there are, also when the request could not be carried out (err). */
static int memory_changed(struct vu_back *b, int err)
{
	int failed = 0;

	gmem_destroy(b->gm);
	b->gm = NULL;
	if (b->mem.n)
		failed = vu_mem_gmem(&b->mem, &b->gm);
	if (!failed)
		failed = vu_device_update(b);
	if (failed)
		return failed;
	return err;
}

static int set_mem_table(struct vu_back *b, struct vu_msg *m)
{
	const struct vu_memory *t = &m->p.mem;
	int err = 0;

	if (t->n > VU_REGIONS_MAX || t->n != m->n_fds ||
	    m->size < offsetof(struct vu_memory, region) + t->n * sizeof(t->region[0]))
		return -EINVAL;
	vu_device_stop(b);
	vu_mem_clear(&b->mem);
	for (unsigned i = 0; i < t->n && !err; i++)
		err = vu_mem_add(&b->mem, &t->region[i], vu_take_fd(m, i));
	if (err)
		vu_mem_clear(&b->mem);
	return memory_changed(b, err);
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

	vu_device_stop(b);
	err = vu_mem_add(&b->mem, &m->p.reg.region, vu_take_fd(m, 0));
	return memory_changed(b, err);
}

static int rem_mem_reg(struct vu_back *b, struct vu_msg *m)
{
	int err;

	vu_device_stop(b);
	err = vu_mem_del(&b->mem, &m->p.reg.region);
	return memory_changed(b, err);
}

/* ---- rings ---- */

static struct vu_back_ring *ring_of(struct vu_back *b, uint64_t index)
{
	if (index < b->dev->n_rings)
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
	vu_device_stop(b);
	r->addr = m->p.addr;
	r->has_addr = true;
	return vu_device_update(b);
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
	vu_device_stop(b);
	close_fd(&r->kick_fd); /* the ring is stopped; it starts again with a new kick */
	*m = vu_msg_state(m->request, m->p.state.index, r->base);
	return vu_device_update(b);
}

/* Reading or writing any other kind of file could block us, or worse. */
static bool is_eventfd(const struct vu_back *b, int fd)
{
	char name[12], target[32] = "";

	snprintf(name, sizeof(name), "%d", fd);
	return readlinkat(b->own_fds, name, target, sizeof(target) - 1) > 0 &&
	       !strcmp(target, "anon_inode:[eventfd]");
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
	if (!is_eventfd(b, m->fd[0])) {
		log_guest("vhost-user: %s with an fd that is no eventfd",
			  vu_name(VU_FROM_FRONT, m->request));
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
		return -EOPNOTSUPP; /* no ring without kicks: poll_us comes in addition to them */
	vu_device_stop(b);
	close_fd(&r->kick_fd);
	r->kick_fd = fd;
	return vu_device_update(b);
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
	err = errno_if(fd < 0 || dup3(fd, r->call_fd, O_CLOEXEC) < 0);
	close_fd(&fd);
	return err;
}

static int set_vring_err(struct vu_back *b, struct vu_msg *m)
{
	struct vu_back_ring *r;
	int fd, err = ring_fd(b, m, &r, &fd);

	if (err)
		return err;
	vu_device_stop(b); /* ring_broken uses it on another thread */
	close_fd(&r->err_fd);
	r->err_fd = fd;
	return vu_device_update(b);
}

static int set_vring_enable(struct vu_back *b, struct vu_msg *m)
{
	struct vu_back_ring *r = ring_of(b, m->p.state.index);

	if (!r || m->p.state.num > 1)
		return -EINVAL;
	if (r->enabled == m->p.state.num)
		return 0;
	r->enabled = m->p.state.num;
	return vu_device_update(b);
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
	int err;

	vu_device_stop(b);
	for (unsigned i = 0; i < b->dev->n_rings; i++)
		b->ring[i].resume = true;
	err = inflight_map(&b->inflight, &m->p.inflight, vu_take_fd(m, 0));
	if (err)
		return err;
	return vu_device_update(b);
}

/* ---- configuration ---- */

/* Does the message hold the bytes that it speaks of, and the configuration too? */
static bool config_ok(const struct vu_back *b, const struct vu_msg *m)
{
	const struct vu_config *q = &m->p.config;

	return m->size >= 12 && m->size - 12 == q->size && range_ok(q->offset, q->size, b->dev->config_len);
}

static int get_config(struct vu_back *b, struct vu_msg *m)
{
	struct vu_config *q = &m->p.config;

	/* An answer without payload says no. */
	if (config_ok(b, m))
		memcpy(q->data, (const char *)b->dev->config + q->offset, q->size);
	else
		m->size = 0;
	return 0;
}

static int set_config(struct vu_back *b, struct vu_msg *m)
{
	const struct vu_config *q = &m->p.config;

	if (!b->dev->ops->config_write)
		return -EOPNOTSUPP;
	if (!config_ok(b, m))
		return -EINVAL;
	return b->dev->ops->config_write(b->dev, q->offset, q->data, q->size);
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

int vu_back_handle(struct vu_back *b, struct vu_msg *m)
{
	if (m->request >= ARRAY_SIZE(handlers) || !handlers[m->request])
		return -ENOSYS;
	return handlers[m->request](b, m);
}
