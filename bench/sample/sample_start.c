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
#include "bench/host/link.h"
#include "bench/host/paths.h"
#include "bench/sample/sample_impl.h"

static int boot_spawn(struct vm_boot *b, struct proc *p, char *const argv[], const struct proc_opts *o,
		      const char *log)
{
	int err = proc_spawn_logged(p, argv, o, b->log_dir, log);

	if (err)
		boot_fail(b, err, "%s: %s", argv[0], strerror(-err));
	return err;
}

static void job_words(const struct workload_job *job, struct strlist *a)
{
	char line[JOB_LINE_MAX], *save;

	if (job_write(job, line, sizeof(line)) < 0)
		BUG("job line");
	for (char *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save))
		strlist_add(a, w);
}

static int start_remote_peer(struct vm_boot *b)
{
	b->remote_fd = peer_connect(b->want->args->peer, &b->token, (unsigned)b->job.port);
	if (b->remote_fd < 0)
		return boot_fail(b, b->remote_fd, "no peer at %s", b->want->args->peer);
	return 0;
}

int boot_start_peer(struct vm_boot *b)
{
	struct proc_opts o = {.netns_fd = b->path.wire.peer_ns};
	struct strlist a = STRLIST_INIT;
	const char *agent;
	int err;

	if (!boot_has_net(b) || !(b->cell->workload->flags & WORKLOAD_PEER))
		return 0;
	if (b->want->args->peer)
		return start_remote_peer(b);
	agent = path_tool("agent");
	if (!agent)
		return boot_fail(b, -ENOENT, "the agent is not built; run make");
	strlist_add(&a, agent);
	strlist_add(&a, "peer");
	job_words(&b->job, &a);
	err = boot_spawn(b, &b->peer, a.v, &o, "peer.log");
	strlist_free(&a);
	if (!err && b->pin.n)
		pin_process(pin_peer(&b->pin), b->peer.pid, "peer", b->placement);
	return err;
}

/* An exec that fails is seen by nobody: the VMM is held back until the probes look on. */
static int vmm_there(struct vm_boot *b)
{
	char *why = vmm_unusable(b->cell->vmm, cell_vmm_given(b->cell));

	if (!why)
		return 0;
	boot_fail(b, -ENOENT, "%s: %s", b->cell->vmm->name, why);
	free(why);
	return -ENOENT;
}

/* Caller frees. */
static char *linux_cmdline(const struct cell *cell)
{
	const struct vmm_adapter *vmm = cell->vmm;
	struct strbuf sb = STRBUF_INIT;

	strbuf_adds(&sb, "console=ttyS0 quiet panic=-1 mitigations=off nokaslr net.ifnames=0 random.trust_cpu=on "
			 "cryptomgr.notests");
	if (vmm->cmdline)
		strbuf_addf(&sb, " %s", vmm->cmdline);
	if (agent_is_on_console(vmm->channel))
		strbuf_adds(&sb, " " VMM_ONE_PORT " " VMM_GUEST_NAMES);
	if (cell->mode->cmdline)
		strbuf_addf(&sb, " %s", cell->mode->cmdline(&cell->knobs));
	return strbuf_take(&sb);
}

static int vmm_argv(struct vm_boot *b, struct strlist *a)
{
	struct vmm_want w = {
		.program = cell_vmm_program(b->cell),
		.micro = boot_is_micro(b),
		.kernel = b->want->kernel_dir,
		.initrd = b->image,
		.cpus = cell_cpus(b->cell),
		.mem_bytes = cell_mem(b->cell),
		.path = &b->path,
		.knobs = &b->cell->knobs,
		.unsafe_interrupts = boot_is_vfio(b) && b->want->args->unsafe_interrupts,
		.agent_fd = b->agent_fd[1],
		.stats_fd = b->stats_fd,
		.trace = b->trace,
		.variant = vmm_variant(b->cell->variant),
	};
	char line[JOB_LINE_MAX], *cmdline = NULL;
	char *console = xasprintf("%s/console.log", b->log_dir);
	int err;

	w.console_path = console;
	w.log_dir = b->log_dir;
	if (w.micro) {
		w.kernel = path_tool("micro.elf");
		job_write(&b->job, line, sizeof(line));
		w.cmdline = line;
	} else {
		w.cmdline = cmdline = linux_cmdline(b->cell);
	}
	err = vmm_there(b);
	if (!err && !w.kernel)
		err = -ENOENT;
	if (!err)
		err = b->cell->vmm->command(&w, a);
	free(cmdline);
	free(console);
	if (err)
		boot_fail(b, err, "%s cannot run this cell", b->cell->vmm->name);
	return err;
}

