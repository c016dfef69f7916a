// SPDX-License-Identifier: MIT
#include "probes/steps.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <sys/stat.h>

#include "probes/internal.h"
#include "probes/kernel.h"
#include "probes/trace.h"

/* The number of a process' network namespace; 0: not known. */
static uint32_t netns_of(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	if (!pid || stat(path, &st))
		return 0;
	return (uint32_t)st.st_ino;
}

void steps_choose(struct probes *p)
{
	struct probes_bpf *s = p->skel;
	bool wanted = p->opts.life || trace_has_threads(&p->opts);
	bool plain = wanted && kernel_can_hook(p->kernel, "eventfd_signal");
	bool mask = wanted && !plain && kernel_can_hook(p->kernel, "eventfd_signal_mask");
	struct bpf_program *const programs[] = {
		s->progs.step_switch, s->progs.step_wake, s->progs.step_syscall, s->progs.step_sysret,
		s->progs.step_xmit, s->progs.step_recv, s->progs.step_copy, s->progs.step_softirq,
		s->progs.step_softirq_end, s->progs.step_irq, s->progs.step_irq_end, s->progs.step_raise,
		s->progs.step_inject, s->progs.step_eoi,
	};

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		bpf_program__set_autoload(programs[i], wanted);
	bpf_program__set_autoload(s->progs.step_signal, plain);
	bpf_program__set_autoload(s->progs.step_signal_mask, mask);
	s->rodata->cfg_netns = netns_of(p->opts.peer);
}

const char *step_syscall_name(uint64_t nr, char *buf, size_t size)
{
	static const struct {
		uint64_t nr;
		const char *name;
	} table[] = {
		{0, "read"}, {1, "write"}, {7, "poll"}, {17, "pread64"}, {18, "pwrite64"}, {19, "readv"},
		{20, "writev"}, {44, "sendto"}, {45, "recvfrom"}, {46, "sendmsg"}, {47, "recvmsg"},
		{202, "futex"}, {232, "epoll_wait"}, {271, "ppoll"}, {281, "epoll_pwait"},
		{295, "preadv"}, {296, "pwritev"}, {327, "preadv2"}, {328, "pwritev2"},
		{426, "io_uring_enter"}, {441, "epoll_pwait2"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].nr == nr)
			return table[i].name;
	snprintf(buf, size, "system call %u", (unsigned)nr);
	return buf;
}
