/* SPDX-License-Identifier: MIT */
/* Inside of the store, shared by store*.c, lookup.c and query.c only. */
#ifndef RESULTS_STORE_IMPL_H
#define RESULTS_STORE_IMPL_H

#include "base/strlist.h"
#include "results/index.h"
#include "results/query.h"

/* In tmp/: a run going on, or the directory of this process's imports. */
struct pending {
	char id[32];
	int lock_fd;
	struct pending *next;
};

struct staged {
	json_t *record;
	struct staged *next;
};

struct store {
	char *dir, *runs, *tmp;
	bool writable;
	bool rebuilt; /* every record was read just now, when it was opened */
	sqlite3 *db;
	struct pending *pending;
	struct pending *import; /* of pending, or NULL before the first import */
	struct staged *staged;
	size_t n_staged;
	struct strlist strings; /* names handed out by store_series */
};

/* "store DIR: cannot WHAT: WHY; WHAT TO DO" once; gives err back. */
int store_fail(const struct store *s, const char *what, int err);
int store_need_write(const struct store *s, const char *what);
/* ref to an id within the store. */
int store_resolve(struct store *s, const char *ref, char id[32]);

/*
 * Which kernel holds a run's lock: a lock taken inside the lab, through 9p, is not seen from outside. Caller
 * frees; NULL without /proc.
 */
char *store_boot_id(void);

/* A lock file descriptor to be closed (LOCK_SH, LOCK_EX), or -errno. */
int store_lock(struct store *s, int how);

/* ---- store_run.c: a run on its way in ---- */
/*
 * tmp/ID with its lock, both of a new id. The store's lock is held; store_abort undoes it, after an
 * error too.
 */
int store_make_pending(struct store *s, const char *prefix, struct pending **out);
/* What was staged and not flushed is forgotten. */
void store_end_imports(struct store *s);
int64_t store_next_order(struct store *s);
int store_write_record(const char *dir, json_t *record);
/*
 * dir, with its record and synced, becomes runs/ID. With the store's lock held; until the rename the run
 * is absent, after it it is whole. Should the index fail the next start completes it.
 */
int store_enter(struct store *s, const char *dir, const char *id, const json_t *record);

#endif