static int open_probes(struct vm_boot *b, const char *observer)
{
	bool life = observer && !strcmp(observer, OBSERVER_LIFE);
	bool boot = b->cell->workload->flags & WORKLOAD_WHOLE_BOOT;
	struct probes_opts o = {
		.pid = boot_vmm_pid(b),
		.peer = b->peer.pid,
		.backend = b->path.helper.pid,
		.span = boot ? PROBE_BOOT : PROBE_WINDOW,
		.exits = true,
		.notify = true,
		.cpu = true,
		/*
		 * Asked for by name, that is for what they cost: all of them, and by the guest's
		 * clock alone.
		 */
		.mmu = observer && !life,
		.no_cost = observer,
		.life = life,
		.vcpu = -1,
	};
	char *program = NULL;
	int err;

	if (mode_is_xen(b->cell->mode))
		o.grants = program = path_program(cell_vmm_program(b->cell));
	err = probes_open(&b->probes, &o);
	free(program);
	if (err)
		return boot_fail(b, -ENOTSUP, "the probes could not be attached");
	return 0;
}

static int start_observer(struct vm_boot *b)
{
	const char *name = knobs_get(&b->cell->knobs, "observer", NULL);
	int err = 0;

	if (b->cell->vmm->traces)
		return 0;
	if (name && !strcmp(name, OBSERVER_DETACHED)) {
		err = open_probes(b, name);
		probes_close(b->probes);
		b->probes = NULL;
		return err;
	}
	if (b->want->args->no_probes && (!name || observer_is_probes(name)))
		return 0;
	if (!name || observer_is_probes(name))
		return open_probes(b, name);
	if (observer_start(&b->observer, name, b->want->log_dir))
		return boot_fail(b, -ENOTSUP, "%s did not start", name);
	return 0;
}

static void boot_begins(struct vm_boot *b)
{
	/*
	 * One vCPU and no device: moved now, since a thread that is moved while it runs the guest has one
	 * exit more.
	 */
	if (b->pin.n && (boot_no_vm(b) || (!boot_has_device(b) && b->pin.vcpus == 1)))
		pin_process(pin_vcpu(&b->pin, 0), boot_vmm_pid(b), boot_no_vm(b) ? "agent" : "vcpu0",
			    b->placement);
	b->stage = STAGE_BOOT;
	b->stage_ns[STAGE_BOOT] = clock_ns();
}

/*
 * A hypervisor that records is told to when it starts the guest, where that is asked for, since it costs
 * time; it has no other observers yet.
 */
static int want_trace(struct vm_boot *b)
{
	const char *name = knobs_get(&b->cell->knobs, "observer", "off");

	if (!b->cell->vmm->traces || !strcmp(name, "off") || b->want->args->no_probes)
		return 0;
	if (strcmp(name, "probes") != 0)
		return boot_fail(b, -ENOTSUP, "--set observer=%s: not supported yet with %s; it is probes or off", name,
				 b->cell->vmm->name);
	b->trace = xasprintf("%s/xen.trace", b->log_dir);
	return 0;
}

/* The VMM has one port for console and agent, so the agent's log holds the console's lines too. */
static void boot_join_console(const struct vm_boot *b, struct proc_opts *o)
{
	char *console = xasprintf("%s/console.log", b->log_dir);

	o->stdin_fd = o->stdout_fd = b->agent_fd[1];
	if (symlink("agent.log", console))
		log_debug("%s: %s", console, strerror(errno));
	free(console);
}

/* There is a VMM, which waits for starter_go, and what it says at its second port comes to us. */
static int await_vmm(struct vm_boot *b)
{
	char *why = NULL;
	int err, fd = starter_make(&b->starter, &b->vmm, &why);

	if (fd < 0) {
		err = boot_fail(b, fd, "%s: %s", b->cell->vmm->name, why);
		free(why);
		return err;
	}
	close_fd(&b->agent_fd[0]);
	b->agent_fd[0] = fd;
	return 0;
}

