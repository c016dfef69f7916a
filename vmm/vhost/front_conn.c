// SPDX-License-Identifier: MIT
/* The connection to a vhost-user back-end: made, watched, and made again when a new one listens. */
#include "vmm/core/eventfd.h"
#include "vmm/vhost/front.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define RETRY_NS (100 * NSEC_PER_MSEC)

#define BIT(n) (1ull << (n))

static void arm_timer(struct vu_front *f, uint64_t ns)
{
	struct timespec ts = {(time_t)(ns / NSEC_PER_SEC), (long)(ns % NSEC_PER_SEC)};
	struct itimerspec t = {ts, ts};

	timerfd_settime(f->timer_fd, 0, &t, NULL);
}

/* On the watch thread. */
static void connection_lost(struct vu_front *f)
{
	evloop_del(f->watch, f->link.sock);
	vu_link_close(&f->link);
	if (f->channel >= 0)
		evloop_del(f->watch, f->channel);
	close_fd(&f->channel);
	for (unsigned i = 0; i < f->n_rings && f->started; i++)
		if (f->ring[i].running)
			vu_front_ring_recover(f, i);
	arm_timer(f, RETRY_NS);
}

static void on_socket(void *arg, uint32_t events)
{
	struct vu_front *f = arg;

	(void)events;
	pthread_mutex_lock(&f->lock);
	log_warn("%s: the vhost-user back-end at %s is gone; %s until it is back", f->dev_name, f->path,
		 f->without);
	connection_lost(f);
	f->ops->link(f, false);
	pthread_mutex_unlock(&f->lock);
}

bool vu_front_read_config(struct vu_front *f, void *config, uint32_t len)
{
	struct vu_msg m = vu_msg_empty(VU_GET_CONFIG);

	memset(config, 0, len);
	if (!vu_link_has(&f->link, VU_P_CONFIG))
		return false;
	m.size = 12 + len;
	m.p.config.size = len;
	if (vu_link_get(&f->link, &m) || m.size < 12 + len)
		return false;
	memcpy(config, m.p.config.data, len);
	return true;
}

int vu_front_write_config(struct vu_front *f, uint32_t off, uint8_t val)
{
	struct vu_msg m = vu_msg_empty(VU_SET_CONFIG);

	if (!vu_link_has(&f->link, VU_P_CONFIG))
		return -EOPNOTSUPP;
	m.size = 12 + 1;
	m.p.config = (struct vu_config){.offset = off, .size = 1, .data = {val}};
	return vu_link_do(&f->link, &m);
}

/* The back-end's own requests: only that its configuration changed. */
static void on_channel(void *arg, uint32_t events)
{
	struct vu_front *f = arg;
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
		if (r > 0)
			f->ops->config_changed(f);
		vu_close_fds(&m);
	} else {
		evloop_del(f->watch, f->channel);
		close_fd(&f->channel);
	}
	pthread_mutex_unlock(&f->lock);
}

static int open_channel(struct vu_front *f)
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

int vu_front_join(struct vu_front *f, bool again)
{
	uint64_t want = BIT(VIRTIO_F_VERSION_1);
	int err = vu_link_open(&f->link, &f->broker, f->path, again);

	if (err)
		return err;
	if (again)
		want |= f->promised;
	if (want & ~f->link.features) {
		log_error("%s: vhost-user: the back-end at %s lacks the features 0x%llx", f->dev_name, f->path,
			  (unsigned long long)(want & ~f->link.features));
		err = -EOPNOTSUPP;
	}
	if (!err)
		err = f->ops->joined(f, again);
	if (!err)
		err = open_channel(f);
	if (!err && f->started)
		err = vu_front_hand_over(f);
	if (!err)
		err = evloop_add(f->watch, f->link.sock, EPOLLRDHUP, on_socket, f);
	/* This comes last: what fails after it would have to wait for its callback while holding the lock. */
	if (!err && f->channel >= 0 && evloop_add(f->watch, f->channel, EPOLLIN, on_channel, f))
		close_fd(&f->channel);
	if (!err)
		return 0;
	close_fd(&f->channel);
	vu_link_close(&f->link);
	return err;
}

/* Where nobody is there it is cheap to ask often; where somebody does not suit, it and the log get a rest. */
static uint64_t next_try_ns(int err)
{
	if (!err)
		return 0;
	return err == -ENOENT || err == -ECONNREFUSED ? RETRY_NS : 20 * RETRY_NS;
}

static void on_timer(void *arg, uint32_t events)
{
	struct vu_front *f = arg;
	uint64_t count;
	int err;

	(void)events;
	if (read(f->timer_fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&f->lock);
	err = vu_front_join(f, true);
	arm_timer(f, next_try_ns(err));
	if (!err) {
		log_info("%s: the vhost-user back-end at %s is back", f->dev_name, f->path);
		if (f->started)
			vu_front_wake_rings(f);
		f->ops->link(f, true);
	}
	pthread_mutex_unlock(&f->lock);
}

static void on_error(void *arg, uint32_t events)
{
	struct vu_front_ring *r = arg;

	(void)events;
	if (!eventfd_drain(r->err_fd))
		return;
	pthread_mutex_lock(&r->f->lock);
	if (r->running) {
		vu_front_ring_take_back(r->f, r->index);
		vu_front_ring_break(r->f, r->index, "found broken by the back-end");
	}
	pthread_mutex_unlock(&r->f->lock);
}

/* fd as its maker returned it: -1 with errno, or open. */
static int watch_fd(struct evloop *l, int fd, evloop_fn fn, void *arg)
{
	if (fd < 0)
		return -errno;
	return evloop_add(l, fd, EPOLLIN, fn, arg);
}

int vu_front_open_watch(struct vu_front *f)
{
	char name[16];
	int err;

	snprintf(name, sizeof(name), "%.10s-ctl", f->dev_name);
	err = evloop_create(&f->watch, f->threads, THREAD_IO, name);
	if (err)
		return err;
	f->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	err = watch_fd(f->watch, f->timer_fd, on_timer, f);
	for (unsigned i = 0; i < f->max_rings && !err; i++) {
		f->ring[i].err_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		err = watch_fd(f->watch, f->ring[i].err_fd, on_error, &f->ring[i]);
	}
	if (err)
		log_error("%s: vhost-user: cannot set up the watch: %s", f->dev_name,
			  strerror(-err));
	return err;
}
