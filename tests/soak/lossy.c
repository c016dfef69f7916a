// SPDX-License-Identifier: MIT
#include "tests/soak/lossy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define FILE_ID	  2 /* of the root's only file */
#define WRITE_MAX (128 * KIB)
#define BUFFER	  (WRITE_MAX + 4096)
#define CLOSE_S	  10
#define FLUSH_NS  (300 * NSEC_PER_USEC) /* a disk takes its time, and kills fall into it */

struct lossy {
	char dir[32], path[48];
	int fuse;
	pthread_t thread;
	pthread_mutex_t lock; /* everything below */
	pthread_cond_t closed;
	unsigned n_open, ragged;
	unsigned cached; /* atomic: sectors that are dirty */
	uint64_t writes; /* atomic */
	uint64_t bytes;
	bool cut;		 /* there is no power */
	uint8_t *cache, *medium; /* all of the disk: as it is read, and as it is when power fails */
	bool *dirty;		 /* a sector each: the two differ, or may */
};

/* One request: what came, and what goes back. */
struct request {
	struct fuse_in_header *in;
	const void *arg;
	union {
		struct fuse_init_out init;
		struct fuse_entry_out entry;
		struct fuse_attr_out attr;
		struct fuse_open_out open;
		struct fuse_write_out write;
	} out;
	const void *data; /* instead of out */
	size_t len;	  /* of either */
};

/* ---- the disk ---- */

static bool range_whole(struct lossy *l, uint64_t at, uint64_t len)
{
	if (range_ok(at, len, l->bytes) && !((at | len) % LOSSY_SECTOR))
		return true;
	l->ragged++;
	return false;
}

static void set_dirty(struct lossy *l, uint64_t sector, bool dirty)
{
	__atomic_fetch_add(&l->cached, (unsigned)dirty - (unsigned)l->dirty[sector], __ATOMIC_RELAXED);
	l->dirty[sector] = dirty;
}

static void flush_range(struct lossy *l, uint64_t at, uint64_t len)
{
	for (uint64_t i = at / LOSSY_SECTOR; i < (at + len) / LOSSY_SECTOR; i++) {
		if (l->dirty[i])
			memcpy(l->medium + i * LOSSY_SECTOR, l->cache + i * LOSSY_SECTOR, LOSSY_SECTOR);
		set_dirty(l, i, false);
	}
}

static int disk_write(struct lossy *l, struct request *r)
{
	const struct fuse_write_in *w = r->arg;

	if (!range_whole(l, w->offset, w->size))
		return -EINVAL;
	if (l->cut)
		return -EIO;
	__atomic_fetch_add(&l->writes, 1, __ATOMIC_RELAXED);
	memcpy(l->cache + w->offset, w + 1, w->size);
	for (uint64_t i = 0; i < w->size / LOSSY_SECTOR; i++)
		set_dirty(l, w->offset / LOSSY_SECTOR + i, true);
	if (w->flags & O_DSYNC)
		flush_range(l, w->offset, w->size);
	r->out.write.size = w->size;
	r->len = sizeof(r->out.write);
	return 0;
}

static int disk_read(struct lossy *l, struct request *r)
{
	const struct fuse_read_in *in = r->arg;

	if (!range_whole(l, in->offset, in->size))
		return -EINVAL;
	r->data = l->cache + in->offset;
	r->len = in->size;
	return 0;
}

static int disk_flush(struct lossy *l)
{
	if (l->cut)
		return -EIO;
	flush_range(l, 0, l->bytes);
	return 0;
}

void lossy_cut(struct lossy *l)
{
	pthread_mutex_lock(&l->lock);
	l->cut = true;
	pthread_mutex_unlock(&l->lock);
}

struct lossy_loss lossy_settle(struct lossy *l, uint64_t *random, bool tear)
{
	struct lossy_loss loss = {0, 0};

	pthread_mutex_lock(&l->lock);
	for (uint64_t i = 0; i < l->bytes / LOSSY_SECTOR; i++) {
		if (!l->dirty[i])
			continue;
		loss.cached++;
		*random = *random * 6364136223846793005ull + 1442695040888963407ull;
		if (tear)
			memcpy(l->medium + i * LOSSY_SECTOR, l->cache + i * LOSSY_SECTOR, LOSSY_SECTOR / 2);
		else if (*random >> 63)
			flush_range(l, i * LOSSY_SECTOR, LOSSY_SECTOR);
		else
			loss.lost++;
		set_dirty(l, i, false);
	}
	memcpy(l->cache, l->medium, l->bytes);
	pthread_mutex_unlock(&l->lock);
	return loss;
}

/* ---- the file system: a root with one file ---- */

static struct fuse_attr attr_of(const struct lossy *l, uint64_t id)
{
	struct fuse_attr a = {.ino = id, .nlink = 1, .blksize = 4096, .mode = S_IFDIR | 0755};

	if (id == FILE_ID) {
		a.mode = S_IFREG | 0666;
		a.size = l->bytes;
	}
	return a;
}

static int answer_init(struct request *r)
{
	const struct fuse_init_in *in = r->arg;

	if (in->major != FUSE_KERNEL_VERSION)
		return -EPROTO;
	r->out.init = (struct fuse_init_out){.major = FUSE_KERNEL_VERSION,
					     .minor = MIN(in->minor, FUSE_KERNEL_MINOR_VERSION),
					     .max_background = 64,
					     .max_write = WRITE_MAX};
	r->len = sizeof(r->out.init);
	return 0;
}

static int answer_lookup(struct lossy *l, struct request *r)
{
	if (strcmp(r->arg, "disk"))
		return -ENOENT;
	r->out.entry = (struct fuse_entry_out){.nodeid = FILE_ID, .attr = attr_of(l, FILE_ID)};
	r->len = sizeof(r->out.entry);
	return 0;
}

