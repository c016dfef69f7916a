// SPDX-License-Identifier: MIT
/* A run on its way into the store: begun, committed or given up; and out of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "results/store_impl.h"

#define RESERVE_BYTES (1u << 20) /* a record of 30 samples with histograms is about 300 KiB */

static char *store_tmp_path(const struct store *s, const char *id, const char *suffix)
{
	return xasprintf("%s/%s%s", s->tmp, id, suffix);
}

static void make_id(char id[32], const char *prefix)
{
	time_t now = time(NULL);
	uint32_t r = 0;
	struct tm tm;
	size_t n;

	if (getrandom(&r, sizeof(r), 0) != sizeof(r))
		r = (uint32_t)clock_ns();
	gmtime_r(&now, &tm);
	n = (size_t)snprintf(id, 32, "%s", prefix);
	n += strftime(id + n, 32 - n, "%Y%m%d-%H%M%S-", &tm);
	snprintf(id + n, 32 - n, "%06x", r & 0xffffff);
}

static int make_reserve(const struct store *s, const char *id)
{
	char *path = store_tmp_path(s, id, ".reserve");
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644), err = errno_if(fd < 0);

	free(path);
	if (err)
		return err;
	err = -posix_fallocate(fd, 0, RESERVE_BYTES);
	close(fd);
	if (err == -EOPNOTSUPP || err == -EINVAL)
		return 0;
	return err;
}

int store_make_pending(struct store *s, const char *prefix, struct pending **out)
{
	struct pending *p = *out = xcalloc(1, sizeof(*p));
	char *boot_id = store_boot_id(), *lock, *dir;
	int err = 0;

	make_id(p->id, prefix);
	p->next = s->pending;
	s->pending = p;
	lock = store_tmp_path(s, p->id, ".lock");
	dir = store_tmp_path(s, p->id, "");
	p->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (p->lock_fd < 0 || flock(p->lock_fd, LOCK_EX | LOCK_NB) || mkdir(dir, 0755))
		err = -errno;
	if (!err && boot_id)
		err = fd_write_all(p->lock_fd, boot_id, strlen(boot_id));
	free(boot_id);
	free(lock);
	free(dir);
	return err;
}

static void forget(struct store *s, struct pending *p)
{
	static const char *const suffix[] = {".reserve", ".lock"};

	for (size_t i = 0; i < ARRAY_SIZE(suffix); i++) {
		char *path = store_tmp_path(s, p->id, suffix[i]);

		unlink(path);
		free(path);
	}
	close_fd(&p->lock_fd);
	for (struct pending **at = &s->pending; *at; at = &(*at)->next) {
		if (*at == p) {
			*at = p->next;
			break;
		}
	}
	free(p);
}

static struct pending *store_pending(struct store *s, const char *id)
{
	struct pending *p = s->pending;

	while (p && strcmp(p->id, id) != 0)
		p = p->next;
	return p;
}

int store_begin(struct store *s, char id[32], char **run_dir)
{
	struct pending *p;
	int lock, err = store_need_write(s, "begin a run");

	if (err)
		return err;
	lock = store_lock(s, LOCK_EX);
	if (lock < 0)
		return store_fail(s, "begin a run", lock);
	err = store_make_pending(s, "", &p);
	close(lock);
	if (!err)
		err = make_reserve(s, p->id);
	if (err) {
		store_fail(s, "begin a run", err);
		store_abort(s, p->id);
		return err;
	}
	strcpy(id, p->id);
	*run_dir = store_tmp_path(s, id, "");
	return 0;
}

void store_abort(struct store *s, const char *id)
{
	struct pending *p = store_pending(s, id);
	char *dir = store_tmp_path(s, id, "");

	if (p) {
		dir_remove_all(dir);
		forget(s, p);
	}
	free(dir);
}

int64_t store_next_order(struct store *s)
{
	int64_t now, last = index_last_order(s->db);
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	now = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	if (now < last - 1000)
		log_warn("store %s: the clock is %lld s behind the newest run; runs keep their "
			 "order, dates "
			 "may not",
			 s->dir, (long long)(last - now) / 1000);
	return MAX(now, last + 1);
}

int store_write_record(const char *dir, json_t *record)
{
	char *path = xasprintf("%s/record.json", dir);
	char *text = json_dumps(record, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int err = -ENOMEM;

	if (fd < 0)
		err = -errno;
	else if (text)
		err = fd_write_all(fd, text, strlen(text));
	/* Synced with the rest of its directory. */
	if (fd >= 0 && close(fd) && !err)
		err = -errno;
	free(text);
	free(path);
	return err;
}

int store_enter(struct store *s, const char *dir, const char *id, const json_t *record)
{
	char *to = xasprintf("%s/%s", s->runs, id);
	int err = errno_if(rename(dir, to));

	if (!err)
		index_add_run(s->db, s->runs, id, record);
	s->rebuilt = false;
	free(to);
	return err;
}

static int write_and_enter(struct store *s, const char *id, json_t *record)
{
	char *dir = store_tmp_path(s, id, "");
	int err = store_write_record(dir, record);

	if (err)
		goto out;
	err = dir_sync_all(dir);
	if (err)
		goto out;
	err = store_enter(s, dir, id, record);
	if (err)
		goto out;
	err = file_sync_dir(s->runs);
out:
	if (err)
		store_fail(s, "commit a run", err);
	free(dir);
	return err;
}

int store_commit(struct store *s, const char *id, json_t *record)
{
	struct pending *p = store_pending(s, id);
	char *reserve;
	int err, lock;

	BUG_ON(!p);
	lock = store_lock(s, LOCK_EX);
	if (lock < 0)
		return store_fail(s, "commit a run", lock);
	reserve = store_tmp_path(s, id, ".reserve");
	unlink(reserve);
	json_object_set_new(record, MEMBER_KEY(struct record, id), json_string(id));
	json_object_set_new(record, MEMBER_KEY(struct record, order), json_integer(store_next_order(s)));
	err = record_validate(record, id);
	if (err)
		goto out;
	err = write_and_enter(s, id, record);
	if (err)
		goto out;
	forget(s, p);
out:
	close(lock);
	free(reserve);
	return err;
}

int store_remove(struct store *s, const char *ref)
{
	char *dir = NULL, *trash = NULL, id[32];
	int lock, err = store_need_write(s, "remove a run");

	if (err)
		return err;
	err = store_resolve(s, ref, id);
	if (err)
		return err;
	lock = store_lock(s, LOCK_EX);
	if (lock < 0)
		return store_fail(s, "remove a run", lock);
	/* Out of runs/ in one step: half a run is never seen. A kill after it leaves the rest to
	 * the sweep. */
	dir = xasprintf("%s/%s", s->runs, id);
	trash = store_tmp_path(s, id, ".removed");
	err = errno_if(rename(dir, trash));
	if (!err)
		err = file_sync_dir(s->runs);
	if (err)
		store_fail(s, "remove a run", err);
	else
		index_delete(s->db, id);
	if (!err)
		dir_remove_all(trash);
	close(lock);
	free(dir);
	free(trash);
	return err;
}

int store_reindex(struct store *s)
{
	int err = store_need_write(s, "rebuild the index");

	if (err || s->rebuilt)
		return err;
	return index_sync(s->db, s->runs, true);
}
