// SPDX-License-Identifier: MIT
/* Parsing is half of what an import of small records costs; the other half is the kernel's. */
#include <pthread.h>
#include <stdlib.h>

#include "results/read_ahead.h"

#define DEPTH 32 /* records; they are of 20 to 300 KiB, tenfold when parsed */

struct read_ahead {
	char *const *dirs;
	size_t n;
	bool threaded; /* else the caller reads, which is slower and no error */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	size_t read, taken; /* lock */
	bool stop;	    /* lock */
	json_t *slot[DEPTH]; /* the reader's from taken + DEPTH on, the caller's below read */
};

static json_t *read_one(const struct read_ahead *r, size_t i)
{
	char *path = xasprintf("%s/record.json", r->dirs[i]);
	json_t *rec = record_read(path);

	free(path);
	return rec;
}

static bool wait_for_room(struct read_ahead *r)
{
	bool stop;

	pthread_mutex_lock(&r->lock);
	while (!r->stop && r->read == r->taken + DEPTH)
		pthread_cond_wait(&r->moved, &r->lock);
	stop = r->stop;
	pthread_mutex_unlock(&r->lock);
	return !stop;
}

static void advance(struct read_ahead *r, size_t *counter)
{
	pthread_mutex_lock(&r->lock);
	(*counter)++;
	pthread_cond_signal(&r->moved);
	pthread_mutex_unlock(&r->lock);
}

static void *read_all(void *arg)
{
	struct read_ahead *r = arg;

	for (size_t i = 0; i < r->n && wait_for_room(r); i++) {
		r->slot[i % DEPTH] = read_one(r, i);
		advance(r, &r->read);
	}
	return NULL;
}

struct read_ahead *read_ahead_start(char *const *dirs, size_t n)
{
	struct read_ahead *r = xcalloc(1, sizeof(*r));

	r->dirs = dirs;
	r->n = n;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->moved, NULL);
	/* Else the first two objects of two threads would both make the seed. */
	json_object_seed(0);
	r->threaded = !pthread_create(&r->thread, NULL, read_all, r);
	return r;
}

json_t *read_ahead_next(struct read_ahead *r)
{
	json_t *rec;

	if (r->taken == r->n)
		return NULL;
	if (!r->threaded)
		return read_one(r, r->taken++);
	pthread_mutex_lock(&r->lock);
	while (r->read == r->taken)
		pthread_cond_wait(&r->moved, &r->lock);
	pthread_mutex_unlock(&r->lock);
	rec = r->slot[r->taken % DEPTH];
	advance(r, &r->taken);
	return rec;
}

void read_ahead_end(struct read_ahead *r)
{
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_signal(&r->moved);
	pthread_mutex_unlock(&r->lock);
	if (r->threaded)
		pthread_join(r->thread, NULL);
	for (; r->taken < r->read; r->taken++)
		json_decref(r->slot[r->taken % DEPTH]);
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->moved);
	free(r);
}
