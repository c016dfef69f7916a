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
#include "bench/host/outer.h"
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

static void stage_enter(struct vm_boot *b, enum stage stage, uint64_t limit_ns)
{
	uint64_t now = clock_ns();

	b->stage = stage;
	b->stage_ns[stage] = now;
	b->deadline_ns = now + limit_ns;
}

/* What a boot cost its host. Read only where it is asked for: smaps holds the VMM's memory map meanwhile. */
static void what_it_took(struct vm_boot *b)
{
	json_object_set_new(b->metrics, "boot_cpu_ns", json_real((double)usage_cpu_ns(boot_vmm_pid(b))));
	json_object_set_new(b->metrics, "vmm_overhead_bytes",
			    json_real((double)usage_rss_beside(boot_vmm_pid(b), cell_mem(b->cell))));
}

static uint64_t job_limit_ns(const struct vm_boot *b)
{
	return b->job.duration_ns + b->job.warmup_ns + b->limits->slack_ns;
}

static void on_hello(struct vm_boot *b)
{
	uint64_t most;

	if (b->stage_ns[STAGE_JOB]) {
		boot_fail(b, -EPROTO, "the agent began a second time: has the guest started anew?");
		return;
	}
	stage_enter(b, STAGE_JOB, job_limit_ns(b));
	if (__builtin_add_overflow(b->job.rounds, 1, &most) ||
	    __builtin_mul_overflow(most, job_limit_ns(b), &most))
		most = UINT64_MAX / 2;
	b->job_end_ns = b->stage_ns[STAGE_JOB] + most;
	if (boot_no_vm(b) && !(b->cell->workload->flags & WORKLOAD_WHOLE_BOOT))
		return;
	b->boot_ns = b->stage_ns[STAGE_JOB] - b->stage_ns[STAGE_BOOT];
	if (b->cell->workload->flags & WORKLOAD_WHOLE_BOOT)
		what_it_took(b);
	boot_pin(b);
}

static void on_ready(struct vm_boot *b)
{
	if (!b->ready)
		boot_pin(b);
	b->ready = true;
}

/* A note tells of progress: the deadline moves. */
static void on_note(struct vm_boot *b)
{
	if (b->stage == STAGE_JOB)
		b->deadline_ns = MIN(clock_ns() + job_limit_ns(b), b->job_end_ns);
}

static void on_done(struct vm_boot *b)
{
	if (!b->done)
		stage_enter(b, STAGE_OFF, b->limits->off_ns);
	b->done = true;
}

/* Takes over the reference to value. */
static void keep_value(struct vm_boot *b, json_t *values, const char *name, json_t *value)
{
	if (json_object_size(values) >= b->limits->names && !json_object_get(values, name)) {
		boot_fail(b, -E2BIG, "the agent has more than %zu names for its numbers", b->limits->names);
		json_decref(value);
		return;
	}
	json_object_set_new(values, name, value);
}

static void on_region(struct vm_boot *b, const struct agent_line *l)
{
	struct stats_region r = {.base = l->base, .len = l->len, .is_pio = l->pio};

	snprintf(r.name, sizeof(r.name), "%.*s", (int)sizeof(r.name) - 1, l->name);
	if (b->probes && !b->cell->vmm->ours)
		probes_name_region(b->probes, boot_vmm_pid(b), &r);
}

/* Nothing is with the disk: the agent waits, or has begun to tell what was. */
static void note_commands(struct vm_boot *b, unsigned edge)
{
	const char *path = b->path.target.commands;

	if (path && b->n_commands == edge && !file_read_u64(path, &b->commands[edge]))
		b->n_commands++;
}

/*
 * The window has closed, and nothing is measured any more. A guest that says as little as a micro guest is
 * gone, and its VMM with it, before the probes are read.
 */
static void on_metric(struct vm_boot *b, const struct agent_line *l)
{
	bool first = !json_object_size(b->metrics);

	keep_value(b, b->metrics, l->name, json_real(l->value));
	note_commands(b, 1);
	if (first && b->probes)
		probes_ask_names(b->probes, boot_vmm_pid(b));
}

