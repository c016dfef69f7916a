// SPDX-License-Identifier: MIT
/*
 *   STORE/format            "1"
 *   STORE/lock              flock: held while a run enters or leaves runs/
 *   STORE/index.sqlite      see index.h
 *   STORE/runs/ID/          committed runs
 *   STORE/tmp/ID/           runs going on;   tmp/ID.lock is held (flock) by the process that began
 * it, tmp/ID.reserve keeps room on the disk for its record
 */
#include <dirent.h>
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

#define STORE_FORMAT  1
#define RESERVE_BYTES (1u << 20) /* a record of 30 samples with histograms is about 300 KiB */

static const char *reason(int err)
{
	switch (-err) {
	case ENOSPC:
	case EDQUOT:
		return "disk full; free some space or choose another with --store DIR";
	case EROFS:
	case EACCES:
	case EPERM:
		return "read-only; choose a writable one with --store DIR";
	default:
		return strerror(-err);
	}
}

int store_fail(const struct store *s, const char *what, int err)
{
	log_error("store %s: cannot %s: %s", s->dir, what, reason(err));
	return err;
}

static char *default_dir(void)
{
	char exe[4096], *slash, *dir;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (file_exists("results/SCHEMA.md"))
		return xstrdup("results/store");
	exe[MAX(n, 0)] = '\0';
	slash = strrchr(exe, '/');
	if (slash) {
		*slash = '\0';
		dir = xasprintf("%s/../results/SCHEMA.md", exe);
		if (file_exists(dir)) {
			dir[strlen(dir) - strlen("SCHEMA.md")] = '\0';
			slash = xasprintf("%sstore", dir);
			free(dir);
			return slash;
		}
		free(dir);
	}
	if (state && *state)
		return xasprintf("%s/exitlab", state);
	return xasprintf("%s/.local/state/exitlab", home && *home ? home : "/tmp");
}

/* ---- open ---- */

static int check_format(struct store *s)
{
	char *path = xasprintf("%s/format", s->dir);
	uint64_t format = 0;
	int err = file_read_u64(path, &format);

	if (err == -ENOENT && s->writable) {
		err = file_write_atomic(path, "1\n", 2);
		if (err)
			store_fail(s, "create it", err);
	} else if (err == -ENOENT) {
		err = 0;
	} else if (err) {
		log_error("%s: damaged; it should hold the number %d", path, STORE_FORMAT);
	} else if (format > STORE_FORMAT) {
		log_error("store %s: written by a newer exitlab (format %llu, this one knows %d); "
			  "use that one, or another --store DIR",
			  s->dir, (unsigned long long)format, STORE_FORMAT);
		err = -EPROTONOSUPPORT;
	}
	free(path);
	return err;
}

static bool can_write(const char *dir)
{
	return !faccessat(AT_FDCWD, dir, W_OK, AT_EACCESS);
}

static int make_dirs(struct store *s)
{
	int err = dir_make_all(s->runs);

	err = err ? err : dir_make_all(s->tmp);
	/* mkdir of what exists says EEXIST even on a read-only file system, so ask for real. */
	s->writable = !err && can_write(s->dir) && can_write(s->runs) && can_write(s->tmp);
	if (!s->writable && file_exists(s->runs))
		return 0;
	return err ? store_fail(s, "create it", err) : 0;
}

static void unlink_index(const char *path)
{
	static const char *const suffix[] = {"", "-wal", "-shm"};

	for (size_t i = 0; i < ARRAY_SIZE(suffix); i++) {
		char *p = xasprintf("%s%s", path, suffix[i]);

		unlink(p);
		free(p);
	}
}

