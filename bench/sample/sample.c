// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "bench/host/cr3_probe.h"
#include "bench/sample/measure.h"
#include "bench/sample/sample_impl.h"
#include "probes/xen_trace.h"

#define CONSOLE_BUFFER (16 * MIB) /* some 20,000 bytes, written one by one */

volatile sig_atomic_t sample_interrupted;

void sample_interrupt(void)
{
	sample_interrupted = 1;
}

int boot_fail(struct vm_boot *b, int err, const char *fmt, ...)
{
	va_list ap;

	if (b->error)
		return err;
	va_start(ap, fmt);
	if (vasprintf(&b->error, fmt, ap) < 0)
		b->error = NULL;
	va_end(ap);
	return err;
}

/* What is written at one end comes out at the other as it is: no echo, no signals, no lines. */
static int open_terminal(int fd[2])
{
	struct termios raw;
	int err;

	memset(&raw, 0, sizeof(raw));
	raw.c_cflag = CS8 | CREAD;
	raw.c_cc[VMIN] = 1;
	err = errno_if(openpty(&fd[0], &fd[1], NULL, &raw, NULL));
	for (int i = 0; i < 2 && !err; i++)
		err = errno_if(fcntl(fd[i], F_SETFD, FD_CLOEXEC));
	return err;
}

/*
 * Firecracker writes its console byte by byte and drops what does not fit: each byte is a buffer of some 800
 * to the kernel, of which the usual limit holds 277.
 */
static void widen_console(int fd)
{
	int bytes = CONSOLE_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)); /* up to the limit */
}

static int open_agent_line(struct vm_boot *b)
{
	const struct vmm_adapter *vmm = b->cell->vmm;
	int err;

	if (vmm && vmm->channel == AGENT_TTY)
		return open_terminal(b->agent_fd);
	err = errno_if(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, b->agent_fd));
	if (!err && vmm && vmm->channel == AGENT_STDIO)
		widen_console(b->agent_fd[1]);
	return err;
}

static int open_files(struct vm_boot *b)
{
	char *path = xasprintf("%s/agent.log", b->log_dir);

	b->agent_log = fopen(path, "we");
	free(path);
	b->stats_fd = memfd_create("exitlab-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (!b->agent_log || b->stats_fd < 0 || open_agent_line(b))
		return boot_fail(b, -errno, "set-up: %s", strerror(errno));
	b->stats = xcalloc(1, sizeof(*b->stats));
	return 0;
}

/* What a sample that failed has left is for who wants to know why. */
static void drop_trace(struct vm_boot *b)
{
	char *domain;

	if (!b->trace)
		return;
	domain = xasprintf("%s.domain", b->trace);
	if (!b->error)
		unlink(b->trace);
	if (!b->error)
		unlink(domain);
	free(domain);
	free(b->trace);
}

static void boot_free(struct vm_boot *b)
{
	observer_stop(&b->observer);
	starter_end(&b->starter, &b->vmm);
	proc_end(&b->vmm, NSEC_PER_SEC);
	proc_end(&b->peer, NSEC_PER_SEC);
	close_fd(&b->remote_fd);
	probes_close(b->probes);
	kvm_params_undo(&b->kvm_params);
	path_undo(&b->path);
	close_fd(&b->agent_fd[0]);
	close_fd(&b->agent_fd[1]);
	close_fd(&b->stats_fd);
	free(b->stats);
	if (b->agent_log)
		fclose(b->agent_log);
	free(b->image);
	drop_trace(b);
	strbuf_free(&b->line);
	json_decref(b->metrics);
	json_decref(b->hists);
	json_decref(b->probe_data);
	free(b->log_dir);
	free(b->error);
}

/* A Linux guest that cannot come up is not waited for. */
static int check_shadow_paging(struct vm_boot *b)
{
	bool shadow = !strcmp(knobs_get(&b->cell->knobs, "paging", ""), "shadow"), ours = true;

	if (shadow && !strcmp(b->cell->guest, "linux") && !cr3_probe(&ours) && !ours)
		return boot_fail(
			b, -ENOTSUP,
			"paging=shadow: a guest that reads CR3 is shown KVM's page table instead of its own, a fault "
			"of this lab's QEMU: no Linux comes up under shadow paging; use --guest=micro or --lab=intel");
	return 0;
}

static int set_kvm_params(struct vm_boot *b)
{
	char *why = NULL;
	int err;

	if (cell_own_hypervisor(b->cell))
		return 0;
	for (size_t i = 0; i < b->cell->knobs.n; i++) {
		const struct kvm_param *k = kvm_param_find(b->cell->knobs.k[i].name);

		if (k)
			kvm_params_want(&b->kvm_params, k, b->cell->knobs.k[i].value);
	}
	err = kvm_params_set(&b->kvm_params, &why);
	if (err)
		boot_fail(b, err, "%s", why);
	free(why);
	if (!err)
		err = check_shadow_paging(b);
	return err;
}

static int open_log_dir(struct vm_boot *b)
{
	if (b->vm)
		b->log_dir = xasprintf("%s/vm-%u", b->want->log_dir, b->vm);
	else
		b->log_dir = xstrdup(b->want->log_dir);
	if (mkdir(b->log_dir, 0755) && errno != EEXIST)
		return boot_fail(b, -errno, "%s: %s", b->log_dir, strerror(errno));
	return 0;
}

/* With several VMs the host's scheduler places the threads; and a hypervisor below places its own. */
static int choose_cpus(struct vm_boot *b)
{
	if (b->cell->vmm && b->cell->vmm->traces)
		return 0;
	if (cell_vms(b->cell) == 1 && cell_pin(b->cell, b->want->args, &b->pin))
		return boot_fail(b, -EINVAL, "--pin");
	return 0;
}

static int boot_up(struct vm_boot *b)
{
	static int (*const steps[])(struct vm_boot * b) = {
		open_log_dir,  choose_cpus,	open_files,	 set_kvm_params,  boot_make_path,
		boot_make_job, boot_make_image, boot_start_peer, boot_serve_path, boot_start,
	};
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(steps) && !err; i++)
		err = steps[i](b);
	return err;
}

