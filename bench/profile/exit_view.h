/* SPDX-License-Identifier: MIT */
/* The profiler's rows: the probes' sums brought together by what the user wants to see, sorted. */
#ifndef BENCH_PROFILE_EXIT_VIEW_H
#define BENCH_PROFILE_EXIT_VIEW_H

#include <jansson.h>
#include <stdio.h>
#include "base/hist.h"
#include "probes/exit.h"

enum view_key { VIEW_ALL, VIEW_REASON, VIEW_DEVICE, VIEW_PORT, VIEW_GPA, VIEW_MSR, VIEW_VM, VIEW_RIP };
enum view_sort { SORT_TIME, SORT_COUNT, SORT_P99 };

struct symbols;

struct view_row {
	char reason[32], key[48], device[64];
	bool hlt;
	uint64_t count, timed; /* timed: how many have a known time; one that goes on counts till now */
	uint64_t total_ns;     /* what its parts below do not explain is KVM's */
	uint64_t fast_ns, user_ns, wait_ns, asleep_ns;
	struct hist hist;      /* of the finished ones */
};

uint64_t view_row_kvm_ns(const struct view_row *r);

struct view {
	enum view_key by;
	bool counts_only; /* nobody took the times */
	struct view_row *row;
	size_t n;
	uint64_t count, total_ns; /* without HLT */
	uint64_t hlt_count, hlt_ns; /* hlt_ns: without waiting for a CPU afterwards */
	uint64_t fast_ns, kvm_ns, user_ns, asleep_ns; /* parts of total_ns */
	uint64_t wait_ns;           /* waiting for a CPU: a part of total_ns, and after halts */
	uint64_t guest_ns;          /* in the guest, all vCPUs */
	uint64_t all_ns;            /* everything: of all vCPUs */
};

/* -1 when the word is unknown. */
int view_key_parse(const char *word);
int view_sort_parse(const char *word);

/* HLT rows come last whatever the order: waiting is not work. */
void view_build(struct view *v, struct probes *p, const struct exits *exits, enum view_key key,
		enum view_sort sort, const struct symbols *symbols);
/* The same from counts that come from elsewhere, which the row then has more of; and put in order. */
void view_count(struct view *v, const struct view_row *like, uint64_t count);
void view_sort(struct view *v, enum view_sort sort);
void view_free(struct view *v);

/*
 * The table, at most `rows` rows (0: all). seconds: of the interval. Columns that no row has anything in are
 * left out.
 */
void view_print(const struct view *v, double seconds, size_t rows, FILE *out);
/*
 * The rows: {reason, key, device, count, total_ns, p50_ns, p99_ns, kvm_fast_ns, kvm_ns, user_ns, wait_ns,
 * asleep_ns, hlt}.
 */
json_t *view_to_json(const struct view *v);
/*
 * For flame graphs, a line for each part of a row's time: "exits;REASON;DEVICE OR KEY;PART NANOSECONDS".
 * Halts are left out: a halted guest has nothing to do.
 */
void view_print_folded(const struct view *v, FILE *out);
/* Bars of powers of two. */
void view_print_hist(const struct view_row *r, FILE *out);

#endif
