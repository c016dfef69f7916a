/* SPDX-License-Identifier: MIT */
/* What import and maintenance need of the store beyond results/record.h. */
#ifndef RESULTS_STORE_H
#define RESULTS_STORE_H

#include "results/record.h"

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