static int open_index(struct store *s)
{
	char *path = xasprintf("%s/index.sqlite", s->dir);
	int err = index_open(&s->db, path, s->writable);

	if (err == -EUCLEAN && s->writable) {
		log_warn(
			"store %s: the index is damaged or of another version; building it anew from the "
			"run directories",
			s->dir);
		unlink_index(path);
		err = index_open(&s->db, path, true);
	}
	if (err == -ENOSPC || (!s->writable && (err || !index_agrees(s->db, s->runs)))) {
		/* Cannot be repaired in place, or not opened: a private copy serves this call. */
		sqlite3_close(s->db);
		err = index_open(&s->db, NULL, true);
	}
	free(path);
	if (err)
		return err;
	s->rebuilt = index_is_empty(s->db);
	return index_sync(s->db, s->runs, false);
}

static int lock_store(struct store *s, int how)
{
	char *path = xasprintf("%s/lock", s->dir);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644), err;

	free(path);
	if (fd < 0)
		return -errno;
	while (flock(fd, how)) {
		err = -errno;
		if (err == -EINTR)
			continue;
		close(fd);
		return err;
	}
	return fd;
}

static bool is_dead(const char *lock)
{
	int fd = open(lock, O_RDWR | O_CLOEXEC);
	bool dead = fd < 0 || !flock(fd, LOCK_EX | LOCK_NB);

	close_fd(&fd);
	return dead;
}

/* Remove what killed processes left in tmp/. With the store's lock held nobody can be between
 * making the lock file and taking it. */
static void sweep(struct store *s)
{
	int lock = lock_store(s, LOCK_EX | LOCK_NB);
	DIR *d = lock < 0 ? NULL : opendir(s->tmp);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		size_t id_len = strcspn(e->d_name, ".");
		char *path, *run_lock;

		if (!id_len)
			continue;
		path = xasprintf("%s/%s", s->tmp, e->d_name);
		run_lock = xasprintf("%s/%.*s.lock", s->tmp, (int)id_len, e->d_name);
		if (is_dead(run_lock))
			dir_remove_all(path);
		free(path);
		free(run_lock);
	}
	if (d)
		closedir(d);
	close_fd(&lock);
}

int store_open(struct store **out, const char *dir)
{
	struct store *s = xcalloc(1, sizeof(*s));
	int err;

	s->dir = dir ? xstrdup(dir) : default_dir();
	s->runs = xasprintf("%s/runs", s->dir);
	s->tmp = xasprintf("%s/tmp", s->dir);
	err = make_dirs(s);
	err = err ? err : check_format(s);
	err = err ? err : open_index(s);
	if (err) {
		store_close(s);
		return err;
	}
	if (s->writable)
		sweep(s);
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	while (s->pending)
		store_abort(s, s->pending->id);
	sqlite3_close(s->db);
	for (size_t i = 0; i < s->n_strings; i++)
		free(s->strings[i]);
	free(s->strings);
	free(s->dir);
	free(s->runs);
	free(s->tmp);
	free(s);
}

const char *store_dir(const struct store *s)
{
	return s->dir;
}

int store_need_write(const struct store *s, const char *what)
{
	return s->writable ? 0 : store_fail(s, what, -EROFS);
}

/* ---- a run going on ---- */

static char *tmp_path(const struct store *s, const char *id, const char *suffix)
{
	return xasprintf("%s/%s%s", s->tmp, id, suffix);
}

static void make_id(char id[32])
{
	time_t now = time(NULL);
	uint32_t r = 0;
	struct tm tm;
	size_t n;

	if (getrandom(&r, sizeof(r), 0) != sizeof(r))
		r = (uint32_t)clock_ns();
	gmtime_r(&now, &tm);
	n = strftime(id, 32, "%Y%m%d-%H%M%S-", &tm);
	snprintf(id + n, 32 - n, "%06x", r & 0xffffff);
}

static int make_reserve(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644), err;

	if (fd < 0)
		return -errno;
	err = -posix_fallocate(fd, 0, RESERVE_BYTES);
	close(fd);
	return err == -EOPNOTSUPP || err == -EINVAL ? 0 : err;
}

