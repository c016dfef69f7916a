/* SPDX-License-Identifier: MIT */
/* The store that keeps records (results/SCHEMA.md says how it lies on the disk). */
#ifndef RESULTS_STORE_H
#define RESULTS_STORE_H

#include "results/record.h"

struct store;

/* dir NULL: results/store in a checkout, else exitlab in $XDG_STATE_HOME or ~/.local/state. Creates it.
 * -errno is logged in one clear line (full, newer format, no home, ...). A read-only store opens, and
 * refuses what would write. A damaged or missing index is rebuilt from the run directories; one that lacks
 * some of them is completed. */
int store_open(struct store **out, const char *dir);
void store_close(struct store *s);
const char *store_dir(const struct store *s);

/* A directory in the store for the files of a run that is still going on; not a run until
 * committed, swept by a later start if we are killed. run_dir is freed by the caller and no longer
 * valid after the commit (see store_run_dir). */
int store_begin(struct store *s, char id[32], char **run_dir);
/*
 * Write record.json, fsync everything, rename into place, index. Whole or absent, whenever we are
 * killed. Sets .id and .order (milliseconds since 1970 at the commit, but always above those of the
 * runs already there, so that "last" survives a clock that is set back). On error the run's
 * directory stays until store_abort.
 */
int store_commit(struct store *s, const char *id, json_t *record);
void store_abort(struct store *s, const char *id);

/* ref: an ID, a unique prefix, "last", "last~2", or a path to a run directory or record.json. NULL:
 * logged. */
json_t *store_load(struct store *s, const char *ref);
char *store_run_dir(struct store *s, const char *ref);
int store_remove(struct store *s, const char *ref);

/* ---- import and maintenance ---- */

/* Read every record again and build the index from them. */
int store_reindex(struct store *s);
/*
 * Take in a record under its own id, with the files of from_dir (NULL: the record alone) but for its
 * record.json: what the caller has added to the record is kept. -EEXIST without a message when the
 * store has that run; other errors are logged.
 */
int store_import_dir(struct store *s, const char *from_dir, json_t *record);
/*
 * The same for many, which record_read gave and whose record.json are copied as they are: stage each,
 * flush every STORE_IMPORT_BATCH of them and at the end. Staged runs are not in the store yet; a flush
 * that fails (logged) leaves out all that did not get in.
 */
#define STORE_IMPORT_BATCH 64
int store_import_stage(struct store *s, const char *from_dir, json_t *record);
int store_import_flush(struct store *s);

#endif
