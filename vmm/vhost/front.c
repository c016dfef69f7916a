// SPDX-License-Identifier: MIT
#include "vmm/vhost/front.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

void vu_front_init(struct vu_front *f)
{
	*f = (struct vu_front){.link = VU_LINK_INIT, .broker = VU_BROKER_INIT};
	f->timer_fd = f->channel = f->inflight_fd = -1;
	pthread_mutex_init(&f->lock, NULL);
	for (unsigned i = 0; i < VU_RINGS_MAX; i++)
		f->ring[i] = (struct vu_front_ring){.f = f, .index = i, .err_fd = -1};
}

static int parse_path(struct vu_front *f, const struct dev_opts *opts)
{
	const char *path = dev_opts_str(opts, "path", NULL);

	if (!path) {
		log_error("%s: vhost-user needs path=SOCKET of the back-end", f->dev_name);
		return -EINVAL;
	}
	if (gmem_fd(f->gm) < 0) {
		log_error("%s: vhost-user: guest memory is private to this process; add --share-memory",
			  f->dev_name);
		return -EINVAL;
	}
	f->path = strdup(path);
	if (!f->path)
		return -ENOMEM;
	return 0;
}

int vu_front_open(struct vu_front *f, const struct dev_opts *opts)
{
	int err = parse_path(f, opts);

	f->link.who = f->dev_name;
	if (!err)
		err = vu_broker_start(&f->broker, f->path);
	if (!err)
		err = vu_front_open_watch(f);
	if (err)
		return err;
	pthread_mutex_lock(&f->lock);
	err = vu_front_join(f, false);
	pthread_mutex_unlock(&f->lock);
	if (err == -ENOENT || err == -ECONNREFUSED || err == -EACCES)
		return -ENODEV;
	return err;
}

void vu_front_close(struct vu_front *f)
{
	evloop_destroy(f->watch);
	vu_broker_stop(&f->broker);
	vu_link_close(&f->link);
	close_fd(&f->channel);
	close_fd(&f->timer_fd);
	vu_front_drop_inflight(f);
	for (unsigned i = 0; i < VU_RINGS_MAX; i++)
		close_fd(&f->ring[i].err_fd);
	pthread_mutex_destroy(&f->lock);
	free(f->path);
}

static int unless_gone(int err)
{
	return err == -ENOTCONN ? 0 : err;
}

int vu_front_start(struct vu_front *f, uint64_t features, unsigned n_rings)
{
	int err;

	pthread_mutex_lock(&f->lock);
	f->started = true;
	f->features = features;
	f->n_rings = n_rings;
	for (unsigned i = 0; i < n_rings; i++) {
		f->ring[i].broken = false;
		f->ring[i].running = f->rings[i].ready; /* also when it has to wait for a back-end */
	}
	err = unless_gone(vu_front_hand_over(f));
	pthread_mutex_unlock(&f->lock);
	return err;
}

void vu_front_stop(struct vu_front *f)
{
	pthread_mutex_lock(&f->lock);
	for (unsigned i = 0; i < f->n_rings; i++)
		vu_front_ring_take_back(f, i);
	f->started = false;
	vu_front_drop_inflight(f);
	pthread_mutex_unlock(&f->lock);
}

int vu_front_ring_start(struct vu_front *f, unsigned ring)
{
	int err = 0;

	pthread_mutex_lock(&f->lock);
	f->ring[ring].broken = false;
	f->ring[ring].running = f->rings[ring].ready;
	/* The next back-end would believe the region, which knows the ring before its reset. */
	if (f->link.sock < 0 && f->inflight_fd >= 0)
		vu_front_ring_break(f, ring, "a packed ring that was reset while there was no back-end");
	if (f->ring[ring].running)
		err = unless_gone(vu_front_ring_hand_over(f, ring));
	pthread_mutex_unlock(&f->lock);
	return err;
}

void vu_front_ring_stop(struct vu_front *f, unsigned ring)
{
	pthread_mutex_lock(&f->lock);
	vu_front_ring_take_back(f, ring);
	pthread_mutex_unlock(&f->lock);
}

int vu_front_enable(struct vu_front *f)
{
	int err = 0;

	pthread_mutex_lock(&f->lock);
	for (unsigned i = 0; i < f->n_rings && !err; i++)
		if (f->ring[i].running)
			err = vu_front_ring_enable(f, i);
	pthread_mutex_unlock(&f->lock);
	return unless_gone(err);
}

int vu_front_config_write(struct vu_front *f, uint32_t off, uint8_t val)
{
	int err;

	pthread_mutex_lock(&f->lock);
	err = vu_front_write_config(f, off, val);
	pthread_mutex_unlock(&f->lock);
	return unless_gone(err);
}
