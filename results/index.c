// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strlist.h"
#include "results/index.h"
#include "results/record.h"

#define INDEX_LAYOUT 5

static const char index_sql[] =
	"CREATE TABLE run(id TEXT PRIMARY KEY, ord INT, started TEXT, workload TEXT, mode TEXT, "
	"vmm TEXT,"
	" guest TEXT, substrate TEXT, time_base TEXT, knobs TEXT, series TEXT, plan_id TEXT, version TEXT, build TEXT,"
	" machine TEXT, speed INT, ok INT,"
	" samples INT, ok_samples INT, readable INT) WITHOUT ROWID;"
	"CREATE INDEX run_ord ON run(ord);"
	"CREATE INDEX run_series ON run(series, ord);"
	"CREATE TABLE metric(run TEXT, name TEXT, median REAL, low REAL, high REAL, n INT,"
	" PRIMARY KEY(run, name)) WITHOUT ROWID;"
	"CREATE TABLE accepted(run TEXT, metric TEXT, why TEXT, PRIMARY KEY(run, metric)) WITHOUT "
	"ROWID;"
	"PRAGMA user_version=5;";

static int index_error(sqlite3 *db, const char *what)
{
	int code = sqlite3_errcode(db);

	switch (code) {
	case SQLITE_FULL:
		log_error("store index: %s: disk full; free some space, the index completes itself "
			  "later",
			  what);
		return -ENOSPC;
	case SQLITE_READONLY:
		log_error("store index: %s: read-only; make it writable, the index completes itself then", what);
		return -EROFS;
	case SQLITE_NOMEM:
		log_error("store index: %s: out of memory; free some and try again, the store is whole", what);
		return -ENOMEM;
	case SQLITE_BUSY:
		log_error("store index: %s: another bench has held it for 10 s; try again", what);
		return -EBUSY;
	default:
		log_error("store index: %s: %s; delete index.sqlite, it will be built anew", what,
			  sqlite3_errmsg(db));
		return -EIO;
	}
}

int index_exec(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return index_error(db, "update");
	return 0;
}

static int64_t query_int(sqlite3 *db, const char *sql, int *code)
{
	sqlite3_stmt *st = NULL;
	int64_t v = 0;

	*code = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	if (*code == SQLITE_OK)
		*code = sqlite3_step(st);
	if (*code == SQLITE_ROW)
		v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return v;
}

/* Alone: SQLite answers a second one who switches to the WAL with an error, not by waiting. */
static int make_tables(sqlite3 *db)
{
	int err = index_exec(db, "PRAGMA journal_mode=WAL; BEGIN IMMEDIATE");

	if (err)
		return err;
	err = index_exec(db, index_sql);
	index_exec(db, err ? "ROLLBACK" : "COMMIT");
	return err;
}

/* What a failed open means to the store; logged unless the store has an answer to it. */
static int open_error(sqlite3 *db, int code, enum index_access access)
{
	switch (code & 0xff) {
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return -EUCLEAN;
	case SQLITE_CANTOPEN:
		return access == INDEX_CREATE ? index_error(db, "open") : -EUCLEAN;
	case SQLITE_FULL:
	case SQLITE_IOERR: /* the shared memory of the WAL could not grow */
		return -ENOSPC;
	default:
		return access == INDEX_READ ? -EUCLEAN : index_error(db, "open");
	}
}

static int open_layout(sqlite3 *db, enum index_access access)
{
	int code;
	int64_t layout = query_int(db, "PRAGMA user_version", &code);

	if (code == SQLITE_ROW)
		code = sqlite3_exec(db, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL);
	if (code != SQLITE_OK)
		return open_error(db, code, access);
	if (layout == INDEX_LAYOUT)
		return 0;
	if (layout || access != INDEX_CREATE)
		return -EUCLEAN;
	return make_tables(db);
}

