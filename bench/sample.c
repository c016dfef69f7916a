// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hist_json.h"
#include "base/log.h"
#include "base/proc.h"
#include "bench/lab.h"
#include "bench/measure.h"
#include "bench/paths.h"
#include "bench/progress.h"
#include "bench/sample.h"
#include "bench/sriov.h"
#include "bench/wire.h"
#include "probes/probes.h"
#include "workloads/image.h"
#include "workloads/lines.h"

#define DEFAULT_MEM   (256 * MIB)
#define BOOT_LIMIT_NS (120 * NSEC_PER_SEC)
#define JOB_SLACK_NS  (60 * NSEC_PER_SEC)
#define OFF_LIMIT_NS  (20 * NSEC_PER_SEC)

static volatile sig_atomic_t interrupted;

void sample_interrupt(void)
{
	interrupted = 1;
}

enum stage { STAGE_BOOT, STAGE_JOB, STAGE_OFF };

/* Everything that one boot holds; run_free undoes it in reverse. */
struct run {
	const struct sample_want *want;
	const struct cell *cell;
	struct workload_job job;
	struct wire wire;
	struct sriov sriov;
	struct proc vmm, peer, backend;
	struct probes *probes;
	struct stats_page *stats;
	int stats_fd, agent_fd[2]; /* [0] ours, [1] the VMM's */
	char *image, *socket;
	struct strbuf line;        /* unfinished line of the agent */
	FILE *agent_log;
	json_t *metrics, *hists, *probe_data;
	enum stage stage;
	uint64_t start_ns, boot_ns, deadline_ns;
	bool done;
	char *error;
};

static int fail(struct run *r, int err, const char *fmt, ...) PRINTF(3, 4);
static int fail(struct run *r, int err, const char *fmt, ...)
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

static bool has_net(const struct run *r)
{
	return *r->cell->mode;
}

static bool no_vm(const struct run *r)
{
	return !r->cell->vmm;
}

static bool is_micro(const struct run *r)
{
	return !strcmp(r->cell->guest, "micro");
}

/* ---- set-up ---- */

static int make_job(struct run *r)
{
	if (cell_job(r->cell, r->want->args, &r->job))
		return fail(r, -EINVAL, "the job is not sound");
	if (has_net(r)) {
		snprintf(r->job.addr, sizeof(r->job.addr), "%s", r->wire.guest_addr);
		snprintf(r->job.peer, sizeof(r->job.peer), "%s", r->wire.peer_addr);
	}
	return 0;
}

static bool is_sriov(const struct run *r)
{
	return !strcmp(r->cell->mode, "sriov");
}

/* The lab's second card is the other end; on other machines there is none to take without being told. */
static char *peer_card(const char *pf)
{
	char *nic = lab_inside() ? sriov_peer_nic(pf) : NULL;

	if (!nic)
		log_error("no card for the other end of the wire; outside the lab mode sriov is not supported yet");
	return nic;
}

static int make_sriov_wire(struct run *r)
{
	const struct run_args *args = r->want->args;
	int err = sriov_setup(&r->sriov, args->nic ? args->nic : "auto", WIRE_GUEST_MAC);
	char *peer = err ? NULL : peer_card(r->sriov.pf);

	err = err ? err : peer ? wire_cards(&r->wire, peer, NULL, args->ipv6) : -ENODEV;
	free(peer);
	return err;
}

/* Every mode through the same card to the same peer: the baseline has the card itself, the others a switch to it. */
static int make_card_wire(struct run *r, unsigned queues)
{
	const struct run_args *args = r->want->args;
	char *pf = args->nic && strcmp(args->nic, "auto") ? xstrdup(args->nic) : sriov_find_pf();
	char *peer = pf ? peer_card(pf) : NULL;
	int err = -ENODEV;

	if (!pf)
		log_error("--topology=wire: no card with SR-IOV here; use --on=lab");
	else if (peer)
		err = no_vm(r) ? wire_cards(&r->wire, peer, pf, args->ipv6)
			       : wire_switched(&r->wire, queues, peer, pf, args->ipv6);
	free(peer);
	free(pf);
	return err;
}

