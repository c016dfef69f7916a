// SPDX-License-Identifier: MIT
/* Values as people write them ("8M", "250ms"); the line that goes to the guest holds plain numbers. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "workloads/job.h"

static bool ends_in(const char *s, const char *suffix)
{
	size_t a = strlen(s), b = strlen(suffix);

	return a >= b && !strcmp(s + a - b, suffix);
}

int job_set_text(struct workload_job *job, const char *key, const char *value)
{
	const struct job_key *k = job_key_find(key);
	char number[24];
	uint64_t v;
	int err;

	if (!k || k->type != JOB_U64)
		return job_set(job, key, value);
	if (ends_in(key, "_ns") && value[strspn(value, "0123456789")])
		err = parse_duration(value, &v); /* a bare number stays nanoseconds, as the key says */
	else
		err = parse_size(value, &v);
	snprintf(number, sizeof(number), "%llu", (unsigned long long)v);
	if (err)
		return err;
	return job_set(job, key, number);
}
