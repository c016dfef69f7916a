/* SPDX-License-Identifier: MIT */
/* The record of one run as a jansson object in the schema of results/SCHEMA.md, and the store that
 * keeps it. */
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

/* 0, or -EINVAL with the first offending path logged. Unknown members are allowed, a newer schema
 * is not. */
int record_validate(const json_t *rec, const char *name_for_messages);
/* Read and validate a record.json. NULL: logged. */
json_t *record_read(const char *path);

/* String member, "" when it is absent. */
const char *record_str(const json_t *rec, const char *key);
/* The metric in every ok sample that has it; NULL and *n = 0 when none has. Caller frees. */
double *record_values(const json_t *rec, const char *metric, size_t *n);
/* "event_idx=on ring=packed", sorted; "" when nothing was set. Caller frees. */
char *record_knobs(const json_t *rec);
/*
 * What one series of a history consists of: "WORKLOAD/MODE/VMM/GUEST/SUBSTRATE/TIME_BASE[;k=v]..."
 * with the knobs and then the parameters sorted, less the number of repetitions. Caller frees.
 */
char *record_series(const json_t *rec);

struct store;

/* dir NULL: results/store in a checkout, else $XDG_STATE_HOME/exitlab. Creates it. -errno is logged
 * in one clear line (full, newer format, ...). A read-only store opens, and refuses what would
 * write. A damaged or missing index is rebuilt from the run directories; one that lacks some of
 * them is completed. */
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

#endif
