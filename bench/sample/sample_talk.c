// SPDX-License-Identifier: MIT
/* What the guests' agents say, from their boot to their power-off. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hist_json.h"
#include "base/log.h"
#include "bench/sample/progress.h"
#include "bench/sample/sample_impl.h"
#include "bench/sample/usage.h"
#include "workloads/lines.h"

#define LOGS_EVERY_NS (500 * NSEC_PER_MSEC)

/* A histogram is the longest line: 60 KiB when every slot of it holds something. */
const struct talk_limits talk_limits = {
	.boot_ns = 120 * NSEC_PER_SEC,
	.slack_ns = 60 * NSEC_PER_SEC,
	.off_ns = 20 * NSEC_PER_SEC,
	.bytes = 8 * MIB,
	.line_bytes = 256 * KIB,
	.names = 256,
	.log_bytes = 64 * MIB,
};

static const char *const stage_names[] = {"set-up", "boot", "job", "power-off"};

static void stage_enter(struct run *r, enum stage stage, uint64_t limit_ns)
{
	uint64_t now = clock_ns();

	r->stage = stage;
	r->stage_ns[stage] = now;
	r->deadline_ns = now + limit_ns;
}

/* What a boot cost its host. Read only where it is asked for: smaps holds the VMM's memory map meanwhile. */
static void what_it_took(struct run *r)
{
	json_object_set_new(r->metrics, "boot_cpu_ns", json_real((double)usage_cpu_ns(r->vmm.pid)));
	json_object_set_new(r->metrics, "vmm_overhead_bytes",
			    json_real((double)usage_rss_beside(r->vmm.pid, cell_mem(r->cell))));
}

static uint64_t job_limit_ns(const struct run *r)
{
	return r->job.duration_ns + r->job.warmup_ns + r->limits->slack_ns;
}

static void on_hello(struct run *r)
{
	uint64_t most;

	if (r->stage_ns[STAGE_JOB]) {
		run_fail(r, -EPROTO, "the agent began a second time: has the guest started anew?");
		return;
	}
	stage_enter(r, STAGE_JOB, job_limit_ns(r));
	if (__builtin_add_overflow(r->job.rounds, 1, &most) ||
	    __builtin_mul_overflow(most, job_limit_ns(r), &most))
		most = UINT64_MAX / 2;
	r->job_end_ns = r->stage_ns[STAGE_JOB] + most;
	if (run_no_vm(r))
		return;
	r->boot_ns = r->stage_ns[STAGE_JOB] - r->stage_ns[STAGE_BOOT];
	if (r->cell->workload->flags & WORKLOAD_WHOLE_BOOT)
		what_it_took(r);
	run_pin(r);
}

static void on_ready(struct run *r)
{
	if (!r->ready)
		run_pin(r);
	r->ready = true;
}

/* It tells of its progress. */
static void on_note(struct run *r)
{
	if (r->stage == STAGE_JOB)
		r->deadline_ns = MIN(clock_ns() + job_limit_ns(r), r->job_end_ns);
}

static void on_done(struct run *r)
{
	if (!r->done)
		stage_enter(r, STAGE_OFF, r->limits->off_ns);
	r->done = true;
}

/* Takes value over. */
static void keep(struct run *r, json_t *values, const char *name, json_t *value)
{
	if (json_object_size(values) >= r->limits->names && !json_object_get(values, name)) {
		run_fail(r, -E2BIG, "the agent has more than %zu names for its numbers", r->limits->names);
		json_decref(value);
		return;
	}
	json_object_set_new(values, name, value);
}

static void on_line(struct run *r, const char *text)
{
	static struct agent_line l;

	fprintf(r->agent_log, "%.6f %s\n", (double)(clock_ns() - r->stage_ns[STAGE_BOOT]) / 1e9, text);
	if (line_parse(text, &l)) {
		run_fail(r, -EBADMSG, "the agent said something that is not in its protocol: %.80s", text);
		return;
	}
	if (l.kind == LINE_HELLO)
		on_hello(r);
	else if (l.kind == LINE_READY)
		on_ready(r);
	else if (l.kind == LINE_METRIC)
		keep(r, r->metrics, l.name, json_real(l.value));
	else if (l.kind == LINE_HIST)
		keep(r, r->hists, l.name, hist_to_json(&l.hist));
	else if (l.kind == LINE_FAIL)
		run_fail(r, -EIO, "the guest says: %s", l.text);
	else if (l.kind == LINE_NOTE)
		on_note(r);
	else if (l.kind == LINE_DONE)
		on_done(r);
}

/* A line costs its time in the log, too. */
#define LINE_COST 16

static void count_said(struct run *r, size_t n)
{
	r->said += n;
	if (r->said > r->limits->bytes)
		run_fail(r, -EFBIG, "the agent says more than %zu KiB", r->limits->bytes / KIB);
	if (r->line.len > r->limits->line_bytes)
		run_fail(r, -EFBIG, "the agent says a line of more than %zu KiB",
			 r->limits->line_bytes / KIB);
}