static int make_wire(struct run *r)
{
	unsigned queues = (unsigned)knobs_u64(&r->cell->knobs, "queues", 1);
	int err = 0;

	if (!has_net(r))
		return 0;
	if (is_sriov(r))
		err = make_sriov_wire(r);
	else if (r->want->real_wire)
		err = make_card_wire(r, queues);
	else if (no_vm(r))
		err = wire_veth(&r->wire, r->want->args->ipv6);
	else
		err = wire_tap(&r->wire, queues, r->want->args->ipv6);
	return err ? fail(r, err, "the wire could not be set up: %s", strerror(-err)) : 0;
}

/* As image_spec wants them: NULL-terminated. */
static void module_names(const struct module_list *l, const char *names[8])
{
	for (size_t i = 0; i < l->n && i < 7; i++)
		names[i] = l->item[i];
}

static int make_image(struct run *r)
{
	static const char *const iperf[] = {"/usr/bin/iperf3", NULL};
	struct image_spec spec = {.agent = path_tool("agent")};
	struct module_list vf_modules = MODULE_LIST_INIT;
	const char *names[8] = {NULL};
	char line[JOB_LINE_MAX], *dir, *modules;
	int err;

	if (is_micro(r) || no_vm(r))
		return 0;
	if (!spec.agent)
		return fail(r, -ENOENT, "the agent is not built; run make");
	modules = xasprintf("%s/modules", r->want->kernel_dir);
	spec.moddir = realpath(modules, NULL);
	free(modules);
	err = 0;
	if (is_sriov(r)) /* whatever the function's driver is */
		err = modules_for_pci(spec.moddir, r->sriov.vf_addr, &vf_modules);
	module_names(&vf_modules, names);
	spec.modules = is_sriov(r) ? names : image_mode_modules(r->cell->mode);
	if (job_write(&r->job, line, sizeof(line)) < 0)
		BUG("job line");
	spec.job = line;
	spec.programs = r->job.tool == JOB_IPERF3 ? iperf : NULL;
	dir = xasprintf("%s/images", path_cache());
	err = err ? err : dir_make_all(dir);
	err = err ? err : image_build_in(&spec, dir, &r->image);
	module_list_free(&vf_modules);
	free(dir);
	free((char *)spec.moddir);
	return err ? fail(r, err, "the guest's image could not be built: %s", strerror(-err)) : 0;
}

static int log_file(const struct run *r, const char *name)
{
	char *path = xasprintf("%s/%s", r->want->log_dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	free(path);
	return fd;
}

/* ---- processes ---- */

static int spawn_logged(struct run *r, struct proc *p, char *const argv[], struct proc_opts *o, const char *log)
{
	int fd = log_file(r, log), err;

	o->stderr_fd = fd;
	o->stdout_fd = o->stdout_fd ? o->stdout_fd : fd;
	o->new_group = true;
	err = proc_spawn(p, argv, o);
	close_fd(&fd);
	return err ? fail(r, err, "%s: %s", argv[0], strerror(-err)) : 0;
}

static void job_words(const struct workload_job *job, struct arglist *a)
{
	char line[JOB_LINE_MAX], *save;

	if (job_write(job, line, sizeof(line)) < 0)
		BUG("job line");
	for (char *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save))
		arglist_add(a, "%s", w);
}

static int start_peer(struct run *r)
{
	struct proc_opts o = {.netns_fd = r->wire.peer_ns};
	struct arglist a = {NULL, 0, 0};
	const char *agent;
	int err;

	if (!has_net(r) || !(r->cell->workload->flags & WORKLOAD_PEER))
		return 0;
	agent = path_tool("agent");
	if (!agent)
		return fail(r, -ENOENT, "the agent is not built; run make");
	arglist_add(&a, "%s", agent);
	arglist_add(&a, "peer");
	job_words(&r->job, &a);
	err = spawn_logged(r, &r->peer, a.v, &o, "peer.log");
	arglist_free(&a);
	return err;
}

