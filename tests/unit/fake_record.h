/* SPDX-License-Identifier: MIT */
/* Records made up for tests; every member can be changed afterwards. */
#ifndef TESTS_UNIT_FAKE_RECORD_H
#define TESTS_UNIT_FAKE_RECORD_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A valid record of net-throughput on the host with one ok sample per value of metric. */
static inline json_t *fake_record(const char *mode, const char *metric, const double *value, int n)
{
	json_t *samples = json_array();

	for (int i = 0; i < n; i++)
		json_array_append_new(samples, json_pack("{s:i,s:b,s:{s:f}}", "index", i, "ok", 1,
							 "metrics", metric, value[i]));
	return json_pack("{s:i,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:b,s:o,s:{},s:{s:i},"
			 "s:{s:{s:f,s:n,s:n,s:i,s:s}}}",
			 "schema", 1, "id", "20260102-030405-abcdef", "started",
			 "2026-01-02T03:04:05Z", "workload", "net-throughput", "mode", mode, "vmm",
			 "builtin", "guest", "linux", "substrate", "host", "time_base", "real",
			 "ok", 1, "samples", samples, "knobs", "params", "msg_size", 1460,
			 "summary", metric, "median", n ? value[n / 2] : 0.0, "ci_low", "ci_high",
			 "n", n, "unit", "bit/s");
}

/* A new directory under $TMPDIR; the caller frees and removes it. */
static inline char *fake_dir(void)
{
	const char *tmp = getenv("TMPDIR");
	char buf[256];

	snprintf(buf, sizeof(buf), "%s/exitlab-test-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(buf) ? strdup(buf) : NULL;
}

#endif
