// SPDX-License-Identifier: MIT
/* Many runs are staged in tmp/, then synced and entered together. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "results/store_impl.h"

/*
 * One directory and one lock serve all imports of a process: tmp/import-XXXXXX/ID. A lock of its own for
 * each of 10,000 runs, made and removed, was half of what an import costs in the kernel (ext4 passes over
 * inodes freed a moment ago).
 */
static int begin_imports(struct store *s)
{
	struct pending *p = NULL;
	int lock, err;

	if (s->import)
		return 0;
	lock = store_lock(s, LOCK_EX);
	if (lock < 0)
		return lock;
	err = store_make_pending(s, "import-", &p);
	close(lock);
	if (err)
		store_abort(s, p->id);
	else
		s->import = p;
	return err;
}

static char *staged_path(const struct store *s, const char *id)
{
	return xasprintf("%s/%s/%s", s->tmp, s->import->id, id);
}

static void drop_staged(struct store *s, struct staged *r)
{
	s->staged = r->next;
	s->n_staged--;
	json_decref(r->record);
	free(r);
}

void store_end_imports(struct store *s)
{
	while (s->staged)
		drop_staged(s, s->staged);
	s->import = NULL;
}

/* The record is valid, so its id is fit to be a name. */
static int stage_files(struct store *s, const char *dir, const char *from_dir, json_t *record, bool write)
{
	struct staged *r;
	int err;

	/* A record without an order, which nobody committed, comes in as the newest. */
	if (!record_of(record).order) {
		json_object_set_new(record, MEMBER_KEY(struct record, order),
				    json_integer(store_next_order(s)));
		write = true;
	}
	err = errno_if(mkdir(dir, 0755));
	if (!err && from_dir)
		err = dir_copy_all(from_dir, dir);
	if (!err && write)
		err = store_write_record(dir, record);
	if (err) {
		dir_remove_all(dir);
		return store_fail(s, "import a run", err);
	}
	r = xcalloc(1, sizeof(*r));
	r->record = json_incref(record);
	r->next = s->staged;
	s->staged = r;
	s->n_staged++;
	return 0;
}

/* Without a message when the store has that run. */
static int stage(struct store *s, const char *from_dir, json_t *record, bool write)
{
	const char *id = record_of(record).id;
	char *to = xasprintf("%s/%s", s->runs, id), *dir = NULL;
	int err = file_exists(to) ? -EEXIST : begin_imports(s);

	if (err && err != -EEXIST)
		store_fail(s, "import a run", err);
	if (!err) {
		dir = staged_path(s, id);
		err = file_exists(dir) ? -EEXIST : stage_files(s, dir, from_dir, record, write || !from_dir);
	}
	free(dir);
	free(to);
	return err;
}

int store_import_stage(struct store *s, const char *from_dir, json_t *record)
{
	int err = store_need_write(s, "import a run");

	/* What comes with files was read by record_read, which checks it. */
	if (!err && !from_dir)
		err = record_validate(record, record_of(record).id);
	if (err)
		return err;
	return stage(s, from_dir, record, false);
}

/* One sync of the file system is cheaper than those of many small files, and dearer than of one. */
static int sync_staged(struct store *s)
{
	int fd, err = 0;

	if (s->n_staged > 4) {
		fd = open(s->tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = errno_if(fd < 0 || syncfs(fd));
		close_fd(&fd);
		return err;
	}
	for (struct staged *r = s->staged; r && !err; r = r->next) {
		char *dir = staged_path(s, record_of(r->record).id);

		err = dir_sync_all(dir);
		free(dir);
	}
	return err;
}

/* A run that another bench has brought in since it was staged is as good as ours. */
static int enter_one(struct store *s, const json_t *record)
{
	const char *id = record_of(record).id;
	char *dir = staged_path(s, id);
	int err = store_enter(s, dir, id, record);

	if (err)
		dir_remove_all(dir);
	free(dir);
	if (err == -ENOTEMPTY || err == -EEXIST)
		return 0;
	return err;
}

static int enter_staged(struct store *s)
{
	int err = sync_staged(s), in_index = index_exec(s->db, "BEGIN IMMEDIATE");

	for (; s->staged; drop_staged(s, s->staged))
		if (!err)
			err = enter_one(s, s->staged->record);
	if (!in_index)
		index_exec(s->db, "COMMIT");
	if (!err)
		err = file_sync_dir(s->runs);
	if (err)
		store_fail(s, "import runs", err);
	return err;
}

int store_import_flush(struct store *s)
{
	int lock, err;

	if (!s->n_staged)
		return 0;
	lock = store_lock(s, LOCK_EX);
	if (lock < 0)
		return store_fail(s, "import runs", lock);
	err = enter_staged(s);
	close(lock);
	return err;
}

int store_import_dir(struct store *s, const char *from_dir, json_t *record)
{
	int err = store_need_write(s, "import a run");

	if (err)
		return err;
	err = record_validate(record, record_of(record).id);
	if (err)
		return err;
	err = stage(s, from_dir, record, true);
	if (err)
		return err;
	return store_import_flush(s);
}
