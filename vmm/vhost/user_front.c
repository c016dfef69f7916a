// SPDX-License-Identifier: MIT
/*
 * mode=vhost-user: another process moves the packets. Guest memory is given to it as the memfd behind it, the rings'
 * kicks and calls as the eventfds that KVM holds.
 *
 * When the back-end dies, the guest sees its link go down and lives on; a timer tries to connect again, and when there is a
 * back-end the rings go on where the used index in memory says that the dead one had come to. That holds because a
 * network back-end finishes chains in the order it took them: whatever lies after the used index is served again.
 *
 * f->lock guards everything that both sides use: calls of the front half, and the watch thread. Only the watch thread opens
 * and closes the connection after open(); others mark it dead.
 */
#include <errno.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "vmm/core/evloop.h"
#include "vmm/net/backend.h"
#include "vmm/vhost/user_link.h"

#define RETRY_NS (100 * NSEC_PER_MSEC)

#define BIT(n) (1ull << (n))

struct front;

struct front_ring {
	struct front *f;
	unsigned index;
	int err_fd;
	bool running; /* handed to the back-end, if there is one */
	bool broken;
};

struct front {
	struct net_backend *be;
	char *path;
	struct evloop *watch;
	int timer_fd;
	pthread_mutex_t lock;
	struct vu_link link;
	int channel;       /* our end of the back-end's own requests */
	bool started;
	uint64_t features; /* negotiated with the guest */
	unsigned n_rings, active_pairs;
	struct front_ring ring[NET_RINGS_MAX];
};

/* ---- rings ---- */

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
		.avail = (uintptr_t)gmem_ptr(f->be->gm, l->driver, packed(f) ? 4 : 6 + 2ull * l->size),
		.used = (uintptr_t)gmem_ptr(f->be->gm, l->device, packed(f) ? 4 : 6 + 8ull * l->size),
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
static int ring_enable(struct front *f, unsigned ring)
{
	if (!(f->link.features & BIT(VU_F_PROTOCOL_FEATURES)))
		return 0;
	return set_state(f, VU_SET_VRING_ENABLE, ring, ring / 2 < f->active_pairs);
}

static int ring_hand_over(struct front *f, unsigned ring)
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
	return err ? err : ring_enable(f, ring);
}

/* Never blocks, even when the peer has changed the eventfd that we share with it. */
static void signal_fd(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	uint64_t one = 1;

	if (poll(&p, 1, 0) == 1 && write(fd, &one, sizeof(one)) < 0)
		return; /* full: it is signalled already */
}

static void ring_break(struct front *f, unsigned ring, const char *why)
{
	if (f->ring[ring].broken)
		return;
	log_guest("%s: ring %u: %s", f->be->dev_name, ring, why);
	f->ring[ring].broken = true;
	f->ring[ring].running = false;
	f->be->front_ops->ring_broken(f->be->front, ring);
}

/* A dead connection is no error of a ring: it is handed over again when there is a back-end. */
static int ring_start(struct front *f, unsigned ring)
{
	int err = ring_hand_over(f, ring);

	if (err == -EFAULT || err == -EREMOTEIO)
		ring_break(f, ring, err == -EFAULT ? "not in memory" : "refused by the back-end");
	return f->link.dead ? -ENOTCONN : 0;
}

/* Where a back-end that can no longer be asked had come to. */
static void ring_recover(struct front *f, unsigned ring)
{
	struct net_ring *r = &f->be->rings[ring];
	uint16_t used = 0;

	if (packed(f))
		ring_break(f, ring, "a packed ring does not tell where the lost back-end was");
	else if (!gmem_read(f->be->gm, r->layout.device + 2, &used, sizeof(used)))
		r->base = used;
}

static void ring_stop(struct front *f, unsigned ring)
{
	struct vu_msg m = vu_msg_state(VU_GET_VRING_BASE, ring, 0);

	if (!f->ring[ring].running)
		return;
	f->ring[ring].running = false;
	if (vu_link_get(&f->link, &m) == 0)
		f->be->rings[ring].base = m.p.state.num;
	else if (!packed(f))
		ring_recover(f, ring);
}

/* ---- the connection ---- */

