// SPDX-License-Identifier: MIT
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "probes/cpu.h"
#include "probes/internal.h"

void cpu_choose(struct probes *p)
{
	bpf_program__set_autoload(p->skel->progs.on_thread_name, p->opts.cpu);
	bpf_program__set_autoload(p->skel->progs.on_softirq, p->opts.cpu);
	bpf_program__set_autoload(p->skel->progs.on_softirq_end, p->opts.cpu);
	p->skel->rodata->cfg_threads = p->opts.cpu;
	p->skel->rodata->cfg_backend = (uint32_t)p->opts.backend;
	p->skel->rodata->cfg_peer = (uint32_t)p->opts.peer;
}

static const struct vcpu_state *vcpu_of(struct probes *p, uint32_t tid)
{
	for (uint32_t i = 1; i < MIN(p->skel->data->n_vcpus, PROBE_VCPUS); i++) {
		const struct vcpu_state *v = &probes_hot(p)->vcpu[i];

		if (v->tid == tid || v->ended_tid == tid)
			return v;
	}
	return NULL;
}

/* Threads rename themselves after they are first seen; what has ended keeps the name it had then. */
static void thread_name(uint32_t tgid, uint32_t tid, const struct thread_state *t, char name[17])
{
	char path[64], *now;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/comm", tgid, tid);
	now = file_read_line(path);
	snprintf(name, 17, "%.16s", text_or(now, t->comm));
	free(now);
}

/*
 * QEMU's main thread carries the packets of its network back ends, so what is neither vCPU nor vhost nor
 * one of the known helpers is I/O.
 */
static const char *thread_role(struct probes *p, const struct vcpu_state *v, uint32_t tgid, const char *name)
{
	static const char *const helpers[] = {"call_rcu", "worker", "kvm-nx-lpage", "SPICE",
					      "vnc",	  "gmain",  "gdbus"};

	if (v)
		return "vcpu";
	if (p->opts.peer && (pid_t)tgid == p->opts.peer)
		return "peer";
	if (p->opts.backend && (pid_t)tgid == p->opts.backend)
		return "backend";
	if (!strncmp(name, "vhost", 5))
		return "vhost";
	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++)
		if (!strncmp(name, helpers[i], strlen(helpers[i])))
			return "other";
	return "io";
}

/* What it has used of the window while it is still on the CPU. */
static uint64_t running_ns(struct probes *p, const struct thread_state *t)
{
	const struct window_state *w = &p->skel->bss->window;

	if (!t->on_ns || !w->last_open_ns)
		return 0;
	return sub_floor(probes_counted_until(p), MAX(t->on_ns, w->last_open_ns));
}

static json_t *thread_to_json(struct probes *p, uint32_t tid, const struct thread_state *t)
{
	const struct vcpu_state *v = vcpu_of(p, tid);
	uint64_t cpu_ns = t->cpu_ns + running_ns(p, t);
	char name[17];
	json_t *j;

	thread_name(t->tgid, tid, t, name);
	j = json_pack("{s:i,s:s,s:s,s:I,s:I,s:I,s:I}", "tid", (int)tid, "name", name, "role",
		      thread_role(p, v, t->tgid, name), "cpu_ns", (json_int_t)cpu_ns, "softirq_ns",
		      (json_int_t)t->softirq_ns, "runq_ns", (json_int_t)t->runq_ns, "switches",
		      (json_int_t)t->switches);
	if (v)
		json_object_set_new(j, "vcpu", json_integer(v->vcpu_id));
	/* Where there is no kvm_entry, guest and KVM cannot be told apart. */
	if (v && p->opts.exits && p->backend != BACKEND_OTHER)
		json_object_set_new(j, "guest_ns", json_integer((json_int_t)MIN(v->guest_total_ns, cpu_ns)));
	return j;
}

json_t *cpu_to_json(struct probes *p)
{
	int fd = bpf_map__fd(p->skel->maps.threads);
	uint32_t tid, *prev = NULL, key;
	json_t *out = json_array();
	struct thread_state t;

	while (!bpf_map_get_next_key(fd, prev, &tid)) {
		if (!bpf_map_lookup_elem(fd, &tid, &t) && (t.cpu_ns || running_ns(p, &t)))
			json_array_append_new(out, thread_to_json(p, tid, &t));
		key = tid;
		prev = &key;
	}
	return out;
}
