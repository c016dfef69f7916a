// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/journal.h"
#include "base/log.h"
#include "bench/host/paths.h"
#include "bench/sample/sample_impl.h"

static int log_file(const struct run *r, const char *name)
{
	char *path = xasprintf("%s/%s", r->log_dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	free(path);
	return fd;
}

static int spawn_logged(struct run *r, struct proc *p, char *const argv[], struct proc_opts *o,
			const char *log)
{
	int fd = log_file(r, log), err;

	o->stderr_fd = fd;
	o->stdout_fd = o->stdout_fd ? o->stdout_fd : fd;
	o->new_group = true;
	err = proc_spawn(p, argv, o);
	close_fd(&fd);
	return err ? run_fail(r, err, "%s: %s", argv[0], strerror(-err)) : 0;
}

static void job_words(const struct workload_job *job, struct strlist *a)
{
	char line[JOB_LINE_MAX], *save;

	if (job_write(job, line, sizeof(line)) < 0)
		BUG("job line");
	for (char *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save))
		strlist_add(a, w);
}

static int start_remote_peer(struct run *r)
{
	r->remote_fd = peer_connect(r->want->args->peer, &r->token, (unsigned)r->job.port);
	return r->remote_fd < 0 ? run_fail(r, r->remote_fd, "no peer at %s", r->want->args->peer) : 0;
}

int run_start_peer(struct run *r)
{
	struct proc_opts o = {.netns_fd = r->wire.peer_ns};
	struct strlist a = STRLIST_INIT;
	const char *agent;
	int err;

	if (!run_has_net(r) || !(r->cell->workload->flags & WORKLOAD_PEER))
		return 0;
	if (r->want->args->peer)
		return start_remote_peer(r);
	agent = path_tool("agent");
	if (!agent)
		return run_fail(r, -ENOENT, "the agent is not built; run make");
	strlist_add(&a, agent);
	strlist_add(&a, "peer");
	job_words(&r->job, &a);
	err = spawn_logged(r, &r->peer, a.v, &o, "peer.log");
	strlist_free(&a);
	if (!err && r->pin.n)
		pin_process(pin_peer(&r->pin), r->peer.pid, "peer", r->placement);
	return err;
}