static int start_vhost_user(struct run *r)
{
	const char *program;
	struct strbuf fds = STRBUF_INIT;
	struct proc_opts o = {.keep_fds = r->wire.tap_fd};
	char *argv[5];
	int err;

	if (strcmp(r->cell->mode, "vhost-user"))
		return 0;
	program = path_tool("vhost-user-net");
	if (!program)
		return fail(r, -ENOENT, "vhost-user-net is not built; run make");
	r->socket = xasprintf("/tmp/exitlab-vu-%d-%u.sock", getpid(), r->want->index);
	while (r->wire.tap_fd[o.n_keep] >= 0) {
		strbuf_addf(&fds, "%s%d", o.n_keep ? ":" : "", r->wire.tap_fd[o.n_keep]);
		o.n_keep++;
	}
	argv[0] = (char *)program;
	argv[1] = xasprintf("--socket=%s", r->socket);
	argv[2] = xasprintf("--tap=fd=%s", strbuf_str(&fds));
	argv[3] = xasprintf("--queues=%d", o.n_keep);
	argv[4] = NULL;
	err = spawn_logged(r, &r->backend, argv, &o, "vhost-user.log");
	for (int i = 0; !err && i < 500 && !file_exists(r->socket); i++)
		clock_sleep_ns(10 * NSEC_PER_MSEC);
	for (int i = 1; argv[i]; i++)
		free(argv[i]);
	strbuf_free(&fds);
	return err;
}

static int vmm_argv(struct run *r, struct arglist *a)
{
	/* quiet and lpj: what a guest that is only booted to be measured need not say or find out. */
	struct vmm_want w = {
		.micro = is_micro(r),
		.kernel = r->want->kernel_dir,
		.initrd = r->image,
		.cpus = cell_cpus(r->cell),
		.mem_bytes = knobs_u64(&r->cell->knobs, "mem", DEFAULT_MEM),
		.mode = r->cell->mode,
		.knobs = &r->cell->knobs,
		.mac = r->wire.mac,
		.vhost_user_socket = r->socket,
		.vfio_addr = r->sriov.vf_addr,
		.agent_fd = r->agent_fd[1],
		.stats_fd = r->stats_fd,
		.variant = r->cell->variant,
	};
	char line[JOB_LINE_MAX];
	char *console = xasprintf("%s/console.log", r->want->log_dir);
	int err;

	w.console_path = console;
	memcpy(w.tap_fd, r->wire.tap_fd, sizeof(w.tap_fd));
	if (w.micro) {
		w.kernel = path_tool("micro.elf");
		job_write(&r->job, line, sizeof(line));
		w.cmdline = line;
	} else {
		w.cmdline = "console=ttyS0 quiet panic=-1 mitigations=off nokaslr net.ifnames=0 random.trust_cpu=on";
	}
	err = w.kernel ? r->cell->vmm->command(&w, a) : -ENOENT;
	free(console);
	return err ? fail(r, err, "%s cannot run this cell", r->cell->vmm->name) : 0;
}

static int open_probes(struct run *r)
{
	struct probes_opts o = {
		.pid = r->vmm.pid,
		.window = !(r->cell->workload->flags & WORKLOAD_WHOLE_BOOT),
		.exits = true,
		.notify = true,
		.cpu = true,
		.vcpu = -1,
	};

	if (r->want->args->no_probes)
		return 0;
	return probes_open(&r->probes, &o) ? fail(r, -ENOTSUP, "the probes could not be attached") : 0;
}

static int start_vmm(struct run *r)
{
	struct proc_opts o = {.hold = true};
	struct arglist a = {NULL, 0, 0};
	int keep[WIRE_QUEUES + 2], n = 0, err;

	keep[n++] = r->agent_fd[1];
	keep[n++] = r->stats_fd;
	for (int i = 0; i < WIRE_QUEUES && r->wire.tap_fd[i] >= 0; i++)
		keep[n++] = r->wire.tap_fd[i];
	o.keep_fds = keep;
	o.n_keep = n;
	err = vmm_argv(r, &a);
	err = err ? err : spawn_logged(r, &r->vmm, a.v, &o, "vmm.log");
	arglist_free(&a);
	err = err ? err : open_probes(r);
	if (err)
		return err;
	close_fd(&r->agent_fd[1]);
	r->start_ns = clock_ns();
	return proc_release(&r->vmm);
}

