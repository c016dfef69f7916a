// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "bench/host/cr3_probe.h"
#include "bench/sample/measure.h"
#include "bench/sample/sample_impl.h"

volatile sig_atomic_t sample_interrupted;

void sample_interrupt(void)
{
	sample_interrupted = 1;
}

int run_fail(struct run *r, int err, const char *fmt, ...)
{
	va_list ap;

	if (r->error)
		return err;
	va_start(ap, fmt);
	if (vasprintf(&r->error, fmt, ap) < 0)
		r->error = NULL;
	va_end(ap);
	return err;
}

static int open_files(struct run *r)
{
	char *path = xasprintf("%s/agent.log", r->log_dir);

	r->agent_log = fopen(path, "we");
	free(path);
	r->stats_fd = memfd_create("exitlab-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (!r->agent_log || r->stats_fd < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, r->agent_fd))
		return run_fail(r, -errno, "set-up: %s", strerror(errno));
	r->stats = xcalloc(1, sizeof(*r->stats));
	return 0;
}

static void run_free(struct run *r)
{
	observer_stop(&r->observer);
	proc_end(&r->vmm, NSEC_PER_SEC);
	proc_end(&r->peer, NSEC_PER_SEC);
	close_fd(&r->remote_fd);
	probes_close(r->probes);
	kvm_params_undo(&r->kvm_params);
	path_undo(&r->path);
	close_fd(&r->agent_fd[0]);
	close_fd(&r->agent_fd[1]);
	close_fd(&r->stats_fd);
	free(r->stats);
	if (r->agent_log)
		fclose(r->agent_log);
	free(r->image);
	strbuf_free(&r->line);
	json_decref(r->metrics);
	json_decref(r->hists);
	json_decref(r->probe_data);
	free(r->log_dir);
	free(r->error);
}

/* A Linux guest that cannot come up is not waited for. */
static int check_shadow_paging(struct run *r)
{
	bool shadow = !strcmp(knobs_get(&r->cell->knobs, "paging", ""), "shadow"), ours = true;

	if (shadow && !strcmp(r->cell->guest, "linux") && !cr3_probe(&ours) && !ours)
		return run_fail(r, -ENOTSUP,
				"paging=shadow: a guest that reads CR3 is shown KVM's page table instead of its own, a fault "
				"of this lab's QEMU: no Linux comes up under shadow paging; use --guest=micro or --lab=intel");
	return 0;
}

static int set_kvm_params(struct run *r)
{
	char *why = NULL;
	int err;

	for (size_t i = 0; i < r->cell->knobs.n; i++) {
		const struct kvm_param *k = kvm_param_find(r->cell->knobs.k[i].name);

		if (k)
			kvm_params_want(&r->kvm_params, k, r->cell->knobs.k[i].value);
	}
	err = kvm_params_set(&r->kvm_params, &why);
	if (err)
		run_fail(r, err, "%s", why);
	free(why);
	return err ? err : check_shadow_paging(r);
}

static int open_log_dir(struct run *r)
{
	r->log_dir = r->vm ? xasprintf("%s/vm-%u", r->want->log_dir, r->vm) : xstrdup(r->want->log_dir);
	if (mkdir(r->log_dir, 0755) && errno != EEXIST)
		return run_fail(r, -errno, "%s: %s", r->log_dir, strerror(errno));
	return 0;
}

/* Several VMs are the scheduler's to place. */
static int choose_cpus(struct run *r)
{
	if (cell_vms(r->cell) == 1 && cell_pin(r->cell, r->want->args, &r->pin))
		return run_fail(r, -EINVAL, "--pin");
	return 0;
}

static int run_boot(struct run *r)
{
	static int (*const steps[])(struct run *r) = {
		open_log_dir,  choose_cpus,    open_files,     set_kvm_params, run_make_path,
		run_make_job,  run_make_image, run_start_peer, run_serve_path, run_start,
	};
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(steps) && !err; i++)
		err = steps[i](r);
	return err;
}

static int run_measure(struct run *r, struct record_sample *s)
{
	struct observed o = {.whole_boot = r->cell->workload->flags & WORKLOAD_WHOLE_BOOT};

	if (r->probes && !r->probe_data && probes_read(r->probes, &r->probe_data))
		return run_fail(r, -EIO, "the probes could not be read");
	o.agent = r->metrics;
	o.hists = r->hists;
	o.probes = r->probe_data;
	o.boot_ns = r->boot_ns;
	if (r->cell->vmm && r->cell->vmm->ours && !stats_page_copy(r->stats_fd, r->stats, sizeof(*r->stats)))
		o.stats = r->stats;
	return measure_sample(&o, s, &r->error);
}