static int let_vmm_go(struct vm_boot *b)
{
	if (b->cell->vmm->starter)
		return starter_go(&b->starter);
	return proc_release(&b->vmm);
}

/*
 * The network that the VMM begins in: that of the TAP where it opens one by its name. Ours gets descriptors,
 * and begins without any network, so that its sandbox has no namespace to make when the boot has begun.
 * *empty is for the caller to close.
 */
static int choose_network(struct vm_boot *b, struct proc_opts *o, int *empty)
{
	int keep[PATH_FDS];

	if (b->cell->vmm->ours)
		o->netns_fd = *empty = netns_new_empty();
	if (!b->cell->vmm->opens_tap || !path_fds(&b->path, keep))
		return 0;
	o->netns_fd = wire_leave_tap(&b->path.wire);
	if (o->netns_fd < 0)
		return boot_fail(b, o->netns_fd, "the TAP");
	return 0;
}

static int start_vmm(struct vm_boot *b)
{
	const struct vmm_starter *starter = b->cell->vmm->starter;
	struct proc_opts o = {.hold = true};
	struct strlist a = STRLIST_INIT;
	int keep[3 + PATH_FDS], empty = -1, err;

	if (want_trace(b))
		return -ENOTSUP;
	if (agent_is_on_console(b->cell->vmm->channel))
		boot_join_console(b, &o);
	if (starter && starter_open(&b->starter, starter, b->log_dir, &o))
		return boot_fail(b, -EIO, "no socket for the agent in %s", b->log_dir);
	err = choose_network(b, &o, &empty);
	if (err)
		return err;
	keep[0] = b->agent_fd[1];
	keep[1] = b->stats_fd;
	o.keep_fds = keep;
	o.n_keep = 2 + path_fds(&b->path, keep + 2);
	if (starter && b->path.medium.fd >= 0)
		keep[o.n_keep++] = b->path.medium.fd;
	err = vmm_argv(b, &a);
	if (!err)
		err = boot_spawn(b, &b->vmm, a.v, &o, "vmm.log");
	strlist_free(&a);
	close_fd(&empty);
	if (!err && starter)
		err = await_vmm(b);
	if (!err)
		err = start_observer(b);
	if (err)
		return err;
	close_fd(&b->agent_fd[1]);
	boot_begins(b);
	return let_vmm_go(b);
}

/* Mode host: the agent runs the same job in a namespace of its own, its stdout is the agent's line. */
static int start_host_agent(struct vm_boot *b)
{
	struct proc_opts o = {
		.hold = true,
		.netns_fd = b->path.wire.agent_ns,
		.stdout_fd = b->agent_fd[1],
		.apart = b->cell->mode->apart,
		.cgroup_fd = b->path.cgroup_fd,
	};
	struct strlist a = STRLIST_INIT;
	const char *agent = path_tool("agent");
	int err;

	if (!agent)
		return boot_fail(b, -ENOENT, "the agent is not built; run make");
	strlist_add(&a, agent);
	strlist_add(&a, "run");
	job_words(&b->job, &a);
	err = boot_spawn(b, &b->vmm, a.v, &o, "vmm.log");
	strlist_free(&a);
	close_fd(&b->agent_fd[1]);
	if (err)
		return err;
	boot_begins(b);
	return proc_release(&b->vmm);
}

void boot_pin(struct vm_boot *b)
{
	if (!b->pin.n || boot_no_vm(b) || (!boot_has_device(b) && b->pin.vcpus == 1))
		return;
	pin_vmm(&b->pin, boot_vmm_pid(b), b->cell->vmm->vcpu_thread, b->cell->mode->server == SERVER_KERNEL,
		b->placement);
	if (b->path.helper.pid)
		pin_process(pin_io(&b->pin), b->path.helper.pid, "backend", b->placement);
}

int boot_start(struct vm_boot *b)
{
	if (boot_no_vm(b))
		return start_host_agent(b);
	return start_vmm(b);
}