/* Mode host: the agent runs the same job in a namespace of its own, its stdout is the agent's line. */
static int start_host_agent(struct run *r)
{
	struct proc_opts o = {.hold = true, .netns_fd = r->wire.agent_ns, .stdout_fd = r->agent_fd[1]};
	struct arglist a = {NULL, 0, 0};
	const char *agent = path_tool("agent");
	int err;

	if (!agent)
		return fail(r, -ENOENT, "the agent is not built; run make");
	arglist_add(&a, "%s", agent);
	arglist_add(&a, "run");
	job_words(&r->job, &a);
	err = spawn_logged(r, &r->vmm, a.v, &o, "vmm.log");
	arglist_free(&a);
	close_fd(&r->agent_fd[1]);
	r->start_ns = clock_ns();
	return err ? err : proc_release(&r->vmm);
}

/* ---- the conversation ---- */

static void on_line(struct run *r, const char *text)
{
	static struct agent_line l;

	fprintf(r->agent_log, "%.6f %s\n", (double)(clock_ns() - r->start_ns) / 1e9, text);
	if (line_parse(text, &l)) {
		fail(r, -EBADMSG, "the agent said something that is not in its protocol: %.80s", text);
		return;
	}
	switch (l.kind) {
	case LINE_HELLO:
		if (!no_vm(r))
			r->boot_ns = clock_ns() - r->start_ns;
		r->stage = STAGE_JOB;
		r->deadline_ns = clock_ns() + r->job.duration_ns + r->job.warmup_ns + JOB_SLACK_NS;
		break;
	case LINE_METRIC:
		json_object_set_new(r->metrics, l.name, json_real(l.value));
		break;
	case LINE_HIST:
		json_object_set_new(r->hists, l.name, hist_to_json(&l.hist));
		break;
	case LINE_FAIL:
		fail(r, -EIO, "the guest says: %s", l.text);
		break;
	case LINE_DONE:
		r->done = true;
		r->stage = STAGE_OFF;
		r->deadline_ns = clock_ns() + OFF_LIMIT_NS;
		break;
	case LINE_READY:
	case LINE_NOTE:
	case LINE_OTHER:
		break;
	}
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
		on_line(r, r->line.buf);
		r->line.len -= used;
		memmove(r->line.buf, r->line.buf + used, r->line.len + 1);
	}
	return true;
}

static int vmm_ended(struct run *r)
{
	int status;

	while (r->agent_fd[0] >= 0 && read_agent(r))
		;
	status = proc_wait(&r->vmm, NSEC_PER_SEC);
	if (!r->done)
		return fail(r, -EIO, "the VMM ended with status %d before the guest was done; see %s/vmm.log and console.log",
			    status, r->want->log_dir);
	return 0;
}

static int converse(struct run *r)
{
	static const char *const names[] = {"boot", "job", "power-off"};
	bool open = true;

	r->deadline_ns = r->start_ns + BOOT_LIMIT_NS;
	while (!r->error) {
		struct pollfd p[2] = {{open ? r->agent_fd[0] : -1, POLLIN, 0}, {r->vmm.pidfd, POLLIN, 0}};

		progress_tick(r->want->progress, names[r->stage]);
		poll(p, 2, 100);
		if (interrupted)
			return fail(r, -EINTR, "interrupted");
		if (p[0].revents)
			open = read_agent(r);
		if (p[1].revents)
			return vmm_ended(r);
		/* A guest that has said all it has to say need not be watched while it powers off. */
		if (r->done && !r->probe_data && r->probes)
			probes_read(r->probes, &r->probe_data);
		if (clock_ns() > r->deadline_ns && r->stage == STAGE_OFF) {
			log_warn("%s: the guest did not power off in %.0f s; ended", r->cell->label, OFF_LIMIT_NS / 1e9);
			proc_end(&r->vmm, NSEC_PER_SEC);
			return 0;
		}
		if (clock_ns() > r->deadline_ns)
			return fail(r, -ETIMEDOUT, "timed out in the stage %s; see %s/console.log", names[r->stage],
				    r->want->log_dir);
	}
	return -EIO;
}

