/* SPDX-License-Identifier: MIT */
/* A plan carried out: samples, records, comparison. */
#ifndef BENCH_RUN_RUN_H
#define BENCH_RUN_RUN_H

#include <jansson.h>
#include "bench/plan/plan.h"
#include "results/store.h"

struct machine;
struct tune;

/* How bench run was called, for the records. */
struct run_call {
	json_t *argv, *options; /* the words that were typed, and the options they set */
};

/* Where the records of a plan come from. */
struct run_origin {
	char plan_id[32], started[32];
	const char *kernel_dir;
	const struct tune *tune; /* NULL without --tune */
	const struct run_call *call;
};

struct run_result {
	json_t *records; /* array, one per cell */
	bool ok;         /* every sample and every check is good */
	bool interrupted;
	unsigned labs_lost; /* labs that hung or ended early and were replaced by another */
};

/* Run every boot of the plan here (not in a lab) and commit one record per cell. 0 or -errno (logged). */
int run_plan(const struct plan *p, struct store *store, const struct run_call *call, struct run_result *out);
/* The same inside one lab (a second one when the first is lost); its records land in our store. */
int run_plan_in_lab(const struct plan *p, struct store *store, const struct run_call *call,
		    struct run_result *out);

/* The command line of the bench inside a lab, whose store is out_dir. */
char **run_inner_argv(const struct plan *p, const char *out_dir);
/* What a bench inside a lab could not know: how we were called, and on what the lab itself ran. */
void run_complete_record(json_t *rec, const struct machine *machine, const struct run_call *call,
			 unsigned labs_lost);

/* Whole command: choose the substrate, run, print. Exit status. */
int run_workload(const char *workload, const struct run_args *args, const struct run_call *call);
/*
 * The same of a plan without an order yet: reps 0 is the substrate's usual number. Nothing is printed
 * unless it is a dry run; result->records (NULL: none) is the caller's. Exit status.
 */
int run_made(struct plan *p, unsigned reps, const struct run_call *call, struct run_result *result);

/* Samples into a record (run_record.c, run_table.c). */
json_t *run_record(const struct plan *p, size_t cell, json_t *samples, const struct run_origin *origin);
/* .inputs of a cell's record: every binary, kernel and image with its SHA-256 (run_inputs.c). */
json_t *run_inputs(const struct cell *cell, const char *kernel_dir);
/* Summary, exits and checks anew from the samples. */
void run_refresh_record(json_t *rec);
/* exits.csv and hist-NAME.csv beside the record. */
int run_write_csv(const char *run_dir, const json_t *record);
/* Comparison of every record with the first. */
json_t *run_comparison(const json_t *records);
/* The one table of a run on stdout. */
void run_print_table(const json_t *records, const struct workload *wl);

#endif