static int answer_open(struct lossy *l, struct request *r)
{
	l->n_open++;
	r->out.open = (struct fuse_open_out){.open_flags = FOPEN_DIRECT_IO};
	r->len = sizeof(r->out.open);
	return 0;
}

static int answer_release(struct lossy *l)
{
	if (!--l->n_open)
		pthread_cond_signal(&l->closed);
	return 0;
}

static int answer_request(struct lossy *l, struct request *r)
{
	switch (r->in->opcode) {
	case FUSE_INIT:
		return answer_init(r);
	case FUSE_LOOKUP:
		return answer_lookup(l, r);
	case FUSE_GETATTR:
		r->out.attr = (struct fuse_attr_out){.attr = attr_of(l, r->in->nodeid)};
		r->len = sizeof(r->out.attr);
		return 0;
	case FUSE_OPEN:
		return answer_open(l, r);
	case FUSE_READ:
		return disk_read(l, r);
	case FUSE_WRITE:
		return disk_write(l, r);
	case FUSE_FSYNC:
		return disk_flush(l);
	case FUSE_FLUSH: /* of close(2): says nothing of the medium */
		return 0;
	case FUSE_RELEASE:
		return answer_release(l);
	}
	return -ENOSYS;
}

static void send_answer(struct lossy *l, const struct request *r, int err)
{
	struct fuse_out_header head = {.error = err, .unique = r->in->unique, .len = sizeof(head)};
	struct iovec v[2] = {{&head, sizeof(head)}, {(void *)(uintptr_t)r->data, 0}};

	if (!err)
		v[1].iov_len = r->len;
	head.len += (uint32_t)v[1].iov_len;
	if (writev(l->fuse, v, 2) < 0 && errno != ENOENT) /* ENOENT: nobody waits any more */
		fprintf(stderr, "lossy: an answer to %u: %s\n", r->in->opcode, strerror(errno));
}

static void *serve_requests(void *arg)
{
	struct lossy *l = arg;
	char *buf = xcalloc(1, BUFFER);
	ssize_t n;

	while ((n = read(l->fuse, buf, BUFFER)) > 0 || errno == EINTR || errno == ENOENT) {
		struct request r = {.in = (void *)buf, .arg = buf + sizeof(struct fuse_in_header)};
		int err;

		if (n <= 0 || r.in->opcode == FUSE_FORGET || r.in->opcode == FUSE_INTERRUPT)
			continue;
		r.data = &r.out;
		if (r.in->opcode == FUSE_FSYNC)
			clock_sleep_ns(FLUSH_NS);
		pthread_mutex_lock(&l->lock);
		err = answer_request(l, &r);
		send_answer(l, &r, err);
		pthread_mutex_unlock(&l->lock);
	}
	free(buf);
	return NULL; /* unmounted */
}

/* ---- life ---- */

static int mount_here(struct lossy *l)
{
	char opts[96];

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	l->fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (l->fuse < 0)
		return -errno;
	snprintf(opts, sizeof(opts), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", l->fuse);
	return errno_if(mount("lossy", l->dir, "fuse", MS_NOSUID | MS_NODEV, opts) < 0);
}

int lossy_open(struct lossy **out, uint64_t bytes)
{
	struct lossy *l = xcalloc(1, sizeof(*l));
	int err;

	*l = (struct lossy){.dir = "/tmp/lossy.XXXXXX", .fuse = -1, .bytes = bytes};
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->closed, NULL);
	l->cache = xcalloc(1, bytes);
	l->medium = xcalloc(1, bytes);
	l->dirty = xcalloc(bytes / LOSSY_SECTOR, sizeof(*l->dirty));
	err = errno_if(!mkdtemp(l->dir));
	snprintf(l->path, sizeof(l->path), "%s/disk", l->dir);
	if (!err)
		err = mount_here(l);
	if (!err)
		err = -pthread_create(&l->thread, NULL, serve_requests, l);
	*out = l;
	return err;
}

void lossy_close(struct lossy *l)
{
	umount2(l->dir, MNT_DETACH);
	if (l->thread)
		pthread_join(l->thread, NULL);
	rmdir(l->dir);
	close_fd(&l->fuse);
	free(l->cache);
	free(l->medium);
	free(l->dirty);
	free(l);
}

const char *lossy_path(const struct lossy *l)
{
	return l->path;
}

int lossy_wait_closed(struct lossy *l)
{
	struct timespec end;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += CLOSE_S;
	pthread_mutex_lock(&l->lock);
	while (l->n_open && !err)
		err = pthread_cond_timedwait(&l->closed, &l->lock, &end);
	pthread_mutex_unlock(&l->lock);
	return -err;
}

const uint8_t *lossy_medium(const struct lossy *l)
{
	return l->medium;
}

void lossy_load(struct lossy *l, const void *data)
{
	pthread_mutex_lock(&l->lock);
	l->cut = false;
	if (data)
		memcpy(l->medium, data, l->bytes);
	else
		memset(l->medium, 0, l->bytes);
	memcpy(l->cache, l->medium, l->bytes);
	for (uint64_t i = 0; i < l->bytes / LOSSY_SECTOR; i++)
		set_dirty(l, i, false);
	pthread_mutex_unlock(&l->lock);
}

unsigned lossy_ragged(const struct lossy *l)
{
	return l->ragged;
}

unsigned lossy_cached(const struct lossy *l)
{
	return __atomic_load_n(&l->cached, __ATOMIC_RELAXED);
}

uint64_t lossy_writes(const struct lossy *l)
{
	return __atomic_load_n(&l->writes, __ATOMIC_RELAXED);
}
