// SPDX-License-Identifier: MIT
/* libFuzzer: what a guest may write on its serial line, and what a job's line may say. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "workloads/job.h"
#include "workloads/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A job that was understood is written and read back as the same. */
static void job(const char *text)
{
	struct workload_job a, b;
	char line[JOB_LINE_MAX], again[JOB_LINE_MAX], bad[64];

	if (job_parse(&a, text, bad) || job_write(&a, line, sizeof(line)) < 0)
		return;
	if (job_parse(&b, line, bad) || job_write(&b, again, sizeof(again)) < 0 || strcmp(line, again))
		abort();
}

static void line(const char *text)
{
	static struct agent_line l;
	struct strbuf sb = {0};

	if (line_parse(text, &l) || l.kind != LINE_HIST)
		return;
	line_add_hist(&sb, l.name, &l.hist);
	if (line_parse(strbuf_str(&sb), &l))
		abort();
	strbuf_free(&sb);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	log_init("fuzz", LOG_ERROR);
	memcpy(text, data, size);
	text[size] = '\0';
	line(text);
	job(text);
	free(text);
	return 0;
}