static int set_features(struct front *f)
{
	uint64_t keep = f->features | BIT(VU_F_PROTOCOL_FEATURES);
	struct vu_msg m = vu_msg_u64(VU_SET_FEATURES, keep & f->link.features);

	return vu_link_do(&f->link, &m);
}

/* Tell a fresh back-end all that the guest has set up. */
static int hand_over(struct front *f)
{
	int err = set_features(f);

	if (!err)
		err = vu_link_set_memory(&f->link, f->be->gm);
	for (unsigned i = 0; i < f->n_rings && !err; i++)
		if (f->ring[i].running)
			err = ring_start(f, i);
	return err;
}

static void arm_timer(struct front *f, uint64_t ns)
{
	struct timespec ts = {(time_t)(ns / NSEC_PER_SEC), (long)(ns % NSEC_PER_SEC)};
	struct itimerspec t = {ts, ts};

	timerfd_settime(f->timer_fd, 0, &t, NULL);
}

/* On the watch thread. */
static void lost(struct front *f)
{
	evloop_del(f->watch, f->link.sock);
	vu_link_close(&f->link);
	if (f->channel >= 0)
		evloop_del(f->watch, f->channel);
	close_fd(&f->channel);
	for (unsigned i = 0; i < f->n_rings && f->started; i++)
		if (f->ring[i].running)
			ring_recover(f, i);
	arm_timer(f, RETRY_NS);
}

static void on_socket(void *arg, uint32_t events)
{
	struct front *f = arg;

	(void)events;
	pthread_mutex_lock(&f->lock);
	log_warn("%s: the vhost-user back-end at %s is gone; the guest's link is down until it is back", f->be->dev_name,
		 f->path);
	lost(f);
	f->be->front_ops->link(f->be->front, false);
	pthread_mutex_unlock(&f->lock);
}

/* MTU and link status of the back-end, where it tells: struct virtio_net_config. */
static bool read_config(struct front *f, struct virtio_net_config *c)
{
	struct vu_msg m = vu_msg_empty(VU_GET_CONFIG);
	uint32_t len = offsetof(struct virtio_net_config, mtu) + sizeof(c->mtu);

	memset(c, 0, sizeof(*c));
	if (!vu_link_has(&f->link, VU_P_CONFIG))
		return false;
	m.size = 12 + len;
	m.p.config.size = len;
	if (vu_link_get(&f->link, &m) || m.size < 12 + len)
		return false;
	memcpy(c, m.p.config.data, len);
	return true;
}

/* The back-end's own requests: only that its configuration changed. */
static void on_channel(void *arg, uint32_t events)
{
	struct front *f = arg;
	struct virtio_net_config c;
	struct vu_msg m;
	int r;

	(void)events;
	pthread_mutex_lock(&f->lock);
	r = vu_recv(f->channel, VU_FROM_BACK, &m, NSEC_PER_SEC);
	if (r > 0 || r == -ENOSYS) {
		if (m.flags & VU_FLAG_NEED_REPLY) {
			struct vu_msg ack = vu_msg_u64(m.request, r < 0);

			ack.flags |= VU_FLAG_REPLY;
			vu_send(f->channel, &ack, NSEC_PER_SEC);
		}
		if (r > 0 && read_config(f, &c))
			f->be->front_ops->link(f->be->front, c.status & VIRTIO_NET_S_LINK_UP);
		vu_close_fds(&m);
	} else {
		evloop_del(f->watch, f->channel);
		close_fd(&f->channel);
	}
	pthread_mutex_unlock(&f->lock);
}

static int open_channel(struct front *f)
{
	struct vu_msg m = vu_msg_empty(VU_SET_BACKEND_REQ_FD);
	int pair[2], err;

	if (!vu_link_has(&f->link, VU_P_BACKEND_REQ))
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	m.n_fds = 1;
	m.fd[0] = pair[1];
	err = vu_link_do(&f->link, &m);
	close(pair[1]);
	f->channel = pair[0];
	return err;
}

