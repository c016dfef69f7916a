// SPDX-License-Identifier: MIT
/* What the guests' agents say, from their boot to their power-off. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hist_json.h"
#include "base/log.h"
#include "bench/sample/progress.h"
#include "bench/sample/sample_impl.h"
#include "bench/sample/usage.h"
#include "workloads/lines.h"

#define BOOT_LIMIT_NS (120 * NSEC_PER_SEC)
#define JOB_SLACK_NS  (60 * NSEC_PER_SEC)
#define OFF_LIMIT_NS  (20 * NSEC_PER_SEC)

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
	return r->job.duration_ns + r->job.warmup_ns + JOB_SLACK_NS;
}

static void on_hello(struct run *r)
{
	stage_enter(r, STAGE_JOB, job_limit_ns(r));
	if (run_no_vm(r))
		return;
	r->boot_ns = r->stage_ns[STAGE_JOB] - r->stage_ns[STAGE_BOOT];
	if (r->cell->workload->flags & WORKLOAD_WHOLE_BOOT)
		what_it_took(r);
	run_pin(r);
}

static void on_ready(struct run *r)
{
	run_pin(r);
	r->ready = true;
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
		json_object_set_new(r->metrics, l.name, json_real(l.value));
	else if (l.kind == LINE_HIST)
		json_object_set_new(r->hists, l.name, hist_to_json(&l.hist));
	else if (l.kind == LINE_FAIL)
		run_fail(r, -EIO, "the guest says: %s", l.text);
	else if (l.kind == LINE_NOTE && r->stage == STAGE_JOB)
		r->deadline_ns = clock_ns() + job_limit_ns(r); /* it tells of its progress */
	else if (l.kind == LINE_DONE)
		stage_enter(r, STAGE_OFF, OFF_LIMIT_NS);
	r->done |= l.kind == LINE_DONE;
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
		r->line.len -= used;
		memmove(r->line.buf, r->line.buf + used, r->line.len + 1);
	}
	return true;
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
	log_warn("%s: the guest did not power off in %.0f s; ended", r->cell->label, OFF_LIMIT_NS / 1e9);
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
		runs[i].deadline_ns = runs[i].stage_ns[STAGE_BOOT] + BOOT_LIMIT_NS;
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
