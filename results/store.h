/* SPDX-License-Identifier: MIT */
/* What import and maintenance need of the store beyond results/record.h. */
#ifndef RESULTS_STORE_H
#define RESULTS_STORE_H

#include "results/record.h"

/* Read every record again and build the index from them. */
int store_reindex(struct store *s);
/*
 * Take in a record under its own id, with the files of from_dir (NULL: the record alone). -EEXIST
 * without a message when the store has that run; other errors are logged.
 */
int store_import_dir(struct store *s, const char *from_dir, json_t *record);

#endif
