/* SPDX-License-Identifier: MIT */
/*
 * Figures. A figure is one row of figure_table: it turns records into a data file (.dat), the body
 * of a gnuplot script (.gp) and a sentence for the caption. Everything else (terminal, style, size,
 * running gnuplot) is common.
 *
 * To add one: copy fig_skeleton.c, give it a row in figure_rows.h, and run `make golden` to store what it
 * writes for the synthetic records.
 */
#ifndef ANALYSIS_FIGURE_H
#define ANALYSIS_FIGURE_H

#include <jansson.h>
#include "analysis/stats.h"
#include "base/strbuf.h"

/* The records to draw, in the order given; borrowed. */
struct fig_set {
	json_t **rec;
	size_t n;
};

enum fig_format { FIG_PDF, FIG_SVG, FIG_PNG };

struct fig_doc {
	double width_in;  /* of the whole figure */
	double height_in; /* the row's aspect times width unless the figure changes it */
	struct strbuf dat, gp;
	struct strbuf caption; /* what is drawn, in words; n, interval and platform are added */
	struct strbuf missing; /* why it could not be drawn */
};

enum figure_how {
	FIG_ALL,   /* of all records together, which are of one substrate */
	FIG_EACH,  /* of one record: several give several files */
	FIG_MIXED, /* of all, each beside the bare metal of its own substrate */
};

struct figure {
	const char *name, *title;
	const char *needs;  /* what the records must hold */
	const char *supply; /* a command that supplies it */
	double aspect;	    /* height by width at column width */
	enum figure_how how;
	/* 0, or -ENODATA with doc->missing set. */
	int (*draw)(const struct fig_set *set, struct fig_doc *doc);
	/* Records without the data are left out (mode host has no exits) rather than drawn as
	 * nothing; NULL: all. */
	bool (*has)(const json_t *rec);
};

/* Ends with a NULL name. */
extern const struct figure figure_table[];
const struct figure *figure_find(const char *name);

#define FIG_WIDE_IN 5.0 /* from here on there is room for a key at the side */

struct fig_target {
	const char *dir, *stem; /* DIR/STEM.pdf, .gp, .dat, .txt and DIR/style.gp */
	enum fig_format format;
	double width_in;
	bool only_text; /* do not run gnuplot */
};

/*
 * Draw one figure. 0; -ENODATA with *why set (caller frees) when the records lack what it needs;
 * other -errno with a logged line.
 */
int figure_render(const struct figure *fig, const struct fig_set *set, const struct fig_target *to,
		  char **why);
const char *figure_format_name(enum fig_format f);
int figure_format_parse(const char *s, enum fig_format *out);
/* "3.3in", "85mm", "8.5cm", "3.3": inches between 1 and 20, else -EINVAL. */
int figure_width_parse(const char *s, double *out);
/* True when all records share substrate and time base; else *what names the difference. */
bool figure_set_comparable(const struct fig_set *set, const char **what);

/* ---- for the fig_*.c files ---- */

/* What tells record i from the others: "vhost", "vhost, qemu", "virtio, queues=4"; the setting
 * `ignore` is left out. */
char *fig_label(const struct fig_set *set, size_t i, const char *ignore);
/* Line type of style.gp: by mode while the modes tell the records apart, else by position. */
int fig_linetype(const struct fig_set *set, size_t i);
/* -ENODATA with the reason. */
int fig_missing(struct fig_doc *doc, const char *fmt, ...) PRINTF(2, 3);
/* Text as a gnuplot string, quotes included. */
void fig_quote(struct strbuf *sb, const char *s);
/* The same for a label of a tic, where gnuplot takes % for a format. */
void fig_quote_tic(struct strbuf *sb, const char *s);
/* A number, or "NaN" as gnuplot reads it. */
void fig_num(struct strbuf *sb, double v);
/* The power of 1000 that brings max below the limit, or the last, and its name; names end with NULL. */
double fig_scale(double max, double limit, const char *const *names, const char **name);
/* 1, 1e3, 1e6 ... for an axis that reaches max, and the SI prefix that goes with it. */
double fig_si(double max, const char **prefix);
/* The key of stacked parts: at the side and in their order where there is room, else above. */
void fig_stack_key(struct fig_doc *doc, const char *more);
/* x axis with one label per record, turned when they would not fit side by side. */
void fig_category_axis(const struct fig_set *set, struct fig_doc *doc);
/* The first of names (NULL-terminated) that every record's summary has, or NULL. */
const char *fig_common_metric(const struct fig_set *set, const char *const *names);

/* Lines over a setting: one series per label, points sorted by x. */
struct fig_point {
	double x;
	const json_t *rec;
};
struct fig_series {
	char *label;
	int linetype;
	struct fig_point *point;
	size_t n;
};
/* Series of the records that have the setting; 0 when none has at least two points. Free with
 * fig_series_free. */
size_t fig_series_build(const struct fig_set *set, const char *setting, struct fig_series **out);
void fig_series_free(struct fig_series *s, size_t n);
/* Tics at the settings that were measured, "64", "1Ki", "8k". */
void fig_setting_tics(struct fig_doc *doc, const struct fig_series *s, size_t n);
/* Labelled tics at 1, 2 and 5 on a logarithmic axis ("x" or "y") of few decades. */
void fig_log_tics(struct fig_doc *doc, const char *axis, double low, double high);
/* No more than `most` round tics from 0 to max. */
void fig_linear_tics(struct fig_doc *doc, const char *axis, double max, unsigned most);
/* Direct labels at the right end of lines: y in [0, 1] of the axis; labels that would touch are
 * moved apart. */
struct fig_end_label {
	const char *text;
	int linetype;
	double y;
};
void fig_end_labels(struct fig_doc *doc, struct fig_end_label *l, size_t n, double plot_height_in);

/* Quantile q of latency: median over the boots with its interval; false without a latency
 * histogram. */
bool fig_latency_quantile(const json_t *rec, double q, struct interval *out);

bool fig_has_throughput(const json_t *rec);
bool fig_has_exits(const json_t *rec);
bool fig_has_requests(const json_t *rec);
bool fig_has_events(const json_t *rec);
bool fig_has_batch(const json_t *rec);
bool fig_has_threads(const json_t *rec);
bool fig_has_latency(const json_t *rec);
bool fig_has_operations(const json_t *rec);
bool fig_has_operation_exits(const json_t *rec);
bool fig_has_life(const json_t *rec);

#define X(symbol, ...) int fig_##symbol(const struct fig_set *set, struct fig_doc *doc);
#include "analysis/figure_rows.h"
X(skeleton)
#undef X

#endif