int index_open(sqlite3 **out, const char *path, enum index_access access)
{
	static const int flags[] = {
		[INDEX_READ] = SQLITE_OPEN_READONLY,
		[INDEX_WRITE] = SQLITE_OPEN_READWRITE,
		[INDEX_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
	};
	sqlite3 *db = NULL;
	int code, err;

	*out = NULL;
	code = sqlite3_open_v2(text_or(path, ":memory:"), &db, flags[access], NULL);
	if (code == SQLITE_OK) {
		sqlite3_busy_timeout(db, 10000);
		err = open_layout(db, access);
	} else {
		err = open_error(db, code, access);
	}
	if (err)
		sqlite3_close(db);
	else
		*out = db;
	return err;
}

int64_t index_last_order(sqlite3 *db)
{
	int code;

	return query_int(db, "SELECT max(ord) FROM run", &code);
}

bool index_is_empty(sqlite3 *db)
{
	int code;

	return !query_int(db, "SELECT count(*) FROM run", &code);
}

/* fmt: s string, i int64, d double (NAN: NULL). */
static int run_sql(sqlite3 *db, const char *sql, const char *fmt, ...)
{
	sqlite3_stmt *st = NULL;
	va_list ap;
	int code = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

	va_start(ap, fmt);
	for (int i = 1; code == SQLITE_OK && *fmt; i++, fmt++) {
		double d;

		switch (*fmt) {
		case 's':
			code = sqlite3_bind_text(st, i, va_arg(ap, const char *), -1,
						 SQLITE_TRANSIENT);
			break;
		case 'i':
			code = sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
			break;
		default:
			d = va_arg(ap, double);
			code = isnan(d) ? sqlite3_bind_null(st, i) : sqlite3_bind_double(st, i, d);
		}
	}
	va_end(ap);
	if (code == SQLITE_OK)
		code = sqlite3_step(st);
	/* The error must be read before finalize. */
	code = code == SQLITE_DONE ? 0 : index_error(db, "update");
	sqlite3_finalize(st);
	return code;
}

int index_delete(sqlite3 *db, const char *id)
{
	int err = run_sql(db, "DELETE FROM run WHERE id=?", "s", id);

	if (err)
		return err;
	err = run_sql(db, "DELETE FROM metric WHERE run=?", "s", id);
	if (err)
		return err;
	return run_sql(db, "DELETE FROM accepted WHERE run=?", "s", id);
}

static int add_metrics(sqlite3 *db, const char *id, const json_t *rec)
{
	struct interval iv;
	const char *metric;

	for (void *at = NULL; record_next_metric(rec, &at, &metric, &iv);) {
		int err = run_sql(db, "INSERT INTO metric VALUES(?,?,?,?,?,?)", "ssdddi", id, metric,
				  iv.point, iv.low, iv.high, (int64_t)iv.n);
		if (err)
			return err;
	}
	return 0;
}

static int add_accepted(sqlite3 *db, const char *id, const json_t *accepted)
{
	const char *metric;
	json_t *why;

	json_object_foreach ((json_t *)accepted, metric, why) {
		int err = run_sql(db, "INSERT INTO accepted VALUES(?,?,?)", "sss", id, metric,
				  text_or(json_string_value(why), ""));
		if (err)
			return err;
	}
	return 0;
}

/* The version of the program under test, which is what a history is about; .vmm may be
 * "qemu:accel=tcg". */
static const char *vmm_version(const struct record *r)
{
	size_t len = strcspn(r->vmm, ":");
	struct record_input in;

	for (size_t i = 0; record_input(r->inputs, i, &in); i++)
		if (!strncmp(in.name, r->vmm, len) && !in.name[len])
			return in.version;
	return "";
}

static int add_run(sqlite3 *db, const char *id, const json_t *rec)
{
	struct record r = record_of(rec);
	char *knobs = record_knobs(rec), *series = record_series(rec), *build = record_build(rec);
	int err = run_sql(db, "INSERT INTO run VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,1)",
			  "sisssssssssssssiiii", id, r.order, r.started, r.workload, r.mode, r.vmm, r.guest,
			  r.substrate, r.time_base, knobs, series, r.plan_id, vmm_version(&r), build,
			  record_machine(rec), record_machine_speed(rec), (int64_t)r.ok,
			  (int64_t)json_array_size(r.samples), (int64_t)record_ok_samples(rec));

	free(build);
	free(series);
	free(knobs);
	return err;
}

static int add_rows(sqlite3 *db, const char *id, const json_t *rec, const json_t *accepted)
{
	int err = index_delete(db, id);

	if (err)
		return err;
	err = add_run(db, id, rec);
	if (err)
		return err;
	err = add_metrics(db, id, rec);
	if (err)
		return err;
	return add_accepted(db, id, accepted);
}

int index_add_run(sqlite3 *db, const char *runs_dir, const char *id, const json_t *rec)
{
	char *marks = xasprintf("%s/%s/accepted.json", runs_dir, id);
	json_t *accepted = json_load_file(marks, 0, NULL);
	int err = index_exec(db, "SAVEPOINT add_run");

	if (!err) {
		err = add_rows(db, id, rec, accepted);
		if (err)
			index_exec(db, "ROLLBACK TO add_run");
		index_exec(db, "RELEASE add_run");
	}
	json_decref(accepted);
	free(marks);
	return err;
}

int index_add_dir(sqlite3 *db, const char *runs_dir, const char *id)
{
	char *path = xasprintf("%s/%s/record.json", runs_dir, id);
	json_t *rec = record_read(path);
	int err;

	/* Remembered as unreadable, so that it is reported once and not parsed at every start. */
	if (rec)
		err = index_add_run(db, runs_dir, id, rec);
	else
		err = run_sql(db, "INSERT OR REPLACE INTO run(id, ord, readable) VALUES(?,0,0)",
			      "s", id);
	json_decref(rec);
	free(path);
	return err;
}

/* ---- agreement with the directories ---- */

static int names_of_dir(const char *dir, struct strlist *out)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	if (!d)
		return -errno;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			strlist_add(out, e->d_name);
	closedir(d);
	strlist_sort(out);
	return 0;
}

