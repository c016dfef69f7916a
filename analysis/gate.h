/* SPDX-License-Identifier: MIT */
/*
 * A regression gate: a screening sample is compared with the baseline; what looks worse must look
 * worse again in a fresh confirmation sample, alone and not pooled with the first, before the gate
 * trips.
 *
 * The confirmation should have twice the boots: it is rarely taken, and so it rarely loses what the screening
 * has found. Runs of one build differ by more than their boots show: where the store has A/A pairs of the
 * series, the intervals know how much (analysis/spread.h).
 */
#ifndef ANALYSIS_GATE_H
#define ANALYSIS_GATE_H

#include <jansson.h>
#include <stdio.h>
#include "analysis/family.h"
#include "analysis/spread.h"

#define GATE_CONFIRM_FACTOR 2 /* boots of the confirmation per boot of the screening */

/*
 * Changes at or below a floor never trip. relative 0.02 is 2 %; absolute is in the metric's unit. In
 * exact mode both are 0 but for what a file of floors says.
 */
struct gate_floor {
	char *metric; /* "*": every metric without a line of its own */
	double relative, absolute;
};
struct gate_floors {
	struct gate_floor *v;
	size_t n;
};
#define GATE_DEFAULT_RELATIVE 0.01

/* Lines "METRIC RELATIVE% [ABSOLUTE]", # comments. 0 or -errno, logged with the line's number. */
int gate_floors_read(struct gate_floors *f, const char *path);
void gate_floors_free(struct gate_floors *f);

enum gate_result {
	GATE_PASS,
	GATE_BETTER,
	GATE_NOT_CONFIRMED, /* looked worse in the screening sample only */
	GATE_TRIPPED,
	GATE_NOT_JUDGED, /* too few values in the baseline, of a metric that nobody asked for by
			    name */
	GATE_TOO_FEW,	 /* cannot be judged: fewer boots than an interval needs */
	GATE_TOO_MANY,	 /* looks worse, and among so many metrics these boots cannot tell it from chance */
};
const char *gate_result_text(enum gate_result r);

struct gate_row {
	const char *metric; /* belongs to the baseline */
	int better;
	double base;
	struct interval screen,
		confirm;   /* Hodges-Lehmann ratios to the baseline; NAN when not taken */
	struct family_test test; /* of the screening */
	struct spread between;	 /* runs, as the store knows it */
	size_t boots[2];	 /* of the baseline and of the screening */
	double log_sd;		 /* of a boot's logarithm, within both */
	double detectable;	 /* see gate_tell_detectable */
	double screen_value, confirm_value;
	struct gate_floor floor;
	bool suspect;
	bool bimodal; /* a sample's boots fall into two groups: its median may name neither */
	enum gate_result result;
};

struct gate {
	struct gate_row *row;
	size_t n;
	bool exact; /* virtual time: any change that is no improvement trips, without a confirmation;
		     * the rows are in the order of their change, the largest first */
	bool tripped, undecided;
};

/* Where samples come from: NULL when it failed (logged). The caller of the gate owns what it
 * returns. */
struct gate_source {
	json_t *(*take)(void *ctx, const char *what);
	void *ctx;
};

struct gate_opts {
	const char *const *metrics; /* NULL-terminated names; NULL: every one with a direction */
	const char *headline;	    /* those of the workload, which are tested first; NULL: not known */
	const struct gate_floors *floors;
	const struct spreads *spreads; /* between runs of the series; NULL: not known */
};

/*
 * Takes the screening sample and, if something is suspect, the confirmation; both are handed out for
 * the caller's output and to be released (NULL when not taken). 0, or -errno when a sample could not
 * be taken. Free with gate_free.
 */
int gate_run(struct gate *g, const json_t *base, const struct gate_source *source,
	     const struct gate_opts *opts, json_t **screen, json_t **confirm);
void gate_free(struct gate *g);

/*
 * The screening alone, of two records that are there: would a gate on base be suspicious of rec? (In virtual
 * time: would it trip?) Between two runs of the same programs that is a false alarm.
 */
bool gate_suspects(const json_t *base, const json_t *rec, const struct gate_opts *opts);

/*
 * Fills in the smallest ratio to the worse (above 1) that 4 of 5 such gates of as many metrics would trip on:
 * NAN when it cannot be told, INFINITY when none would.
 */
void gate_tell_detectable(struct gate *g);

/* In exact mode: one line per exit reason and key whose count changed. */
void gate_print_exits(const json_t *base, const json_t *screen, FILE *out);

#endif
