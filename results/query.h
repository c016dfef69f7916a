/* SPDX-License-Identifier: MIT */
/* Quick questions to the store's index, without opening any record. */
#ifndef RESULTS_QUERY_H
#define RESULTS_QUERY_H

#include "results/store.h"

struct run_filter {
	const char *workload, *mode, *vmm, *substrate, *series; /* NULL: any */
	const char *since;					/* ISO 8601 or a prefix of it */
	bool ok_only;
	uint64_t last; /* newest N only; 0: all */
};

struct run_row {
	char id[32];
	int64_t order; /* milliseconds since 1970, see store_commit */
	char *started, *workload, *mode, *vmm, *guest, *substrate, *time_base, *knobs, *series,
		*plan_id, *version, *build, *machine; /* build: see record_build */
	int64_t speed; /* record_machine_speed */
	bool ok;
	int samples, ok_samples;
};

/* Oldest first. 0 or -errno, logged. */
int store_list(struct store *s, const struct run_filter *f, struct run_row **rows, size_t *n);
void run_rows_free(struct run_row *rows, size_t n);
/* Run directories whose record cannot be read. */
size_t store_unreadable(struct store *s);

/* One point of one metric of one series. */
struct series_point {
	char id[32];
	int64_t order;
	const char *series, *metric; /* equal pointers for equal strings, valid until store_close */
	double median, low, high;    /* low and high NAN when there were too few samples */
	int n;
	bool accepted; /* marked by `bench accept`: the level starts anew here */
};

/* Sorted by series, metric, order. metric NULL: all. */
int store_series(struct store *s, const struct run_filter *f, const char *metric,
		 struct series_point **points, size_t *n);

/* Mark the level of METRIC from this run on as accepted, with the reason; kept in accepted.json of
 * the run. */
int store_accept(struct store *s, const char *ref, const char *metric, const char *why);
/*
 * The marks of another copy of this run, in from_dir, beside ours; where both have one of a metric, ours
 * stays. 0 or -errno, logged.
 */
int store_join_marks(struct store *s, const char *from_dir, const char *id);

#endif