static void on_line(struct vm_boot *b, const char *text)
{
	static struct agent_line l;

	fprintf(b->agent_log, "%.6f %s\n", (double)(clock_ns() - b->stage_ns[STAGE_BOOT]) / 1e9, text);
	if (line_parse(text, &l)) {
		boot_fail(b, -EBADMSG, "the agent said something that is not in its protocol: %.80s", text);
		return;
	}
	if (l.kind == LINE_HELLO)
		on_hello(b);
	else if (l.kind == LINE_READY)
		on_ready(b);
	else if (l.kind == LINE_METRIC)
		on_metric(b, &l);
	else if (l.kind == LINE_HIST)
		keep_value(b, b->hists, l.name, hist_to_json(&l.hist));
	else if (l.kind == LINE_REGION)
		on_region(b, &l);
	else if (l.kind == LINE_FAIL)
		boot_fail(b, -EIO, "the guest says: %s", l.text);
	else if (l.kind == LINE_NOTE)
		on_note(b);
	else if (l.kind == LINE_DONE)
		on_done(b);
}

/* What a line counts beside its bytes, for its time stamp in the log. */
#define LINE_COST 16

static void count_said(struct vm_boot *b, size_t n)
{
	b->said += n;
	if (b->said > b->limits->bytes)
		boot_fail(b, -EFBIG, "the agent says more than %zu KiB", b->limits->bytes / KIB);
	if (b->line.len > b->limits->line_bytes)
		boot_fail(b, -EFBIG, "the agent says a line of more than %zu KiB",
			  b->limits->line_bytes / KIB);
}

/* Reads and handles what the agent has said. False at the end of the stream. */
static bool read_agent(struct vm_boot *b)
{
	char buf[4096];
	ssize_t n = read(b->agent_fd[0], buf, sizeof(buf));
	char *nl;

	if (n <= 0)
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	strbuf_add(&b->line, buf, (size_t)n);
	while ((nl = memchr(b->line.buf, '\n', b->line.len))) {
		size_t used = (size_t)(nl - b->line.buf) + 1;

		*nl = '\0';
		if (nl > b->line.buf && nl[-1] == '\r')
			nl[-1] = '\0';
		str_printable(b->line.buf);
		on_line(b, b->line.buf);
		count_said(b, LINE_COST);
		b->line.len -= used;
		memmove(b->line.buf, b->line.buf + used, b->line.len + 1);
	}
	count_said(b, (size_t)n);
	return true;
}

/* What the guest writes to its console, and its VMM about it, ends on this machine's disk. */
static void check_logs(struct vm_boot *b)
{
	uint64_t now = clock_ns();
	struct dirent *e;
	struct stat st;
	DIR *d;

	if (now < b->logs_ns + LOGS_EVERY_NS)
		return;
	b->logs_ns = now;
	d = opendir(b->log_dir);
	while (d && (e = readdir(d)))
		if (!fstatat(dirfd(d), e->d_name, &st, 0) && S_ISREG(st.st_mode) &&
		    (uint64_t)st.st_size > b->limits->log_bytes)
			boot_fail(b, -EFBIG, "%s has grown beyond %" PRIu64 " MiB", e->d_name,
				  b->limits->log_bytes / MIB);
	if (d)
		closedir(d);
}

/* Where the logs are once the record is committed; the directory has another name until then. */
static const char *logs(const struct vm_boot *b)
{
	const char *sample = strstr(b->log_dir, "/sample-");

	if (!sample)
		return b->log_dir;
	return sample + 1;
}

/* A program that has made it would say goodbye to it for many seconds, in the lab. */
static int reap_vmm(struct vm_boot *b)
{
	if (!b->starter.pid)
		return proc_wait(&b->vmm, NSEC_PER_SEC);
	proc_end(&b->vmm, 0);
	return 0;
}

