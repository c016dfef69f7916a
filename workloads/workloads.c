// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "workloads/table.h"

#define X(symbol, ...) &workload_##symbol,
const struct workload *const workload_table[] = {
#include "workloads/rows.h"
	NULL,
};
#undef X

const struct workload *workload_find(const char *name)
{
	for (const struct workload *const *w = workload_table; *w; w++) {
		if (!strcmp((*w)->name, name))
			return *w;
	}
	return NULL;
}

static bool name_ok(const char *name)
{
	size_t len = name ? strlen(name) : 0;

	return len && len < sizeof(((struct workload_job *)0)->workload) &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static bool line_ok(const char *s)
{
	return s && *s && !strchr(s, '\n') && s[strlen(s) - 1] != '.' && s[strlen(s) - 1] != ' ';
}

/* The row's own defaults must pass its own check and survive the way to the guest. */
static const char *job_fault(const struct workload *w)
{
	struct workload_job job, back;
	char line[JOB_LINE_MAX], again[JOB_LINE_MAX];

	job_defaults(&job);
	job_set(&job, "workload", w->name);
	if (w->duration_ns)
		job.duration_ns = w->duration_ns;
	if (w->defaults)
		w->defaults(&job);
	if (w->check && w->check(&job))
		return "its defaults do not pass its own check";
	if (job_write(&job, line, sizeof(line)) < 0 || job_parse(&back, line, NULL) ||
	    job_write(&back, again, sizeof(again)) < 0 || strcmp(line, again) != 0)
		return "its defaults do not survive the job line";
	return NULL;
}

static const char *row_fault(const struct workload *w)
{
	const unsigned all_guests = GUEST_LINUX | GUEST_MICRO | GUEST_NONE;

	if (!name_ok(w->name))
		return "the name must be short, lower case, digits and '-'";
	if (!line_ok(w->summary))
		return "the summary must be one line without a full stop";
	if (!w->guests || (w->guests & ~all_guests))
		return "no guest runs it";
	if (!line_ok(w->metrics))
		return "it has no metrics";
	if ((w->flags & WORKLOAD_PEER) && !(w->flags & WORKLOAD_NET))
		return "a peer without a network";
	if ((w->flags & WORKLOAD_WHOLE_BOOT) && w->duration_ns)
		return "a window that is the boot has no duration";
	return job_fault(w);
}

int workload_validate_row(const struct workload *w)
{
	const char *what = row_fault(w);

	if (!what)
		return 0;
	log_error("workload %s: %s", w->name ? w->name : "(no name)", what);
	return -EINVAL;
}

int workloads_validate(void)
{
	for (const struct workload *const *w = workload_table; *w; w++) {
		int err = workload_validate_row(*w);

		if (err)
			return err;
		if (workload_find((*w)->name) != *w) {
			log_error("workload %s: two rows have this name", (*w)->name);
			return -EINVAL;
		}
	}
	return 0;
}
