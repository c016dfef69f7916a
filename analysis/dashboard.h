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

/* Write index.html, s/SERIES.html, m/MACHINE.html, dashboard.css and dashboard.js below out_dir. 0 or -errno,
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
	char *machine; /* "" in virtual time, and of records that do not say */
	char *settings; /* those that not all configurations share, "queues=4 ring=packed" */
};

struct dash_series {
	const struct dash_config *config;
	const struct metric_info *metric;
	const char *name; /* of the metric, its kind included */
	const struct series_point *p;
	size_t n;
	const char *each; /* what a point is, "days"; NULL: runs */
	struct change_levels levels;
	struct dash_change *change;
	size_t changes;
	enum dash_verdict verdict;
	char *page;    /* file name below s/ */
	char *title;   /* "vhost, builtin, queues=4" */
	char *comment; /* the verdict in words */
};

/* How far two runs of the same programs, one after the other, are apart (|b/a - 1|) in a metric. */
struct dash_noise {
	const char *workload, *metric;
	double *v; /* sorted */
	size_t n;
};

/* One of those that the store has records from. */
struct dash_machine {
	const char *name;
	char *page; /* file name below m/ */
	size_t runs;
	const struct run_row *newest;
	struct series_point *point; /* how long a fixed piece of work took there: a day's median each */
	struct dash_config config;
	struct dash_series speed; /* of those points */
	struct dash_noise *noise;
	size_t noises;
	size_t unsettled; /* its series whose level changed of late or drifts */
	json_t *findings; /* of bench doctor: store_machine */
};

struct dash {
	struct dash_config *config;
	size_t configs;
	struct dash_machine *machine;
	size_t machines;
	struct dash_series *series;
	size_t n;
	struct series_point *point;
	size_t points;
	struct run_row *row; /* by id */
	size_t rows;
	size_t aa_pairs, aa_alarms; /* of the newest pairs of runs of one build */
	const char *runs_dir;
	const char *store_runs; /* URL of the runs directory, seen from s/ and m/ */
};

/* d->machine, by name, from its series and runs. */
void dash_find_machines(struct dash *d, struct store *store);
void dash_machines_free(struct dash *d);
/* Of the series of that machine, or of all (NULL), sorted by workload and metric. dash_noise_free frees. */
size_t dash_noise(const struct dash *d, const char *machine, struct dash_noise **noise);
void dash_noise_free(struct dash_noise *noise, size_t n);
void dash_machine_html(const struct dash *d, const struct dash_machine *m, const struct dash_noise *all,
		       size_t n_all, struct strbuf *out);
/* The table of them on the overview; nothing when there is none. */
void dash_machines_table(const struct dash *d, struct strbuf *out);
/* Not so long ago that it has become the level, and with enough runs to tell. */
bool dash_unsettled(const struct dash_series *s);
/* Levels, changes and verdict of a series that has its points. */
void dash_judge(struct dash_series *s);
void dash_series_free(struct dash_series *s);
/* A file's name of any text: what is no plain character is "_"; caller frees. */
char *dash_file_name(const char *text);

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
/* What the script draws a history from, for a script element; mix may be NULL. */
void dash_history_json(const struct dash *d, const struct dash_series *s, const struct dash_mix *mix,
		       struct strbuf *out);
void dash_series_html(const struct dash *d, const struct dash_series *s, const struct dash_mix *mix,
		      struct strbuf *out);
/* Whether that is for the better, and by how much. */
enum dash_verdict dash_direction(const struct dash_series *s, const struct dash_change *c);
double dash_percent(const struct dash_change *c);
extern const char *const dash_verdict_class[DASH_VERDICTS];
/* "2026-03-14" of a point. */
void dash_day(const struct series_point *p, char buf[11]);

#endif