/* Connect; the features promised to the guest must (still) be there. */
static int join(struct front *f, bool again)
{
	uint64_t want = again ? f->be->features | BIT(VIRTIO_F_VERSION_1) : BIT(VIRTIO_F_VERSION_1);
	int err = vu_link_open(&f->link, f->path, again);

	if (err)
		return err;
	if (want & ~f->link.features || f->link.pairs < f->be->pairs) {
		log_error("%s: vhost-user: the back-end at %s serves %u queue pairs and lacks the features 0x%llx; %u pairs "
			  "are asked for", f->be->dev_name, f->path, f->link.pairs,
			  (unsigned long long)(want & ~f->link.features), f->be->pairs);
		err = -EOPNOTSUPP;
	}
	if (!err)
		err = open_channel(f);
	if (!err && f->started)
		err = hand_over(f);
	if (!err)
		err = evloop_add(f->watch, f->link.sock, EPOLLRDHUP, on_socket, f);
	/* Last, as nothing that fails may have to wait for a callback of it while holding the lock. */
	if (!err && f->channel >= 0 && evloop_add(f->watch, f->channel, EPOLLIN, on_channel, f))
		close_fd(&f->channel);
	if (!err)
		return 0;
	close_fd(&f->channel);
	vu_link_close(&f->link);
	return err;
}

/* Kicks and calls may have been lost with the old process: give each once more. */
static void wake_rings(struct front *f)
{
	for (unsigned i = 0; i < f->n_rings; i++) {
		if (!f->ring[i].running)
			continue;
		signal_fd(f->be->rings[i].kick_fd);
		signal_fd(f->be->rings[i].call_fd);
	}
}

