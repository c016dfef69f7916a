// SPDX-License-Identifier: MIT
/* Which run a word means: an ID, the beginning of one, last, last~2, or a path. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "results/store_impl.h"

/* First column of at most two rows, so that an ambiguous prefix is seen. Number of rows or -errno.
 */
static int find_ids(struct store *s, const char *sql, const char *text, int64_t number,
		    char id[2][32])
{
	sqlite3_stmt *st = NULL;
	int n = 0, code = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);

	if (code == SQLITE_OK && text)
		code = sqlite3_bind_text(st, 1, text, -1, SQLITE_STATIC);
	else if (code == SQLITE_OK)
		code = sqlite3_bind_int64(st, 1, number);
	while (code == SQLITE_OK && n < 2 && sqlite3_step(st) == SQLITE_ROW)
		snprintf(id[n++], 32, "%s", (const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	if (code != SQLITE_OK) {
		log_error("store %s: index: %s; try again, or delete index.sqlite, it will be built anew", s->dir,
			  sqlite3_errmsg(s->db));
		return -EIO;
	}
	return n;
}

static int resolve_last(struct store *s, const char *ref, char id[32])
{
	char found[2][32];
	uint64_t back = 0;
	int n;

	if (ref[4] && (ref[4] != '~' || parse_u64(ref + 5, &back) || back > INT64_MAX)) {
		log_error("%s: not a run; write last, or last~2 for the second before it", ref);
		return -EINVAL;
	}
	n = find_ids(s, "SELECT id FROM run WHERE readable ORDER BY ord DESC LIMIT 1 OFFSET ?",
		     NULL, (int64_t)back, found);
	if (n < 0)
		return n;
	if (!n) {
		log_error("%s: the store %s has no such run; see bench list runs", ref, s->dir);
		return -ENOENT;
	}
	strcpy(id, found[0]);
	return 0;
}

int store_resolve(struct store *s, const char *ref, char id[32])
{
	char found[2][32];
	int n;

	if (!*ref) {
		log_error("empty name of a run; see bench list runs");
		return -EINVAL;
	}
	if (!strncmp(ref, "last", 4) && (!ref[4] || ref[4] == '~'))
		return resolve_last(s, ref, id);
	n = find_ids(s, "SELECT id FROM run WHERE id >= ?1 AND id < ?1 || '~' ORDER BY id", ref, 0,
		     found);
	if (n < 0)
		return n;
	/* A whole ID is meant even when it is a prefix of another. */
	if (n == 1 || (n == 2 && !strcmp(found[0], ref))) {
		strcpy(id, found[0]);
		return 0;
	}
	if (!n) {
		log_error("%s: the store %s has no such run; see bench list runs", ref, s->dir);
		return -ENOENT;
	}
	log_error("%s: fits %s, %s and perhaps more; give more digits", ref, found[0], found[1]);
	return -EINVAL;
}

/* A run directory or a record.json outside the store (or inside it, by path). */
static bool is_path(const char *ref)
{
	return strchr(ref, '/') || strchr(ref, '.');
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

char *store_run_dir(struct store *s, const char *ref)
{
	const char *slash = strrchr(ref, '/');
	char id[32];

	if (is_path(ref) && !ends_with(ref, ".json"))
		return xstrdup(ref);
	if (is_path(ref))
		return slash ? xasprintf("%.*s", (int)(slash - ref), ref) : xstrdup(".");
	if (store_resolve(s, ref, id))
		return NULL;
	return xasprintf("%s/%s", s->runs, id);
}

json_t *store_load(struct store *s, const char *ref)
{
	char *dir, *path;
	json_t *rec;

	if (is_path(ref) && ends_with(ref, ".json"))
		return record_read(ref);
	dir = store_run_dir(s, ref);
	if (!dir)
		return NULL;
	path = xasprintf("%s/record.json", dir);
	rec = record_read(path);
	free(path);
	free(dir);
	return rec;
}
