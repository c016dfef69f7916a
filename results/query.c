// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "results/store_impl.h"

static const struct run_filter any_run;

static int query_error(struct store *s, sqlite3_stmt *st)
{
	log_error("store %s: index: %s; delete index.sqlite, it will be built anew", s->dir,
		  sqlite3_errmsg(s->db));
	sqlite3_finalize(st);
	return -EIO;
}

static void add_conditions(struct strbuf *sql, const struct run_filter *f)
{
	static const char *const column[] = {"workload", "mode", "vmm", "substrate", "series"};
	const char *const value[] = {f->workload, f->mode, f->vmm, f->substrate, f->series};

	strbuf_adds(sql, " WHERE readable");
	for (size_t i = 0; i < ARRAY_SIZE(column); i++)
		if (value[i])
			strbuf_addf(sql, " AND %s=?%zu", column[i], i + 1);
	if (f->since)
		strbuf_adds(sql, " AND started>=?6");
	if (f->ok_only)
		strbuf_adds(sql, " AND ok");
}

/* Takes the text over. */
static int prepare_query(struct store *s, sqlite3_stmt **st, struct strbuf *sql, const struct run_filter *f)
{
	const char *const value[] = {f->workload,  f->mode,   f->vmm,
				     f->substrate, f->series, f->since};
	int code;

	if (f->since && !isdigit((unsigned char)*f->since)) {
		log_error("since %s: expected a date or the beginning of one, as 2026-03-14 or 2026-03", f->since);
		return -EINVAL;
	}
	code = sqlite3_prepare_v2(s->db, strbuf_str(sql), -1, st, NULL);
	strbuf_free(sql);
	for (size_t i = 0; i < ARRAY_SIZE(value) && code == SQLITE_OK; i++)
		if (value[i])
			code = sqlite3_bind_text(*st, (int)i + 1, value[i], -1, SQLITE_STATIC);
	if (code != SQLITE_OK)
		return query_error(s, *st);
	return 0;
}

/* After the last row. */
static int finish_query(struct store *s, sqlite3_stmt *st, int code)
{
	if (code != SQLITE_DONE)
		return query_error(s, st);
	sqlite3_finalize(st);
	return 0;
}

static char *text_column(sqlite3_stmt *st, int i)
{
	return xstrdup(text_or((const char *)sqlite3_column_text(st, i), ""));
}

static void read_row(sqlite3_stmt *st, struct run_row *r)
{
	char **const text[] = {&r->started, &r->workload,  &r->mode,	  &r->vmm,
			       &r->guest,   &r->substrate, &r->time_base, &r->knobs,
			       &r->series,  &r->plan_id,   &r->version,
			       &r->build,  &r->machine};
	int c = 0;

	snprintf(r->id, sizeof(r->id), "%s", (const char *)sqlite3_column_text(st, c++));
	r->order = sqlite3_column_int64(st, c++);
	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		*text[i] = text_column(st, c++);
	r->speed = sqlite3_column_int64(st, c++);
	r->ok = sqlite3_column_int(st, c++);
	r->samples = sqlite3_column_int(st, c++);
	r->ok_samples = sqlite3_column_int(st, c++);
}

int store_list(struct store *s, const struct run_filter *f, struct run_row **rows, size_t *n)
{
	struct strbuf sql = STRBUF_INIT;
	sqlite3_stmt *st = NULL;
	int err, code;

	*rows = NULL;
	*n = 0;
	if (!f)
		f = &any_run;
	strbuf_adds(
		&sql,
		"SELECT * FROM (SELECT id, ord, started, workload, mode, vmm, guest, substrate, "
		"time_base, knobs, series, plan_id, version, build, machine, speed, ok, samples, ok_samples FROM run");
	add_conditions(&sql, f);
	strbuf_adds(&sql, " ORDER BY ord DESC");
	if (f->last && f->last < INT32_MAX)
		strbuf_addf(&sql, " LIMIT %lld", (long long)f->last);
	strbuf_adds(&sql, ") ORDER BY ord");
	err = prepare_query(s, &st, &sql, f);
	if (err)
		return err;
	while ((code = sqlite3_step(st)) == SQLITE_ROW) {
		*rows = xgrow(*rows, *n, sizeof(**rows));
		read_row(st, &(*rows)[(*n)++]);
	}
	return finish_query(s, st, code);
}

void run_rows_free(struct run_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct run_row *r = &rows[i];
		char *const text[] = {r->started, r->workload,	r->mode,      r->vmm,
				      r->guest,	  r->substrate, r->time_base, r->knobs,
				      r->series,  r->plan_id,	r->version,
				      r->build,	  r->machine};

		for (size_t k = 0; k < ARRAY_SIZE(text); k++)
			free(text[k]);
	}
	free(rows);
}

