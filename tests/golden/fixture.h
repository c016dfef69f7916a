/* SPDX-License-Identifier: MIT */
/*
 * Synthetic records for tests of figures, reports and the dashboard. NOTHING HERE WAS MEASURED: the
 * numbers are made up so that every figure has something to draw; the machine they name is
 * "synthetic".
 */
#ifndef GOLDEN_FIXTURE_H
#define GOLDEN_FIXTURE_H

#include <jansson.h>
#include <stdint.h>

/* One configuration. setting may be NULL; samples below 6 give no interval, as in a real record. */
struct fixture {
	const char *workload, *mode;
	const char *setting; /* a parameter, with the value below */
	double value;
	int samples;
	double factor; /* on throughput and exits; 0 counts as 1 */
	uint64_t seed;
	int64_t started;     /* seconds since 1970 */
	const char *version; /* of the VMM; NULL: "synthetic" */
	const char *knob;    /* "paging=shadow"; NULL: none was set */
};

json_t *fixture_record(const struct fixture *f);

/* Sets that between them have the data of every figure; each ends with a NULL workload. */
extern const struct fixture fixture_modes[], fixture_sizes[], fixture_latency[], fixture_loads[],
	fixture_vms[], fixture_queues[], fixture_few[], fixture_costs[], fixture_disks[], fixture_depths[],
	fixture_assistance[], fixture_operations[], fixture_life[];

#endif
