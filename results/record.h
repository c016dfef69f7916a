/* SPDX-License-Identifier: MIT */
/* The record of one run as a jansson object in the schema of results/SCHEMA.md, and the store that keeps it. */
#ifndef RESULTS_RECORD_H
#define RESULTS_RECORD_H

#include <jansson.h>
#include "base/hist_json.h"

#define RECORD_SCHEMA 1

/* One row per metric: name, unit, direction, one line of text. */
struct metric_info {
	const char *name, *unit;
	int better; /* +1 higher, -1 lower, 0 neither */
	const char *text;
};
/* Exact name, else NULL. The table ends with a NULL name. */
const struct metric_info *metric_find(const char *name);
extern const struct metric_info metric_table[];

/* 0, or -EINVAL with the first offending path logged. Unknown members are allowed, a newer schema is not. */
int record_validate(const json_t *rec, const char *name_for_messages);

struct store;

/* dir NULL: results/store in a checkout, else $XDG_STATE_HOME/exitlab. Creates it. -errno is logged in one clear line
 * (read-only, full, newer schema). A damaged or missing index is rebuilt from the run directories. */
int store_open(struct store **out, const char *dir);
void store_close(struct store *s);
const char *store_dir(const struct store *s);

/* A directory in the store for the files of a run that is still going on; not a run until committed. */
int store_begin(struct store *s, char id[32], char **run_dir);
/* Write record.json, fsync everything, rename into place, index. Whole or absent, whenever we are killed. */
int store_commit(struct store *s, const char *id, json_t *record);
void store_abort(struct store *s, const char *id);

/* ref: an ID, a unique prefix, "last", "last~2", or a path to a run directory or record.json. NULL: logged. */
json_t *store_load(struct store *s, const char *ref);
char *store_run_dir(struct store *s, const char *ref);
int store_remove(struct store *s, const char *ref);

#endif