static int vmm_ended(struct vm_boot *b)
{
	int status;

	while (b->agent_fd[0] >= 0 && read_agent(b))
		;
	b->over = true;
	status = reap_vmm(b);
	if (b->done && b->error)
		return -EIO;
	if (b->done)
		return 0;
	return boot_fail(
		b, -EIO,
		"the VMM ended with status %d before the guest was done; see %s/vmm.log and console.log of the run",
		status, logs(b));
}

/* A guest that has said all it has to say is a sample, whether it powers off or not. */
static int timed_out(struct vm_boot *b)
{
	if (b->stage != STAGE_OFF)
		return boot_fail(b, -ETIMEDOUT, "timed out in the stage %s; see %s/console.log of the run",
				 stage_names[b->stage], logs(b));
	log_warn("%s: the guest did not power off in %.0f s; ended", b->cell->label,
		 (double)b->limits->off_ns / 1e9);
	proc_end(&b->vmm, NSEC_PER_SEC);
	b->over = true;
	return 0;
}

/* Handles what poll found of one VM. */
static int attend(struct vm_boot *b, bool line, bool ended)
{
	if (line)
		b->open = read_agent(b);
	if (ended)
		return vmm_ended(b);
	check_logs(b);
	if (b->error)
		return -EIO;
	/* Read while it powers off: the probes hold only the window. */
	if (b->done && !b->probe_data && b->probes)
		probes_read(b->probes, &b->probe_data);
	if (clock_ns() > b->deadline_ns)
		return timed_out(b);
	return 0;
}

/* Guests that wait for one another are let go together. True once they have been let go. */
static bool let_all_go(struct vm_boot *boots, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!boots[i].ready && !boots[i].done)
			return false;
	for (unsigned i = 0; i < n; i++)
		note_commands(&boots[i], 0);
	for (unsigned i = 0; i < n; i++)
		if (boots[i].job.start_together && fd_write_all(boots[i].agent_fd[0], "go\n", 3))
			boot_fail(&boots[i], -EPIPE, "the guest could not be let go");
	return true;
}

static bool all_over(const struct vm_boot *boots, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!boots[i].over)
			return false;
	return true;
}

/*
 * A guest whose every instruction is translated takes ten times as long. A lab on a busy machine stands still
 * most of the time, and its clocks do not tell: three times as long.
 */
static uint64_t boot_limit_ns(const struct vm_boot *b)
{
	const struct cell *c = b->cell;

	if (c->vmm && !cell_uses_kvm(c))
		return 10 * b->limits->boot_ns;
	if (lab_inside())
		return 3 * b->limits->boot_ns;
	return b->limits->boot_ns;
}

static int boot_vmm_pidfd(const struct vm_boot *b)
{
	if (b->starter.pid)
		return b->starter.pidfd;
	return b->vmm.pidfd;
}

int boot_converse(struct vm_boot *boots, unsigned n)
{
	struct pollfd *p = xcalloc(2 * n, sizeof(*p));
	bool let_go = false;
	int err = 0;

	for (unsigned i = 0; i < n; i++) {
		boots[i].deadline_ns = boots[i].stage_ns[STAGE_BOOT] + boot_limit_ns(&boots[i]);
		boots[i].open = true;
	}
	while (!err && !all_over(boots, n)) {
		for (unsigned i = 0; i < n; i++) {
			p[2 * i] = (struct pollfd){boots[i].open ? boots[i].agent_fd[0] : -1, POLLIN, 0};
			p[2 * i + 1] =
				(struct pollfd){boots[i].over ? -1 : boot_vmm_pidfd(&boots[i]), POLLIN, 0};
		}
		progress_tick(boots->want->progress, stage_names[boots->stage]);
		poll(p, 2 * n, 100);
		for (unsigned i = 0; i < n && !err; i++)
			if (!boots[i].over)
				err = attend(&boots[i], p[2 * i].revents, p[2 * i + 1].revents);
		let_go = let_go || let_all_go(boots, n);
		if (sample_interrupted)
			err = boot_fail(boots, -EINTR, "interrupted");
	}
	free(p);
	return err;
}