static int names_of_index(sqlite3 *db, struct strlist *out)
{
	sqlite3_stmt *st = NULL;
	int code = sqlite3_prepare_v2(db, "SELECT id FROM run ORDER BY id", -1, &st, NULL);

	while (code == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
		strlist_add(out, (const char *)sqlite3_column_text(st, 0));
	if (code == SQLITE_OK)
		code = sqlite3_reset(st);
	sqlite3_finalize(st);
	return code == SQLITE_OK ? 0 : index_error(db, "list");
}

/* Merge of two sorted lists. Another bench may have added or removed a run since we read the
 * directory, so a run leaves the index only when its directory is really gone. */
static int apply_difference(sqlite3 *db, const char *runs_dir, const struct strlist *dirs,
			    const struct strlist *rows, bool all)
{
	size_t d = 0, r = 0;
	int err = 0;

	while (!err && (d < dirs->n || r < rows->n)) {
		int order;

		if (d == dirs->n)
			order = 1;
		else if (r == rows->n)
			order = -1;
		else
			order = strcmp(dirs->v[d], rows->v[r]);
		if (order < 0 || (!order && all)) {
			err = index_add_dir(db, runs_dir, dirs->v[d]);
		} else if (order > 0) {
			char *path = xasprintf("%s/%s", runs_dir, rows->v[r]);

			if (!file_exists(path))
				err = index_delete(db, rows->v[r]);
			free(path);
		}
		d += order <= 0;
		r += order >= 0;
	}
	return err;
}

static bool same_names(const struct strlist *a, const struct strlist *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return true;
}

bool index_agrees(sqlite3 *db, const char *runs_dir)
{
	struct strlist dirs = STRLIST_INIT, rows = STRLIST_INIT;
	bool same = !names_of_dir(runs_dir, &dirs) && !names_of_index(db, &rows) &&
		    same_names(&dirs, &rows);

	strlist_free(&dirs);
	strlist_free(&rows);
	return same;
}

int index_sync(sqlite3 *db, const char *runs_dir, bool all)
{
	struct strlist dirs = STRLIST_INIT, rows = STRLIST_INIT;
	int err = names_of_dir(runs_dir, &dirs);

	if (err) {
		log_error("%s: %s", runs_dir, strerror(-err));
		goto out;
	}
	err = names_of_index(db, &rows);
	if (err || (!all && same_names(&dirs, &rows)))
		goto out;
	err = index_exec(db, "BEGIN IMMEDIATE");
	if (err)
		goto out;
	err = apply_difference(db, runs_dir, &dirs, &rows, all);
	index_exec(db, err ? "ROLLBACK" : "COMMIT");
out:
	strlist_free(&dirs);
	strlist_free(&rows);
	return err;
}