/* One more reason why the sample is void, behind those that are known. Returns err. */
static int run_blame(struct run *r, int err, const char *why)
{
	char *before = r->error;

	if (!before)
		return run_fail(r, err, "%s", why);
	r->error = xasprintf("%s; %s", before, why);
	free(before);
	return err;
}

/* DMA outside the guest's memory voids a sample, and often is why it failed: said in both cases. */
static int check_faults(struct run *r, json_t *checks, int err)
{
	struct iommu_watch *w = &r->path.faults;
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
		err = run_blame(r, -EIO, detail);
	free(detail);
	return err;
}

/* On an error too there may be checks and what they are about, but no metrics. */
static int boot_and_measure(struct run *runs, unsigned n, struct record_sample *s)
{
	struct record_sample *each = xcalloc(n, sizeof(*each));
	int err = 0;

	for (unsigned i = 0; i < n && !err; i++)
		err = run_boot(&runs[i]);
	if (!err)
		err = run_converse(runs, n);
	for (unsigned i = 0; i < n && !err; i++)
		err = run_measure(&runs[i], &each[i]);
	if (!err && n > 1)
		measure_join_vms(each, n);
	*s = each[0];
	for (unsigned i = 1; i < n; i++)
		json_decref(members_write(&sample_members, &each[i]));
	free(each);
	return err;
}

/* What the runner adds to a boot and its job: "overhead" is set-up, power-off and the undoing. */
static json_t *stages_json(const struct run *r)
{
	static const char *const names[] = {STAGES_MEMBERS(MEMBER_NAME, )};
	json_t *out = json_object();
	double overhead = 0;

	for (int i = 0; i < STAGES; i++) {
		uint64_t until = 0;

		for (int next = i + 1; next < STAGES && !until; next++)
			until = r->stage_ns[next];
		if (!until)
			until = clock_ns();
		if (!r->stage_ns[i])
			continue;
		json_object_set_new(out, names[i], json_integer((json_int_t)(until - r->stage_ns[i])));
		if (i != STAGE_BOOT && i != STAGE_JOB)
			overhead += (double)(until - r->stage_ns[i]);
	}
	json_object_set_new(out, MEMBER_KEY(struct record_stages, overhead),
			    json_integer((json_int_t)overhead));
	return out;
}

static void run_init(struct run *r, const struct sample_want *want, unsigned vm)
{
	*r = (struct run){
		.want = want,
		.cell = want->cell,
		.vm = vm,
		.first = vm ? r - vm : NULL,
		.vmm = PROC_INIT,
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
	path_init(&r->path, want->cell->mode);
	r->stage_ns[STAGE_SETUP] = clock_ns();
}

/* The first VM that has something to say. */
static const char *first_error(const struct run *runs, unsigned n, int err)
{
	for (unsigned i = 0; i < n; i++)
		if (runs[i].error)
			return runs[i].error;
	return strerror(-err);
}

/* The VMM has ended, and the guest had not said all. */
static bool any_lost(const struct run *runs, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (runs[i].over && !runs[i].done)
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
	struct run *runs = xcalloc(n, sizeof(*runs));
	struct record_sample s;
	char *error = NULL;
	json_t *sample;
	int err;

	for (unsigned i = 0; i < n; i++)
		run_init(&runs[i], want, i);
	err = boot_and_measure(runs, n, &s);
	s.tags = json_array();
	s.exits = list_or_empty(s.exits);
	s.checks = list_or_empty(s.checks);
	for (unsigned i = 0; i < n; i++)
		err = check_faults(&runs[i], s.checks, err);
	*stop = sample_interrupted;
	if (err) {
		error = xstrdup(first_error(runs, n, err));
		json_decref(s.metrics);
		s.metrics = NULL;
	}
	s.index = want->index;
	s.boot = want->boot;
	s.ok = !err;
	s.error = error;
	s.lost = err && any_lost(runs, n);
	runs[0].stage_ns[STAGE_END] = clock_ns();
	for (unsigned i = n; i-- > 0;)
		run_free(&runs[i]);
	s.placement = json_incref(runs[0].placement);
	s.stage_ns = stages_json(&runs[0]);
	sample = members_write(&sample_members, &s);
	for (unsigned i = 0; i < n; i++)
		json_decref(runs[i].placement);
	free(runs);
	free(error);
	return sample;
}