static int make_run(struct store *s, struct pending *p)
{
	char *lock = tmp_path(s, p->id, ".lock"), *reserve = tmp_path(s, p->id, ".reserve");
	char *dir = tmp_path(s, p->id, "");
	int err = 0;

	p->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (p->lock_fd < 0 || flock(p->lock_fd, LOCK_EX | LOCK_NB) || mkdir(dir, 0755))
		err = -errno;
	/* An import knows at once whether there is room. */
	err = err || p->record ? err : make_reserve(reserve);
	free(lock);
	free(reserve);
	free(dir);
	return err;
}

static void forget(struct store *s, struct pending *p)
{
	static const char *const suffix[] = {".reserve", ".lock"};

	for (size_t i = 0; i < ARRAY_SIZE(suffix); i++) {
		char *path = tmp_path(s, p->id, suffix[i]);

		unlink(path);
		free(path);
	}
	close_fd(&p->lock_fd);
	json_decref(p->record);
	for (struct pending **at = &s->pending; *at; at = &(*at)->next) {
		if (*at == p) {
			*at = p->next;
			break;
		}
	}
	free(p);
}

static struct pending *pending_find(struct store *s, const char *id)
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
	lock = lock_store(s, LOCK_EX);
	if (lock < 0)
		return store_fail(s, "begin a run", lock);
	p = xcalloc(1, sizeof(*p));
	make_id(p->id);
	p->next = s->pending;
	s->pending = p;
	err = make_run(s, p);
	close(lock);
	if (err) {
		store_fail(s, "begin a run", err);
		store_abort(s, p->id);
		return err;
	}
	strcpy(id, p->id);
	*run_dir = tmp_path(s, id, "");
	return 0;
}

void store_abort(struct store *s, const char *id)
{
	struct pending *p = pending_find(s, id);
	char *dir = tmp_path(s, id, "");

	if (p) {
		dir_remove_all(dir);
		forget(s, p);
	}
	free(dir);
}

/* ---- commit ---- */

static int64_t next_order(struct store *s)
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

