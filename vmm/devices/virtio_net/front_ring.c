// SPDX-License-Identifier: MIT
/* The rings of a vhost-user front-end: handed over, taken back, recovered from a back-end that died. */
#include "vmm/core/eventfd.h"
#include "vmm/devices/virtio_net/front.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/log.h"

#define BIT(n) (1ull << (n))

static bool packed(const struct front *f)
{
	return f->features & BIT(VIRTIO_F_RING_PACKED);
}

static int set_addresses(struct front *f, unsigned ring)
{
	const struct virtq_layout *l = &f->be->rings[ring].layout;
	struct vu_msg m = vu_msg_empty(VU_SET_VRING_ADDR);

	m.size = sizeof(m.p.addr);
	m.p.addr = (struct vu_vring_addr){
		.index = ring,
		.desc = (uintptr_t)gmem_ptr(f->be->gm, l->desc, 16ull * l->size),
		.avail = (uintptr_t)gmem_ptr(f->be->gm, l->driver, virtq_driver_bytes(packed(f), l->size)),
		.used = (uintptr_t)gmem_ptr(f->be->gm, l->device, virtq_device_bytes(packed(f), l->size)),
	};
	if (!m.p.addr.desc || !m.p.addr.avail || !m.p.addr.used)
		return -EFAULT;
	return vu_link_do(&f->link, &m);
}

static int set_state(struct front *f, enum vu_request request, unsigned ring, uint32_t num)
{
	struct vu_msg m = vu_msg_state(request, ring, num);

	return vu_link_do(&f->link, &m);
}

/* Without the protocol features a ring is enabled from its start. */
int front_ring_enable(struct front *f, unsigned ring)
{
	if (!(f->link.features & BIT(VU_F_PROTOCOL_FEATURES)))
		return 0;
	return set_state(f, VU_SET_VRING_ENABLE, ring, ring / 2 < f->active_pairs);
}

static int ring_describe(struct front *f, unsigned ring)
{
	const struct net_ring *r = &f->be->rings[ring];
	int err = set_state(f, VU_SET_VRING_NUM, ring, r->layout.size);

	if (!err)
		err = set_state(f, VU_SET_VRING_BASE, ring, r->base);
	if (!err)
		err = set_addresses(f, ring);
	if (!err)
		err = vu_link_set_fd(&f->link, VU_SET_VRING_ERR, ring, f->ring[ring].err_fd);
	if (!err)
		err = vu_link_set_fd(&f->link, VU_SET_VRING_CALL, ring, r->call_fd);
	if (!err)
		err = vu_link_set_fd(&f->link, VU_SET_VRING_KICK, ring, r->kick_fd);
	if (err)
		return err;
	return front_ring_enable(f, ring);
}

void front_ring_break(struct front *f, unsigned ring, const char *why)
{
	if (f->ring[ring].broken)
		return;
	log_guest("%s: ring %u: %s", f->be->dev_name, ring, why);
	f->ring[ring].broken = true;
	f->ring[ring].running = false;
	f->be->front_ops->ring_broken(f->be->front, ring);
}

int front_ring_hand_over(struct front *f, unsigned ring)
{
	int err = ring_describe(f, ring);

	if (err == -EFAULT)
		front_ring_break(f, ring, "not in memory");
	else if (err == -EREMOTEIO)
		front_ring_break(f, ring, "refused by the back-end");
	return f->link.dead ? -ENOTCONN : 0;
}

void front_ring_recover(struct front *f, unsigned ring)
{
	struct net_ring *r = &f->be->rings[ring];
	uint16_t used = 0;

	if (packed(f) && f->inflight_fd < 0)
		front_ring_break(f, ring,
				 "a packed ring does not tell where the lost back-end was");
	else if (!packed(f) && !gmem_read(f->be->gm, r->layout.device + 2, &used, sizeof(used)))
		r->base = used;
}

void front_ring_take_back(struct front *f, unsigned ring)
{
	struct vu_msg m = vu_msg_state(VU_GET_VRING_BASE, ring, 0);

	if (!f->ring[ring].running)
		return;
	f->ring[ring].running = false;
	if (vu_link_get(&f->link, &m) == 0)
		f->be->rings[ring].base = m.p.state.num;
	else if (!packed(f))
		front_ring_recover(f, ring);
}

static int set_features(struct front *f)
{
	uint64_t keep = f->features | BIT(VU_F_PROTOCOL_FEATURES);
	struct vu_msg m = vu_msg_u64(VU_SET_FEATURES, keep & f->link.features);

	return vu_link_do(&f->link, &m);
}

void front_drop_inflight(struct front *f)
{
	close_fd(&f->inflight_fd);
}

static int get_inflight(struct front *f)
{
	struct vu_msg m = vu_msg_empty(VU_GET_INFLIGHT_FD);
	int err;

	m.size = sizeof(m.p.inflight);
	m.p.inflight.queues = (uint16_t)f->n_rings;
	for (unsigned i = 0; i < f->n_rings; i++)
		m.p.inflight.queue_size = MAX(m.p.inflight.queue_size, f->be->rings[i].layout.size);
	err = vu_link_get(&f->link, &m);
	if (err)
		return err;
	f->inflight = m.p.inflight;
	f->inflight_fd = vu_take_fd(&m, 0);
	return 0;
}

static int hand_over_inflight(struct front *f)
{
	struct vu_msg m = vu_msg_empty(VU_SET_INFLIGHT_FD);
	bool has = vu_link_has(&f->link, VU_P_INFLIGHT_SHMFD);
	int err;

	if (!packed(f))
		return 0;
	for (unsigned i = 0; i < f->n_rings && !has && f->inflight_fd >= 0; i++)
		if (f->ring[i].running)
			front_ring_break(f, i, "this back-end cannot take over a packed ring");
	if (!has)
		return 0;
	if (f->inflight_fd < 0) {
		err = get_inflight(f);
		if (err || f->inflight_fd < 0)
			return err;
	}
	m.size = sizeof(m.p.inflight);
	m.p.inflight = f->inflight;
	m.n_fds = 1;
	m.fd[0] = f->inflight_fd;
	return vu_link_do(&f->link, &m);
}

int front_hand_over(struct front *f)
{
	int err = set_features(f);

	if (!err)
		err = vu_link_set_memory(&f->link, f->be->gm);
	if (!err)
		err = hand_over_inflight(f);
	for (unsigned i = 0; i < f->n_rings && !err; i++)
		if (f->ring[i].running)
			err = front_ring_hand_over(f, i);
	return err;
}

void front_wake_rings(struct front *f)
{
	for (unsigned i = 0; i < f->n_rings; i++) {
		if (!f->ring[i].running)
			continue;
		eventfd_signal(f->be->rings[i].kick_fd);
		eventfd_signal(f->be->rings[i].call_fd);
	}
}
