/* SPDX-License-Identifier: MIT */
/* The static site over a store: overview, one page per series with its history. Reads the index,
 * and exits.csv of runs. */
#ifndef ANALYSIS_DASHBOARD_H
#define ANALYSIS_DASHBOARD_H

#include "analysis/changepoint.h"
#include "base/strbuf.h"
#include "results/query.h"

struct dashboard_opts {
	const char *out_dir;
	const char *since;	    /* ISO 8601 or a prefix of it; NULL: everything */
	const char *const *metrics; /* NULL-terminated; NULL: the usual ones */
	/* The metrics that a workload is about, with blanks between; NULL, or what gives NULL: not known. */
	const char *(*headline)(const char *workload);
};

struct dashboard_stats {
	size_t series, points, runs;
};

/* Write index.html, s/SERIES.html, dashboard.css and dashboard.js below out_dir. 0 or -errno,
 * logged. */
int dashboard_build(struct store *store, const struct dashboard_opts *opts,
		    struct dashboard_stats *stats);

/* ---- between the files of the dashboard ---- */

enum dash_verdict { DASH_STEADY, DASH_WORSE, DASH_BETTER, DASH_CHANGED, DASH_FEW };
#define DASH_VERDICTS (DASH_FEW + 1)

struct dash_change {
	size_t at, end;	      /* first point of the new level; of a drift its first and last */
	double before, after; /* the levels, or where the drift begins and ends */
	bool provisional;     /* too new to be sure */
	bool drift;
};

/* What a run measures, whatever the metric: one per distinct series of the index. */
struct dash_config {
	const char *key;
	char *workload, *mode, *vmm, *guest, *substrate, *time_base;
	char *settings; /* those that not all configurations share, "queues=4 ring=packed" */
};

struct dash_series {
	const struct dash_config *config;
	const struct metric_info *metric;
	const char *name; /* of the metric, its kind included */
	const struct series_point *p;
	size_t n;
	struct change_levels levels;
	struct dash_change *change;
	size_t changes;
	enum dash_verdict verdict;
	char *page;    /* file name below s/ */
	char *title;   /* "vhost, builtin, queues=4" */
	char *comment; /* the verdict in words */
};

struct dash {
	struct dash_config *config;
	size_t configs;
	struct dash_series *series;
	size_t n;
	struct series_point *point;
	size_t points;
	struct run_row *row; /* by id */
	size_t rows;
	size_t aa_pairs, aa_alarms; /* of the newest pairs of runs of one build */
	const char *runs_dir;
	const char *store_runs; /* URL of the runs directory, seen from s/ */
};

int dash_collect(struct dash *d, struct store *store, const struct dashboard_opts *opts);
void dash_free(struct dash *d);
const struct run_row *dash_run(const struct dash *d, const char *id);

/* Levels of the series into s->levels, what is to be told of them into s->change. */
void dash_find_changes(struct dash_series *s);

/*
 * How often a gate would have been suspicious of two runs of one build, one after the other: d->aa_pairs and
 * d->aa_alarms. Reads the records of DASH_AA_PAIRS pairs at most.
 */
#define DASH_AA_PAIRS 100
void dash_count_false_alarms(struct dash *d, struct store *store, const struct dashboard_opts *opts);

/* Exits per boot by reason of every run of a series: value[reason * n + point], NAN where a run has
 * none. */
#define DASH_REASONS 8
struct dash_mix {
	char name[DASH_REASONS][48];
	size_t reasons;
	double *value;
};
void dash_mix_read(struct dash_mix *m, const struct dash_series *s, const char *runs_dir);
void dash_mix_free(struct dash_mix *m);

void dash_index_html(const struct dash *d, struct strbuf *out);
void dash_series_html(const struct dash *d, const struct dash_series *s, const struct dash_mix *mix,
		      struct strbuf *out);
/* Whether that is for the better, and by how much. */
enum dash_verdict dash_direction(const struct dash_series *s, const struct dash_change *c);
double dash_percent(const struct dash_change *c);
extern const char *const dash_verdict_class[DASH_VERDICTS];
/* "2026-03-14" of a point. */
void dash_day(const struct series_point *p, char buf[11]);

#endif