static int write_record(const char *dir, json_t *record)
{
	char *path = xasprintf("%s/record.json", dir);
	char *text = json_dumps(record, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int err = fd < 0 ? -errno : text ? fd_write_all(fd, text, strlen(text)) : -EINVAL;

	/* Synced with the rest of its directory. */
	if (fd >= 0 && close(fd) && !err)
		err = -errno;
	free(text);
	free(path);
	return err;
}

/*
 * tmp/id, with its record and synced, becomes runs/id. With the store's lock held; until the rename
 * the run is absent, after it it is whole. Should the index fail the next start completes it.
 */
static int enter(struct store *s, const char *id, const json_t *record)
{
	char *from = tmp_path(s, id, ""), *to = xasprintf("%s/%s", s->runs, id);
	int err = rename(from, to) ? -errno : 0;

	if (!err)
		index_add_run(s->db, s->runs, id, record);
	s->rebuilt = false;
	free(from);
	free(to);
	return err;
}

static int write_and_enter(struct store *s, const char *id, json_t *record)
{
	char *dir = tmp_path(s, id, "");
	int err = write_record(dir, record);

	err = err ? err : dir_sync_all(dir);
	err = err ? err : enter(s, id, record);
	err = err ? err : file_sync_dir(s->runs);
	free(dir);
	return err ? store_fail(s, "commit a run", err) : 0;
}

int store_commit(struct store *s, const char *id, json_t *record)
{
	struct pending *p = pending_find(s, id);
	char *reserve;
	int err, lock;

	BUG_ON(!p);
	lock = lock_store(s, LOCK_EX);
	if (lock < 0)
		return store_fail(s, "commit a run", lock);
	reserve = tmp_path(s, id, ".reserve");
	unlink(reserve);
	json_object_set_new(record, "id", json_string(id));
	json_object_set_new(record, "order", json_integer(next_order(s)));
	err = record_validate(record, id);
	err = err ? err : write_and_enter(s, id, record);
	if (!err)
		forget(s, p);
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
	lock = lock_store(s, LOCK_EX);
	if (lock < 0)
		return store_fail(s, "remove a run", lock);
	/* Out of runs/ in one step: half a run is never seen. A kill after it leaves the rest to
	 * the sweep. */
	dir = xasprintf("%s/%s", s->runs, id);
	trash = tmp_path(s, id, ".removed");
	err = rename(dir, trash) ? -errno : file_sync_dir(s->runs);
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

	return err || s->rebuilt ? err : index_sync(s->db, s->runs, true);
}

/* ---- import: many runs are staged in tmp/, then synced and entered together ---- */

/* The record is valid, so its id is fit to be a name. The store's lock is held. */
static int stage_locked(struct store *s, const char *id, const char *from_dir, json_t *record,
			bool write)
{
	struct pending *p = xcalloc(1, sizeof(*p));
	char *dir = tmp_path(s, id, "");
	int err;

	snprintf(p->id, sizeof(p->id), "%s", id);
	p->next = s->pending;
	s->pending = p;
	/* A record without an order, which nobody committed, comes in as the newest. */
	if (!json_is_integer(json_object_get(record, "order"))) {
		json_object_set_new(record, "order", json_integer(next_order(s)));
		write = true;
	}
	p->record = json_incref(record);
	err = make_run(s, p);
	err = err || !from_dir ? err : dir_copy_all(from_dir, dir);
	err = err || !write ? err : write_record(dir, record);
	if (err) {
		store_fail(s, "import a run", err);
		store_abort(s, id);
	} else {
		s->staged++;
	}
	free(dir);
	return err;
}

static int stage(struct store *s, const char *from_dir, json_t *record, bool write)
{
	const char *id = record_str(record, "id");
	char *to;
	int lock, err = store_need_write(s, "import a run");

	err = err ? err : record_validate(record, id);
	if (err)
		return err;
	lock = lock_store(s, LOCK_EX);
	if (lock < 0)
		return store_fail(s, "import a run", lock);
	to = xasprintf("%s/%s", s->runs, id);
	if (file_exists(to) || pending_find(s, id))
		err = -EEXIST;
	else
		err = stage_locked(s, id, from_dir, record, write || !from_dir);
	close(lock);
	free(to);
	return err;
}

int store_import_stage(struct store *s, const char *from_dir, json_t *record)
{
	return stage(s, from_dir, record, false);
}

/* One sync of the file system is cheaper than those of many small files, and dearer than of one. */
static int sync_staged(struct store *s)
{
	int fd, err = 0;

	if (s->staged > 4) {
		fd = open(s->tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = fd < 0 || syncfs(fd) ? -errno : 0;
		close_fd(&fd);
		return err;
	}
	for (struct pending *p = s->pending; p && !err; p = p->next) {
		char *dir = tmp_path(s, p->id, "");

		err = p->record ? dir_sync_all(dir) : 0;
		free(dir);
	}
	return err;
}

static int enter_staged(struct store *s)
{
	int err = sync_staged(s), in_index = index_exec(s->db, "BEGIN IMMEDIATE");

	for (struct pending *p = s->pending, *next; p; p = next) {
		next = p->next;
		if (!p->record)
			continue;
		err = err ? err : enter(s, p->id, p->record);
		if (err)
			store_abort(s, p->id);
		else
			forget(s, p);
	}
	if (!in_index)
		index_exec(s->db, "COMMIT");
	err = err ? err : file_sync_dir(s->runs);
	s->staged = 0;
	return err ? store_fail(s, "import runs", err) : 0;
}

int store_import_flush(struct store *s)
{
	int lock, err;

	if (!s->staged)
		return 0;
	lock = lock_store(s, LOCK_EX);
	if (lock < 0)
		return store_fail(s, "import runs", lock);
	err = enter_staged(s);
	close(lock);
	return err;
}

int store_import_dir(struct store *s, const char *from_dir, json_t *record)
{
	int err = stage(s, from_dir, record, true);

	return err ? err : store_import_flush(s);
}