size_t store_unreadable(struct store *s)
{
	sqlite3_stmt *st = NULL;
	size_t n = 0;

	if (sqlite3_prepare_v2(s->db, "SELECT count(*) FROM run WHERE NOT readable", -1, &st,
			       NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		n = (size_t)sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

/* One copy of each name, newest first because rows come sorted. */
static const char *intern(struct store *s, const char *name)
{
	for (size_t i = s->strings.n; i-- > 0;)
		if (!strcmp(s->strings.v[i], name))
			return s->strings.v[i];
	strlist_add(&s->strings, name);
	return s->strings.v[s->strings.n - 1];
}

/* Rows come sorted: mostly it is the last row's. */
static const char *intern_next(struct store *s, const char *last, const unsigned char *name)
{
	if (last && !strcmp(last, (const char *)name))
		return last;
	return intern(s, (const char *)name);
}

static double double_or_nan(sqlite3_stmt *st, int i)
{
	if (sqlite3_column_type(st, i) == SQLITE_NULL)
		return NAN;
	return sqlite3_column_double(st, i);
}

int store_series(struct store *s, const struct run_filter *f, const char *metric,
		 struct series_point **points, size_t *n)
{
	struct strbuf sql = STRBUF_INIT;
	const char *last_series = NULL, *last_metric = NULL;
	sqlite3_stmt *st = NULL;
	int err, code;

	*points = NULL;
	*n = 0;
	if (!f)
		f = &any_run;
	strbuf_adds(&sql, "SELECT run.id, ord, series, name, median, low, high, n, accepted.metric "
			  "FROM run JOIN metric ON metric.run=run.id LEFT JOIN accepted ON "
			  "accepted.run=run.id AND accepted.metric=metric.name");
	add_conditions(&sql, f);
	if (metric)
		strbuf_adds(&sql, " AND name=?7");
	strbuf_adds(&sql, " ORDER BY series, name, ord");
	err = prepare_query(s, &st, &sql, f);
	if (err)
		return err;
	if (metric && sqlite3_bind_text(st, 7, metric, -1, SQLITE_STATIC) != SQLITE_OK)
		return query_error(s, st);
	while ((code = sqlite3_step(st)) == SQLITE_ROW) {
		struct series_point *p;

		*points = xgrow(*points, *n, sizeof(**points));
		p = &(*points)[(*n)++];
		snprintf(p->id, sizeof(p->id), "%s", (const char *)sqlite3_column_text(st, 0));
		p->order = sqlite3_column_int64(st, 1);
		p->series = last_series = intern_next(s, last_series, sqlite3_column_text(st, 2));
		p->metric = last_metric = intern_next(s, last_metric, sqlite3_column_text(st, 3));
		p->median = sqlite3_column_double(st, 4);
		p->low = double_or_nan(st, 5);
		p->high = double_or_nan(st, 6);
		p->n = sqlite3_column_int(st, 7);
		p->accepted = sqlite3_column_type(st, 8) != SQLITE_NULL;
	}
	return finish_query(s, st, code);
}

/* What is marked already; an empty object when nothing is, NULL when it cannot be read. */
static json_t *marks_load(const char *path)
{
	json_error_t e;
	json_t *marks;

	if (!file_exists(path))
		return json_object();
	marks = json_load_file(path, 0, &e);
	if (!json_is_object(marks)) {
		log_error("%s: %s; nothing is marked, or the marks that are there would be lost", path,
			  text_or(e.text, "cannot be read"));
		json_decref(marks);
		return NULL;
	}
	return marks;
}

static int marks_save(struct store *s, const char *path, const json_t *marks)
{
	char *text = json_dumps(marks, JSON_INDENT(1) | JSON_SORT_KEYS);
	int err = -ENOMEM;

	if (text)
		err = file_write_atomic(path, text, strlen(text));
	if (err)
		store_fail(s, "mark a run", err);
	free(text);
	return err;
}

int store_accept(struct store *s, const char *ref, const char *metric, const char *why)
{
	char *path, id[32];
	struct interval iv;
	json_t *rec, *marks;
	bool known;
	int err = store_need_write(s, "mark a run");

	if (err)
		return err;
	err = store_resolve(s, ref, id);
	if (err)
		return err;
	rec = store_load(s, id);
	if (!rec)
		return -EINVAL;
	known = record_summary(rec, metric, &iv);
	json_decref(rec);
	if (!known) {
		log_error("%s: run %s has no metric of this name; see bench show %s", metric, id,
			  id);
		return -ENOENT;
	}
	path = xasprintf("%s/%s/accepted.json", s->runs, id);
	marks = marks_load(path);
	err = -EIO;
	if (marks) {
		json_object_set_new(marks, metric, json_string(why));
		err = marks_save(s, path, marks);
	}
	if (!err)
		err = index_add_dir(s->db, s->runs, id);
	free(path);
	json_decref(marks);
	return err;
}

/* Those of theirs that ours has no word of. How many. */
static size_t marks_join(json_t *ours, const json_t *theirs)
{
	const char *metric;
	json_t *why;
	size_t n = 0;

	json_object_foreach ((json_t *)theirs, metric, why) {
		if (!json_is_string(why) || json_object_get(ours, metric))
			continue;
		json_object_set(ours, metric, why);
		n++;
	}
	return n;
}

int store_join_marks(struct store *s, const char *from_dir, const char *id)
{
	char *from = xasprintf("%s/accepted.json", from_dir),
	     *to = xasprintf("%s/%s/accepted.json", s->runs, id);
	json_t *theirs = marks_load(from), *ours = marks_load(to);
	int err = 0;

	if (!theirs || !ours)
		err = -EIO;
	else if (marks_join(ours, theirs))
		err = marks_save(s, to, ours);
	if (!err && json_object_size(theirs))
		err = index_add_dir(s->db, s->runs, id);
	json_decref(theirs);
	json_decref(ours);
	free(from);
	free(to);
	return err;
}
