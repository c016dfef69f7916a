/* SPDX-License-Identifier: MIT */
/*
 * The SQLite index of a store: a copy of what record.json files say, for quick lists and series.
 * The run directories are the truth; whatever is wrong with the index is answered by building it
 * anew. Only the store uses this.
 */
#ifndef RESULTS_INDEX_H
#define RESULTS_INDEX_H

#include <jansson.h>
#include <sqlite3.h>
#include "base/util.h"

enum index_access {
	INDEX_READ,
	INDEX_WRITE,
	INDEX_CREATE, /* where there is none; with the store's lock held */
};

/*
 * path NULL: in memory. Not logged: -EUCLEAN, not there, damaged or of another layout; -ENOSPC,
 * the disk is full.
 */
int index_open(sqlite3 **db, const char *path, enum index_access access);
/* Add or replace one run, its metrics and the accepted marks in its directory. */
int index_add_run(sqlite3 *db, const char *runs_dir, const char *id, const json_t *rec);
int index_delete(sqlite3 *db, const char *id);
/* Make the index agree with the directories under runs_dir; all: read every record again. 0 or
 * -errno, logged. */
int index_sync(sqlite3 *db, const char *runs_dir, bool all);
/* Add the run in runs_dir/id, or note it as unreadable. */
int index_add_dir(sqlite3 *db, const char *runs_dir, const char *id);
/* Whether it lists exactly the directories under runs_dir. */
bool index_agrees(sqlite3 *db, const char *runs_dir);
bool index_is_empty(sqlite3 *db);
/* Highest .order, 0 when the store is empty. */
int64_t index_last_order(sqlite3 *db);
/* Run SQL that returns no rows. -errno logged. */
int index_exec(sqlite3 *db, const char *sql);

#endif