/* False at the end of the stream. */
static bool read_agent(struct run *r)
{
	char buf[4096];
	ssize_t n = read(r->agent_fd[0], buf, sizeof(buf));
	char *nl;

	if (n <= 0)
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	strbuf_add(&r->line, buf, (size_t)n);
	while ((nl = memchr(r->line.buf, '\n', r->line.len))) {
		size_t used = (size_t)(nl - r->line.buf) + 1;

		*nl = '\0';
		if (nl > r->line.buf && nl[-1] == '\r')
			nl[-1] = '\0';
		str_printable(r->line.buf);
		on_line(r, r->line.buf);
		count_said(r, LINE_COST);
		r->line.len -= used;
		memmove(r->line.buf, r->line.buf + used, r->line.len + 1);
	}
	count_said(r, (size_t)n);
	return true;
}

/* What the guest writes to its console, and its VMM about it, ends on this machine's disk. */
static void check_logs(struct run *r)
{
	uint64_t now = clock_ns();
	struct dirent *e;
	struct stat st;
	DIR *d;

	if (now < r->logs_ns + LOGS_EVERY_NS)
		return;
	r->logs_ns = now;
	d = opendir(r->log_dir);
	while (d && (e = readdir(d)))
		if (!fstatat(dirfd(d), e->d_name, &st, 0) && S_ISREG(st.st_mode) &&
		    (uint64_t)st.st_size > r->limits->log_bytes)
			run_fail(r, -EFBIG, "%s has grown beyond %" PRIu64 " MiB", e->d_name,
				 r->limits->log_bytes / MIB);
	if (d)
		closedir(d);
}

/* Where the logs are once the record is committed; the directory has another name until then. */
static const char *logs(const struct run *r)
{
	return strstr(r->log_dir, "/sample-") ? strstr(r->log_dir, "/sample-") + 1 : r->log_dir;
}

static int vmm_ended(struct run *r)
{
	int status;

	while (r->agent_fd[0] >= 0 && read_agent(r))
		;
	r->over = true;
	status = proc_wait(&r->vmm, NSEC_PER_SEC);
	if (r->done)
		return r->error ? -EIO : 0;
	return run_fail(r, -EIO, "the VMM ended with status %d before the guest was done; see %s/vmm.log and console.log of the run",
			status, logs(r));
}

/* A guest that has said all it has to say is a sample, whether it powers off or not. */
static int timed_out(struct run *r)
{
	if (r->stage != STAGE_OFF)
		return run_fail(r, -ETIMEDOUT, "timed out in the stage %s; see %s/console.log of the run",
				stage_names[r->stage], logs(r));
	log_warn("%s: the guest did not power off in %.0f s; ended", r->cell->label,
		 (double)r->limits->off_ns / 1e9);
	proc_end(&r->vmm, NSEC_PER_SEC);
	r->over = true;
	return 0;
}

/* What poll found of one VM. */
static int attend(struct run *r, bool line, bool ended)
{
	if (line)
		r->open = read_agent(r);
	if (ended)
		return vmm_ended(r);
	check_logs(r);
	if (r->error)
		return -EIO;
	/* Read while it powers off: the probes hold only the window. */
	if (r->done && !r->probe_data && r->probes)
		probes_read(r->probes, &r->probe_data);
	return clock_ns() > r->deadline_ns ? timed_out(r) : 0;
}

/* Guests that wait for one another are let go together. True once that has been done. */
static bool open_gate(struct run *runs, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!runs[i].ready && !runs[i].done)
			return false;
	for (unsigned i = 0; i < n; i++)
		if (runs[i].job.start_together && fd_write_all(runs[i].agent_fd[0], "go\n", 3))
			run_fail(&runs[i], -EPIPE, "the guest could not be let go");
	return true;
}

static bool all_over(const struct run *runs, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!runs[i].over)
			return false;
	return true;
}

int run_converse(struct run *runs, unsigned n)
{
	struct pollfd *p = xcalloc(2 * n, sizeof(*p));
	bool gone = false;
	int err = 0;

	for (unsigned i = 0; i < n; i++) {
		runs[i].deadline_ns = runs[i].stage_ns[STAGE_BOOT] + runs[i].limits->boot_ns;
		runs[i].open = true;
	}
	while (!err && !all_over(runs, n)) {
		for (unsigned i = 0; i < n; i++) {
			p[2 * i] = (struct pollfd){runs[i].open ? runs[i].agent_fd[0] : -1, POLLIN, 0};
			p[2 * i + 1] = (struct pollfd){runs[i].over ? -1 : runs[i].vmm.pidfd, POLLIN, 0};
		}
		progress_tick(runs->want->progress, stage_names[runs->stage]);
		poll(p, 2 * n, 100);
		for (unsigned i = 0; i < n && !err; i++)
			if (!runs[i].over)
				err = attend(&runs[i], p[2 * i].revents, p[2 * i + 1].revents);
		gone = gone || open_gate(runs, n);
		if (sample_interrupted)
			err = run_fail(runs, -EINTR, "interrupted");
	}
	free(p);
	return err;
}
