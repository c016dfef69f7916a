// SPDX-License-Identifier: MIT
/*
 *   STORE/format            "1"
 *   STORE/lock              flock: held while a run enters or leaves runs/
 *   STORE/index.sqlite      see index.h
 *   STORE/runs/ID/          committed runs
 *   STORE/tmp/import-ID/    what an import has staged, with a lock of the same kind
 *   STORE/tmp/ID/           runs going on; tmp/ID.lock is held (flock) by the process that began it,
 *                           tmp/ID.reserve keeps room on the disk for its record
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/checkout.h"
#include "base/file.h"
#include "base/home.h"
#include "base/log.h"
#include "results/store_impl.h"

#define FOREIGN_RUN_S 86400 /* no run takes a day */

#define STORE_FORMAT 1

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
	case EIO:
		return "the disk failed to write; look at the kernel's log, and choose another with --store DIR";
	case ENOMEM:
		return "out of memory; free some and try again";
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
	char *root, *dir;

	if (checkout_is("."))
		return xstrdup("results/store");
	root = checkout_of_program();
	if (root) {
		dir = xasprintf("%s/results/store", root);
		free(root);
		return dir;
	}
	return home_path("XDG_STATE_HOME", ".local/state");
}

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

	if (!err)
		err = dir_make_all(s->tmp);
	/* mkdir of what exists says EEXIST even on a read-only file system, so ask for real. */
	s->writable = !err && can_write(s->dir) && can_write(s->runs) && can_write(s->tmp);
	if (!s->writable && file_exists(s->runs))
		return 0;
	if (err)
		store_fail(s, "create it", err);
	return err;
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

int store_lock(struct store *s, int how)
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

/* What cannot be opened may be another's, half made: the lock tells. */
static int make_index(struct store *s, const char *path)
{
	int lock = store_lock(s, LOCK_EX);
	int err = lock < 0 ? lock : index_open(&s->db, path, INDEX_WRITE);

	if (err == -EUCLEAN) {
		if (file_exists(path))
			log_warn("store %s: the index is damaged or of another version; building it "
				 "anew from the run directories",
				 s->dir);
		unlink_index(path);
		err = index_open(&s->db, path, INDEX_CREATE);
	}
	close_fd(&lock);
	return err;
}

static int open_index(struct store *s)
{
	char *path = xasprintf("%s/index.sqlite", s->dir);
	int err = index_open(&s->db, path, s->writable ? INDEX_WRITE : INDEX_READ);

	if (err == -EUCLEAN && s->writable)
		err = make_index(s, path);
	if (err == -ENOSPC || (!s->writable && (err || !index_agrees(s->db, s->runs)))) {
		/* Cannot be repaired in place, or not opened: a private copy serves this call. */
		sqlite3_close(s->db);
		err = index_open(&s->db, NULL, INDEX_CREATE);
	}
	free(path);
	if (err)
		return err;
	s->rebuilt = index_is_empty(s->db);
	return index_sync(s->db, s->runs, false);
}

char *store_boot_id(void)
{
	return file_read_line("/proc/sys/kernel/random/boot_id");
}

/* Of another kernel's run we see no lock: a machine that died leaves it for a day. */
static bool is_elsewhere(const char *lock, int fd)
{
	char *owner = file_read_line(lock), *ours = store_boot_id();
	struct stat st;
	bool elsewhere = owner && *owner && ours && strcmp(owner, ours) != 0 && !fstat(fd, &st) &&
			 time(NULL) - st.st_mtime < FOREIGN_RUN_S;

	free(owner);
	free(ours);
	return elsewhere;
}

static bool is_dead(const char *lock)
{
	int fd = open(lock, O_RDWR | O_CLOEXEC);
	bool dead = fd < 0 || (!is_elsewhere(lock, fd) && !flock(fd, LOCK_EX | LOCK_NB));

	close_fd(&fd);
	return dead;
}

/* Remove what killed processes left in tmp/. With the store's lock held nobody can be between
 * making the lock file and taking it. */
static void sweep(struct store *s)
{
	int lock = store_lock(s, LOCK_EX | LOCK_NB);
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
	if (!s->dir) {
		log_error("store: there is no home directory to keep it in; set HOME, or name a place with --store DIR");
		free(s);
		return -ENOENT;
	}
	s->runs = xasprintf("%s/runs", s->dir);
	s->tmp = xasprintf("%s/tmp", s->dir);
	err = make_dirs(s);
	if (err)
		goto out;
	err = check_format(s);
	if (err)
		goto out;
	err = open_index(s);
	if (err)
		goto out;
	if (s->writable)
		sweep(s);
	*out = s;
	return 0;
out:
	store_close(s);
	return err;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	store_end_imports(s);
	while (s->pending)
		store_abort(s, s->pending->id);
	sqlite3_close(s->db);
	strlist_free(&s->strings);
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
	if (!s->writable)
		return store_fail(s, what, -EROFS);
	return 0;
}
