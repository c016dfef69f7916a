/* SPDX-License-Identifier: MIT */
/*
 * Where the CPU time of one packet, or of one request of a disk, goes: the guest's own work, each kind of
 * exit by its number and its cost, the threads that serve it. The vCPU's part is what the probes saw; the
 * scheduler's account of the same threads says whether that is all.
 */
#ifndef ANALYSIS_BUDGET_H
#define ANALYSIS_BUDGET_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define BUDGET_ROWS 48 /* more than a processor has reasons to exit in one window */

struct budget_row {
	char part[64];
	double times; /* how often, per unit: exits, wake-ups; 0: no number belongs to it */
	double ns;    /* per unit */
};

struct budget {
	const char *unit; /* "packet", "io" */
	size_t n, boots;
	struct budget_row row[BUDGET_ROWS];
	double sum_ns, measured_ns; /* of all rows; by the scheduler */
	double peer_ns;		    /* at the other end of the wire: in neither */
};

/* Means over the good boots. False: no packets or requests in the record, or no exits or threads of them. */
bool budget_of(const json_t *rec, struct budget *b);
/* By how much the rows are more than what was measured; percent. */
double budget_excess(const struct budget *b);
json_t *budget_json(const struct budget *b);

#endif
