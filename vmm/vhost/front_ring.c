// SPDX-License-Identifier: MIT
/* The rings of a vhost-user front-end: handed over, taken back, recovered from a back-end that died. */
#include "vmm/core/eventfd.h"
#include "vmm/vhost/front.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <unistd.h>

#include "base/log.h"

#define BIT(n) (1ull << (n))

static bool packed(const struct vu_front *f)
{
	return f->features & BIT(VIRTIO_F_RING_PACKED);
}

static int set_addresses(struct vu_front *f, unsigned ring)
{
	const struct virtq_layout *l = &f->rings[ring].layout;
	struct vu_msg m = vu_msg_empty(VU_SET_VRING_ADDR);

	m.size = sizeof(m.p.addr);
	m.p.addr = (struct vu_vring_addr){
		.index = ring,
		.desc = (uintptr_t)gmem_ptr(f->gm, l->desc, 16ull * l->size),
		.avail = (uintptr_t)gmem_ptr(f->gm, l->driver, virtq_driver_bytes(packed(f), l->size)),
		.used = (uintptr_t)gmem_ptr(f->gm, l->device, virtq_device_bytes(packed(f), l->size)),
	};
	if (!m.p.addr.desc || !m.p.addr.avail || !m.p.addr.used)
		return -EFAULT;
	return vu_link_do(&f->link, &m);
}

static int set_state(struct vu_front *f, enum vu_request request, unsigned ring, uint32_t num)
{
	struct vu_msg m = vu_msg_state(request, ring, num);

	return vu_link_do(&f->link, &m);
}

/* Without the protocol features a ring is enabled from its start. */
int vu_front_ring_enable(struct vu_front *f, unsigned ring)
{
	if (!(f->link.features & BIT(VU_F_PROTOCOL_FEATURES)))
		return 0;
	return set_state(f, VU_SET_VRING_ENABLE, ring, !f->ops->wants || f->ops->wants(f, ring));
}

static int ring_describe(struct vu_front *f, unsigned ring)
{
	const struct served_ring *r = &f->rings[ring];
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
	return vu_front_ring_enable(f, ring);
}

void vu_front_ring_break(struct vu_front *f, unsigned ring, const char *why)
{
	if (f->ring[ring].broken)
		return;
	log_guest("%s: ring %u: %s", f->dev_name, ring, why);
	f->ring[ring].broken = true;
	f->ring[ring].running = false;
	f->ops->ring_broken(f, ring);
}

int vu_front_ring_hand_over(struct vu_front *f, unsigned ring)
{
	int err = ring_describe(f, ring);

	if (err == -EFAULT)
		vu_front_ring_break(f, ring, "not in memory");
	else if (err == -EREMOTEIO)
		vu_front_ring_break(f, ring, "refused by the back-end");
	return f->link.dead ? -ENOTCONN : 0;
}

/* Of a split ring: all that was made available has been used. */
static bool ring_idle(const struct vu_front *f, unsigned ring)
{
	const struct virtq_layout *l = &f->rings[ring].layout;
	uint16_t avail, used;

	return !gmem_read(f->gm, l->driver + 2, &avail, sizeof(avail)) &&
	       !gmem_read(f->gm, l->device + 2, &used, sizeof(used)) && avail == used;
}

void vu_front_ring_recover(struct vu_front *f, unsigned ring)
{
	struct served_ring *r = &f->rings[ring];
	uint16_t used = 0;

	if (packed(f) && f->inflight_fd < 0)
		vu_front_ring_break(f, ring,
				 "a packed ring does not tell where the lost back-end was");
	else if (!packed(f) && f->any_order && f->inflight_fd < 0 && !ring_idle(f, ring))
		vu_front_ring_break(f, ring, "nothing tells which requests the lost back-end had ended");
	else if (!packed(f) && !gmem_read(f->gm, r->layout.device + 2, &used, sizeof(used)))
		r->base = used;
}

void vu_front_ring_take_back(struct vu_front *f, unsigned ring)
{
	struct vu_msg m = vu_msg_state(VU_GET_VRING_BASE, ring, 0);

	if (!f->ring[ring].running)
		return;
	f->ring[ring].running = false;
	if (vu_link_get(&f->link, &m) == 0)
		f->rings[ring].base = m.p.state.num;
	else if (!packed(f) && !f->any_order)
		vu_front_ring_recover(f, ring);
}

static int set_features(struct vu_front *f)
{
	uint64_t keep = f->features | BIT(VU_F_PROTOCOL_FEATURES);
	struct vu_msg m = vu_msg_u64(VU_SET_FEATURES, keep & f->link.features);

	return vu_link_do(&f->link, &m);
}

void vu_front_drop_inflight(struct vu_front *f)
{
	close_fd(&f->inflight_fd);
}

static int get_inflight(struct vu_front *f)
{
	struct vu_msg m = vu_msg_empty(VU_GET_INFLIGHT_FD);
	int err;

	m.size = sizeof(m.p.inflight);
	m.p.inflight.queues = (uint16_t)f->n_rings;
	for (unsigned i = 0; i < f->n_rings; i++)
		m.p.inflight.queue_size = MAX(m.p.inflight.queue_size, f->rings[i].layout.size);
	err = vu_link_get(&f->link, &m);
	if (err)
		return err;
	f->inflight = m.p.inflight;
	f->inflight_fd = vu_take_fd(&m, 0);
	return 0;
}

static int hand_over_inflight(struct vu_front *f)
{
	struct vu_msg m = vu_msg_empty(VU_SET_INFLIGHT_FD);
	bool has = vu_link_has(&f->link, VU_P_INFLIGHT_SHMFD);
	int err;

	if (!packed(f) && !f->any_order)
		return 0;
	for (unsigned i = 0; i < f->n_rings && !has && f->inflight_fd >= 0; i++)
		if (f->ring[i].running)
			vu_front_ring_break(f, i, "this back-end cannot go on where the lost one was");
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

int vu_front_hand_over(struct vu_front *f)
{
	int err = set_features(f);

	if (!err)
		err = vu_link_set_memory(&f->link, f->gm);
	if (!err)
		err = hand_over_inflight(f);
	for (unsigned i = 0; i < f->n_rings && !err; i++)
		if (f->ring[i].running)
			err = vu_front_ring_hand_over(f, i);
	return err;
}

void vu_front_wake_rings(struct vu_front *f)
{
	for (unsigned i = 0; i < f->n_rings; i++) {
		if (!f->ring[i].running)
			continue;
		eventfd_signal(f->rings[i].kick_fd);
		eventfd_signal(f->rings[i].call_fd);
	}
}
