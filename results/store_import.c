// SPDX-License-Identifier: MIT
/* Many runs are staged in tmp/, then synced and entered together. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "results/store_impl.h"

/* The record is valid, so its id is fit to be a name. The store's lock is held. */
static int stage_locked(struct store *s, const char *id, const char *from_dir, json_t *record,
			bool write)
{
	struct pending *p = xcalloc(1, sizeof(*p));
	char *dir = store_tmp_path(s, id, "");
	int err;

	snprintf(p->id, sizeof(p->id), "%s", id);
	p->next = s->pending;
	s->pending = p;
	/* A record without an order, which nobody committed, comes in as the newest. */
	if (!json_is_integer(json_object_get(record, "order"))) {
		json_object_set_new(record, "order", json_integer(store_next_order(s)));
		write = true;
	}
	p->record = json_incref(record);
	err = store_make_run(s, p);
	err = err || !from_dir ? err : dir_copy_all(from_dir, dir);
	err = err || !write ? err : store_write_record(dir, record);
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
	lock = store_lock(s, LOCK_EX);
	if (lock < 0)
		return store_fail(s, "import a run", lock);
	to = xasprintf("%s/%s", s->runs, id);
	if (file_exists(to) || store_pending(s, id))
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
		char *dir = store_tmp_path(s, p->id, "");

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
		err = err ? err : store_enter(s, p->id, p->record);
		if (err)
			store_abort(s, p->id);
		else
			store_forget(s, p);
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
	lock = store_lock(s, LOCK_EX);
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
