// SPDX-License-Identifier: MIT
/* The processes of a sample: the peer, the VMM or else the agent, who looks on, and where they run. */
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

static int run_spawn(struct run *r, struct proc *p, char *const argv[], const struct proc_opts *o,
		     const char *log)
{
	int err = proc_spawn_logged(p, argv, o, r->log_dir, log);

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
	struct proc_opts o = {.netns_fd = r->path.wire.peer_ns};
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
	err = run_spawn(r, &r->peer, a.v, &o, "peer.log");
	strlist_free(&a);
	if (!err && r->pin.n)
		pin_process(pin_peer(&r->pin), r->peer.pid, "peer", r->placement);
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
		.path = &r->path,
		.knobs = &r->cell->knobs,
		.unsafe_interrupts = run_is_vfio(r) && r->want->args->unsafe_interrupts,
		.agent_fd = r->agent_fd[1],
		.stats_fd = r->stats_fd,
		.variant = r->cell->variant,
	};
	char line[JOB_LINE_MAX];
	char *console = xasprintf("%s/console.log", r->log_dir);
	int err;

	w.console_path = console;
	if (w.micro) {
		w.kernel = path_tool("micro.elf");
		job_write(&r->job, line, sizeof(line));
		w.cmdline = line;
	} else {
		w.cmdline = "console=ttyS0 quiet panic=-1 mitigations=off nokaslr net.ifnames=0 random.trust_cpu=on cryptomgr.notests";
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
		.backend = r->path.helper.pid,
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

/* One port for both: the agent's log holds the console's lines too. */
static void run_join_console(const struct run *r, struct proc_opts *o)
{
	char *console = xasprintf("%s/console.log", r->log_dir);

	o->stdin_fd = o->stdout_fd = r->agent_fd[1];
	if (symlink("agent.log", console))
		log_debug("%s: %s", console, strerror(errno));
	free(console);
}

static int start_vmm(struct run *r)
{
	struct proc_opts o = {.hold = true};
	struct strlist a = STRLIST_INIT;
	int keep[2 + PATH_FDS] = {r->agent_fd[1], r->stats_fd}, err;

	if (r->cell->vmm->channel == AGENT_STDIO)
		run_join_console(r, &o);
	o.keep_fds = keep;
	o.n_keep = 2 + path_fds(&r->path, keep + 2);
	err = vmm_argv(r, &a);
	if (!err)
		err = run_spawn(r, &r->vmm, a.v, &o, "vmm.log");
	strlist_free(&a);
	if (!err)
		err = start_observer(r);
	if (err)
		return err;
	close_fd(&r->agent_fd[1]);
	boot_begins(r);
	return proc_release(&r->vmm);
}

/* Mode host: the agent runs the same job in a namespace of its own, its stdout is the agent's line. */
static int start_host_agent(struct run *r)
{
	struct proc_opts o = {.hold = true, .netns_fd = r->path.wire.agent_ns, .stdout_fd = r->agent_fd[1]};
	struct strlist a = STRLIST_INIT;
	const char *agent = path_tool("agent");
	int err;

	if (!agent)
		return run_fail(r, -ENOENT, "the agent is not built; run make");
	strlist_add(&a, agent);
	strlist_add(&a, "run");
	job_words(&r->job, &a);
	err = run_spawn(r, &r->vmm, a.v, &o, "vmm.log");
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
	pin_vmm(&r->pin, r->vmm.pid, r->cell->vmm->vcpu_thread,
		r->cell->mode->server == SERVER_KERNEL, r->placement);
	if (r->path.helper.pid)
		pin_process(pin_io(&r->pin), r->path.helper.pid, "backend", r->placement);
}

int run_start(struct run *r)
{
	return run_no_vm(r) ? start_host_agent(r) : start_vmm(r);
}