/* Of each part of the window: the writes to ports that it is made of itself. */
static int read_trace(struct vm_boot *b)
{
	uint64_t writes[64];
	struct xen_parts parts = {.writes = writes};
	const char *metric, *kind;
	json_t *ops;
	int err;

	json_object_foreach(b->metrics, metric, ops) {
		kind = measure_lap_kind(metric);
		if (!kind || parts.n == ARRAY_SIZE(writes))
			continue;
		writes[parts.n] = 0;
		if (!strcmp(kind, "port_write"))
			writes[parts.n] = (uint64_t)MAX(json_number_value(ops), 0);
		parts.n++;
	}
	err = xen_trace_read(b->trace, &parts, &b->probe_data);
	if (err)
		return boot_fail(b, err, "what Xen recorded could not be read");
	return 0;
}

static int boot_measure(struct vm_boot *b, struct record_sample *s)
{
	struct observed o = {.whole_boot = b->cell->workload->flags & WORKLOAD_WHOLE_BOOT};

	if (b->probes && !b->probe_data && probes_read(b->probes, &b->probe_data))
		return boot_fail(b, -EIO, "the probes could not be read");
	if (b->trace && read_trace(b))
		return -EIO;
	o.agent = b->metrics;
	o.hists = b->hists;
	o.probes = b->probe_data;
	o.boot_ns = b->boot_ns;
	o.open_ends = b->job.tool != JOB_ENGINE;
	o.contained = b->cell->mode->apart;
	o.translated = b->cell->vmm && !cell_uses_kvm(b->cell);
	o.foreign_helper = b->path.foreign_helper;
	if (b->n_commands == ARRAY_SIZE(b->commands))
		o.commands = b->commands;
	if (b->cell->vmm && b->cell->vmm->ours && !stats_page_copy(b->stats_fd, b->stats, sizeof(*b->stats)))
		o.stats = b->stats;
	return measure_sample(&o, s, &b->error);
}

/* One more reason why the sample is void, behind those that are known. Returns err. */
static int boot_blame(struct vm_boot *b, int err, const char *why)
{
	char *before = b->error;

	if (!before)
		return boot_fail(b, err, "%s", why);
	b->error = xasprintf("%s; %s", before, why);
	free(before);
	return err;
}

/* DMA outside the guest's memory voids a sample, and may be why one has failed: it is told in both cases. */
static int check_faults(struct vm_boot *b, json_t *checks, int err)
{
	struct iommu_watch *w = &b->path.faults;
	char *detail;

	if (w->fd < 0)
		return err;
	iommu_watch_read(w);
	if (w->faults)
		detail = xasprintf("the IOMMU stopped DMA of %s outside the guest's memory, at least %llu times, first at 0x%llx",
				   w->addr, (unsigned long long)w->faults, (unsigned long long)w->first);
	else
		detail = xstrdup("no DMA outside the guest's memory");
	record_add_check(checks, "iommu_faults", !w->faults, detail);
	if (w->faults)
		err = boot_blame(b, -EIO, detail);
	free(detail);
	return err;
}