static int open_files(struct run *r)
{
	char *path = xasprintf("%s/agent.log", r->want->log_dir);

	r->agent_log = fopen(path, "we");
	free(path);
	r->stats_fd = memfd_create("exitlab-stats", MFD_CLOEXEC);
	if (!r->agent_log || r->stats_fd < 0 || ftruncate(r->stats_fd, sizeof(struct stats_page)) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, r->agent_fd))
		return fail(r, -errno, "set-up: %s", strerror(errno));
	r->stats = mmap(NULL, sizeof(*r->stats), PROT_READ, MAP_SHARED, r->stats_fd, 0);
	if (r->stats == MAP_FAILED) {
		r->stats = NULL;
		return fail(r, -ENOMEM, "set-up: statistics page: %s", strerror(errno));
	}
	return 0;
}

static void run_free(struct run *r)
{
	proc_end(&r->vmm, NSEC_PER_SEC);
	proc_end(&r->backend, NSEC_PER_SEC);
	proc_end(&r->peer, NSEC_PER_SEC);
	probes_close(r->probes);
	wire_close(&r->wire);
	sriov_undo(&r->sriov);
	close_fd(&r->agent_fd[0]);
	close_fd(&r->agent_fd[1]);
	close_fd(&r->stats_fd);
	if (r->stats)
		munmap(r->stats, sizeof(*r->stats));
	if (r->agent_log)
		fclose(r->agent_log);
	if (r->socket)
		unlink(r->socket);
	free(r->socket);
	free(r->image);
	strbuf_free(&r->line);
	json_decref(r->metrics);
	json_decref(r->hists);
	json_decref(r->probe_data);
	free(r->error);
}

static int boot_and_measure(struct run *r, json_t *sample)
{
	struct observed o = {.whole_boot = r->cell->workload->flags & WORKLOAD_WHOLE_BOOT};
	int err = open_files(r);

	err = err ? err : make_wire(r);
	err = err ? err : make_job(r);
	err = err ? err : make_image(r);
	err = err ? err : start_peer(r);
	err = err ? err : start_vhost_user(r);
	err = err ? err : no_vm(r) ? start_host_agent(r) : start_vmm(r);
	err = err ? err : converse(r);
	if (err || r->error)
		return err ? err : -EIO;
	if (r->probes && !r->probe_data && probes_read(r->probes, &r->probe_data))
		return fail(r, -EIO, "the probes could not be read");
	o.agent = r->metrics;
	o.hists = r->hists;
	o.probes = r->probe_data;
	o.boot_ns = r->boot_ns;
	o.stats = r->cell->vmm && r->cell->vmm->has_stats_page && r->stats->magic == STATS_MAGIC ? r->stats : NULL;
	return measure_sample(&o, sample, &r->error);
}

json_t *sample_run(const struct sample_want *want, bool *stop)
{
	struct run r = {
		.want = want,
		.cell = want->cell,
		.vmm = PROC_INIT,
		.peer = PROC_INIT,
		.backend = PROC_INIT,
		.stats_fd = -1,
		.agent_fd = {-1, -1},
		.metrics = json_object(),
		.hists = json_object(),
	};
	json_t *sample = json_pack("{s:i, s:i, s:[], s:[], s:[]}", "index", want->index, "boot", want->boot, "tags", "exits",
				   "checks");
	int err;

	r.wire = (struct wire){.peer_ns = -1, .agent_ns = -1};
	memset(r.wire.tap_fd, -1, sizeof(r.wire.tap_fd));
	err = boot_and_measure(&r, sample);
	*stop = interrupted;
	json_object_set_new(sample, "ok", json_boolean(!err));
	if (err)
		json_object_set_new(sample, "error", json_string(r.error ? r.error : strerror(-err)));
	run_free(&r);
	return sample;
}