int run_start_vhost_user(struct run *r)
{
	const char *program;
	struct strbuf fds = STRBUF_INIT;
	struct proc_opts o = {.keep_fds = r->wire.tap_fd};
	char *argv[5];
	int err;

	if (r->cell->mode->server != SERVER_HELPER)
		return 0;
	program = path_tool("vhost-user-net");
	if (!program)
		return run_fail(r, -ENOENT, "vhost-user-net is not built; run make");
	err = dir_make_all(journal_dir());
	if (err)
		return run_fail(r, err, "%s: %s", journal_dir(), strerror(-err));
	r->socket = xasprintf("%s/vu-%d-%u-%u.sock", journal_dir(), getpid(), r->want->index, r->vm);
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

static int vmm_argv(struct run *r, struct strlist *a)
{
	struct vmm_want w = {
		.program = r->cell->vmm->program(),
		.micro = run_is_micro(r),
		.kernel = r->want->kernel_dir,
		.initrd = r->image,
		.cpus = cell_cpus(r->cell),
		.mem_bytes = cell_mem(r->cell),
		.mode = r->cell->mode,
		.knobs = &r->cell->knobs,
		.mac = r->wire.mac,
		.vhost_user_socket = r->socket,
		.vfio_addr = r->sriov.vf_addr,
		.unsafe_interrupts = run_is_vfio(r) && r->want->args->unsafe_interrupts,
		.agent_fd = r->agent_fd[1],
		.stats_fd = r->stats_fd,
		.variant = r->cell->variant,
	};
	char line[JOB_LINE_MAX];
	char *console = xasprintf("%s/console.log", r->log_dir);
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
	err = w.kernel && w.program ? r->cell->vmm->command(&w, a) : -ENOENT;
	free(console);
	if (err)
		run_fail(r, err, "%s cannot run this cell", r->cell->vmm->name);
	return err;
}

static int open_probes(struct run *r, const char *observer)
{
	struct probes_opts o = {
		.pid = r->vmm.pid,
		.peer = r->peer.pid,
		.backend = r->backend.pid,
		.window = !(r->cell->workload->flags & WORKLOAD_WHOLE_BOOT),
		.exits = true,
		.notify = true,
		.cpu = true,
		/*
		 * Asked for by name, that is for what they cost: all of them, and by the guest's
		 * clock alone.
		 */
		.mmu = observer,
		.no_cost = observer,
		.vcpu = -1,
	};

	return probes_open(&r->probes, &o) ? run_fail(r, -ENOTSUP, "the probes could not be attached") : 0;
}

static int start_observer(struct run *r)
{
	const char *name = knobs_get(&r->cell->knobs, "observer", NULL);
	int err = 0;

	if (name && !strcmp(name, OBSERVER_DETACHED)) {
		err = open_probes(r, name);
		probes_close(r->probes);
		r->probes = NULL;
		return err;
	}
	if (!name || observer_is_probes(name))
		return r->want->args->no_probes ? 0 : open_probes(r, name);
	if (observer_start(&r->observer, name, r->want->log_dir))
		return run_fail(r, -ENOTSUP, "%s did not start", name);
	return 0;
}

static void boot_begins(struct run *r)
{
	/*
	 * One vCPU and no device: moved now, since a thread that is moved while it runs the guest has one
	 * exit more.
	 */
	if (r->pin.n && (run_no_vm(r) || (!run_has_net(r) && r->pin.vcpus == 1)))
		pin_process(pin_vcpu(&r->pin, 0), r->vmm.pid, run_no_vm(r) ? "agent" : "vcpu0", r->placement);
	r->stage = STAGE_BOOT;
	r->stage_ns[STAGE_BOOT] = clock_ns();
}

static int start_vmm(struct run *r)
{
	struct proc_opts o = {.hold = true};
	struct strlist a = STRLIST_INIT;
	int keep[WIRE_QUEUES + 2], n = 0, err;

	keep[n++] = r->agent_fd[1];
	keep[n++] = r->stats_fd;
	for (int i = 0; i < WIRE_QUEUES && r->wire.tap_fd[i] >= 0; i++)
		keep[n++] = r->wire.tap_fd[i];
	o.keep_fds = keep;
	o.n_keep = n;
	err = vmm_argv(r, &a);
	err = err ? err : spawn_logged(r, &r->vmm, a.v, &o, "vmm.log");
	strlist_free(&a);
	err = err ? err : start_observer(r);
	if (err)
		return err;
	close_fd(&r->agent_fd[1]);
	boot_begins(r);
	return proc_release(&r->vmm);
}

/* Mode host: the agent runs the same job in a namespace of its own, its stdout is the agent's line. */
static int start_host_agent(struct run *r)
{
	struct proc_opts o = {.hold = true, .netns_fd = r->wire.agent_ns, .stdout_fd = r->agent_fd[1]};
	struct strlist a = STRLIST_INIT;
	const char *agent = path_tool("agent");
	int err;

	if (!agent)
		return run_fail(r, -ENOENT, "the agent is not built; run make");
	strlist_add(&a, agent);
	strlist_add(&a, "run");
	job_words(&r->job, &a);
	err = spawn_logged(r, &r->vmm, a.v, &o, "vmm.log");
	strlist_free(&a);
	close_fd(&r->agent_fd[1]);
	if (err)
		return err;
	boot_begins(r);
	return proc_release(&r->vmm);
}

void run_pin(struct run *r)
{
	if (!r->pin.n || run_no_vm(r) || (!run_has_net(r) && r->pin.vcpus == 1))
		return;
	pin_vmm(&r->pin, r->vmm.pid, r->cell->mode->server == SERVER_KERNEL, r->placement);
	if (r->backend.pid)
		pin_process(pin_io(&r->pin), r->backend.pid, "backend", r->placement);
}

int run_start(struct run *r)
{
	return run_no_vm(r) ? start_host_agent(r) : start_vmm(r);
}