/* After an error *s has no metrics, but it may have checks and what they are about. */
static int boot_and_measure(struct vm_boot *boots, unsigned n, struct record_sample *s)
{
	struct record_sample *each = xcalloc(n, sizeof(*each));
	int err = 0;

	for (unsigned i = 0; i < n && !err; i++)
		err = boot_up(&boots[i]);
	if (!err)
		err = boot_converse(boots, n);
	for (unsigned i = 0; i < n && !err; i++)
		err = boot_measure(&boots[i], &each[i]);
	if (!err && n > 1)
		measure_join_vms(each, n);
	*s = each[0];
	for (unsigned i = 1; i < n; i++)
		json_decref(members_write(&sample_members, &each[i]));
	free(each);
	return err;
}

/* What the runner adds to a boot and its job: "overhead" is set-up, power-off and the undoing. */
static json_t *stages_json(const struct vm_boot *b)
{
	static const char *const names[] = {STAGES_MEMBERS(MEMBER_NAME, )};
	json_t *out = json_object();
	double overhead = 0;

	for (int i = 0; i < STAGES; i++) {
		uint64_t until = 0;

		for (int next = i + 1; next < STAGES && !until; next++)
			until = b->stage_ns[next];
		if (!until)
			until = clock_ns();
		if (!b->stage_ns[i])
			continue;
		json_object_set_new(out, names[i], json_integer((json_int_t)(until - b->stage_ns[i])));
		if (i != STAGE_BOOT && i != STAGE_JOB)
			overhead += (double)(until - b->stage_ns[i]);
	}
	json_object_set_new(out, MEMBER_KEY(struct record_stages, overhead),
			    json_integer((json_int_t)overhead));
	return out;
}

static void boot_init(struct vm_boot *b, const struct sample_want *want, unsigned vm)
{
	*b = (struct vm_boot){
		.want = want,
		.cell = want->cell,
		.vm = vm,
		.first = vm ? b - vm : NULL,
		.vmm = PROC_INIT,
		.starter = STARTER_INIT,
		.peer = PROC_INIT,
		.remote_fd = -1,
		.observer = OBSERVER_INIT,
		.limits = &talk_limits,
		.stats_fd = -1,
		.agent_fd = {-1, -1},
		.metrics = json_object(),
		.hists = json_object(),
		.placement = json_object(),
	};
	path_init(&b->path, want->cell->mode);
	b->stage_ns[STAGE_SETUP] = clock_ns();
}

/* The first VM that has something to say. */
static const char *first_error(const struct vm_boot *boots, unsigned n, int err)
{
	for (unsigned i = 0; i < n; i++)
		if (boots[i].error)
			return boots[i].error;
	return strerror(-err);
}

/* The VMM has ended, and the guest had not said all. */
static bool any_lost(const struct vm_boot *boots, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (boots[i].over && !boots[i].done)
			return true;
	return false;
}

static json_t *list_or_empty(json_t *list)
{
	if (list)
		return list;
	return json_array();
}

json_t *sample_run(const struct sample_want *want, bool *stop)
{
	unsigned n = cell_vms(want->cell);
	struct vm_boot *boots = xcalloc(n, sizeof(*boots));
	struct record_sample s;
	char *error = NULL;
	json_t *sample;
	int err;

	for (unsigned i = 0; i < n; i++)
		boot_init(&boots[i], want, i);
	err = boot_and_measure(boots, n, &s);
	s.tags = json_array();
	s.exits = list_or_empty(s.exits);
	s.checks = list_or_empty(s.checks);
	for (unsigned i = 0; i < n; i++)
		err = check_faults(&boots[i], s.checks, err);
	*stop = sample_interrupted;
	if (err) {
		error = xstrdup(first_error(boots, n, err));
		json_decref(s.metrics);
		s.metrics = NULL;
	}
	s.index = want->index;
	s.boot = want->boot;
	s.ok = !err;
	s.error = error;
	s.lost = err && any_lost(boots, n);
	boots[0].stage_ns[STAGE_END] = clock_ns();
	for (unsigned i = n; i-- > 0;)
		boot_free(&boots[i]);
	s.placement = json_incref(boots[0].placement);
	s.stage_ns = stages_json(&boots[0]);
	sample = members_write(&sample_members, &s);
	for (unsigned i = 0; i < n; i++)
		json_decref(boots[i].placement);
	free(boots);
	free(error);
	return sample;
}