static void on_timer(void *arg, uint32_t events)
{
	struct front *f = arg;
	uint64_t count;
	int err;

	(void)events;
	if (read(f->timer_fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&f->lock);
	err = join(f, true);
	/* Nobody there: cheap to ask often. Somebody who does not do: give it and the log a rest. */
	arm_timer(f, !err ? 0 : err == -ENOENT || err == -ECONNREFUSED ? RETRY_NS : 20 * RETRY_NS);
	if (!err) {
		log_info("%s: the vhost-user back-end at %s is back", f->be->dev_name, f->path);
		if (f->started)
			wake_rings(f);
		f->be->front_ops->link(f->be->front, true);
	}
	pthread_mutex_unlock(&f->lock);
}

static void on_error(void *arg, uint32_t events)
{
	struct front_ring *r = arg;
	uint64_t count;

	(void)events;
	if (read(r->err_fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&r->f->lock);
	if (r->running) {
		ring_stop(r->f, r->index);
		ring_break(r->f, r->index, "found broken by the back-end");
	}
	pthread_mutex_unlock(&r->f->lock);
}

/* ---- the backend ---- */

static struct front *front_new(struct net_backend *be)
{
	struct front *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->be = be;
	f->link = (struct vu_link)VU_LINK_INIT;
	f->link.who = be->dev_name;
	f->timer_fd = f->channel = -1;
	pthread_mutex_init(&f->lock, NULL);
	for (unsigned i = 0; i < NET_RINGS_MAX; i++)
		f->ring[i] = (struct front_ring){.f = f, .index = i, .err_fd = -1};
	return f;
}

static int open_watch(struct front *f)
{
	char name[16];
	int err;

	snprintf(name, sizeof(name), "%.10s-ctl", f->be->dev_name);
	err = evloop_create(&f->watch, name);
	if (err)
		return err;
	f->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	err = f->timer_fd < 0 ? -errno : evloop_add(f->watch, f->timer_fd, EPOLLIN, on_timer, f);
	for (unsigned i = 0; i < 2 * f->be->pairs && !err; i++) {
		f->ring[i].err_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		err = f->ring[i].err_fd < 0 ? -errno
					    : evloop_add(f->watch, f->ring[i].err_fd, EPOLLIN, on_error, &f->ring[i]);
	}
	if (err)
		log_error("%s: vhost-user: cannot set up the watch: %s", f->be->dev_name, strerror(-err));
	return err;
}

static int front_open(struct net_backend *be, const struct dev_opts *opts)
{
	struct front *f = be->priv = front_new(be);
	const char *path = dev_opts_str(opts, "path", NULL);
	struct virtio_net_config c;
	int err;

	if (!f)
		return -ENOMEM;
	if (!path) {
		log_error("%s: mode=vhost-user needs path=SOCKET of the back-end", be->dev_name);
		return -EINVAL;
	}
	if (gmem_fd(be->gm) < 0) {
		log_error("%s: mode=vhost-user: guest memory is private to this process; add --share-memory", be->dev_name);
		return -EINVAL;
	}
	f->path = strdup(path);
	err = f->path ? open_watch(f) : -ENOMEM;
	if (err)
		return err;
	pthread_mutex_lock(&f->lock);
	err = join(f, false);
	if (!err) {
		/* Offloads cannot be changed over this protocol once the features are set. */
		be->features = f->link.features & NET_BACKEND_FEATURES & ~BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);
		if (read_config(f, &c))
			be->mtu = c.mtu;
	}
	pthread_mutex_unlock(&f->lock);
	return err == -ENOENT || err == -ECONNREFUSED || err == -EACCES ? -ENODEV : err;
}

static void front_close(struct net_backend *be)
{
	struct front *f = be->priv;

	if (!f)
		return;
	evloop_destroy(f->watch);
	vu_link_close(&f->link);
	close_fd(&f->channel);
	close_fd(&f->timer_fd);
	for (unsigned i = 0; i < NET_RINGS_MAX; i++)
		close_fd(&f->ring[i].err_fd);
	pthread_mutex_destroy(&f->lock);
	free(f->path);
	free(f);
	be->priv = NULL;
}

/* While there is no back-end everything succeeds, and is handed over when it comes. */
static int unless_gone(int err)
{
	return err == -ENOTCONN ? 0 : err;
}

static int front_start(struct net_backend *be, uint64_t features, unsigned n)
{
	struct front *f = be->priv;
	int err;

	pthread_mutex_lock(&f->lock);
	f->started = true;
	f->features = features;
	f->n_rings = n;
	f->active_pairs = 1;
	for (unsigned i = 0; i < n; i++) {
		f->ring[i].broken = false;
		f->ring[i].running = be->rings[i].ready; /* also when it has to wait for a back-end */
	}
	err = unless_gone(hand_over(f));
	pthread_mutex_unlock(&f->lock);
	return err;
}

static void front_stop(struct net_backend *be)
{
	struct front *f = be->priv;

	pthread_mutex_lock(&f->lock);
	for (unsigned i = 0; i < f->n_rings; i++)
		ring_stop(f, i);
	f->started = false;
	pthread_mutex_unlock(&f->lock);
}

static int front_ring_start(struct net_backend *be, unsigned ring)
{
	struct front *f = be->priv;
	int err;

	pthread_mutex_lock(&f->lock);
	f->ring[ring].broken = false;
	f->ring[ring].running = be->rings[ring].ready;
	err = f->ring[ring].running ? unless_gone(ring_start(f, ring)) : 0;
	pthread_mutex_unlock(&f->lock);
	return err;
}

static void front_ring_stop(struct net_backend *be, unsigned ring)
{
	struct front *f = be->priv;

	pthread_mutex_lock(&f->lock);
	ring_stop(f, ring);
	pthread_mutex_unlock(&f->lock);
}

static int front_set_pairs(struct net_backend *be, unsigned pairs)
{
	struct front *f = be->priv;
	int err = 0;

	pthread_mutex_lock(&f->lock);
	f->active_pairs = pairs;
	for (unsigned i = 0; i < f->n_rings && !err; i++)
		if (f->ring[i].running)
			err = ring_enable(f, i);
	pthread_mutex_unlock(&f->lock);
	return unless_gone(err);
}

/* The back-end has them in SET_FEATURES; CTRL_GUEST_OFFLOADS is not offered. */
static int front_set_offloads(struct net_backend *be, uint64_t guest_features)
{
	(void)be;
	(void)guest_features;
	return 0;
}

const struct net_backend_ops net_backend_vhost_user = {
	.name = "vhost-user",
	.open = front_open,
	.close = front_close,
	.start = front_start,
	.stop = front_stop,
	.ring_start = front_ring_start,
	.ring_stop = front_ring_stop,
	.set_pairs = front_set_pairs,
	.set_offloads = front_set_offloads,
};
