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
	for (uint32_t i = 1; i < probes_vcpus_used(p); i++) {
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
static const char *thread_role(struct probes *p, const struct thread_state *t, uint32_t tid, const char *name)
{
	static const char *const helpers[] = {"call_rcu", "worker", "kvm-nx-lpage", "SPICE",
					      "vnc",	  "gmain",  "gdbus"};

	/* Without a filter there are no others of a VMM's own. */
	if (vcpu_of(p, tid) || (!p->opts.pid && !t->kernel))
		return "vcpu";
	if (p->opts.peer && (pid_t)t->tgid == p->opts.peer)
		return "peer";
	if (p->opts.backend && (pid_t)t->tgid == p->opts.backend)
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
		      thread_role(p, t, tid, name), "cpu_ns", (json_int_t)cpu_ns, "softirq_ns",
		      (json_int_t)t->softirq_ns, "runq_ns", (json_int_t)t->runq_ns, "switches",
		      (json_int_t)t->switches);
	if (v)
		json_object_set_new(j, "vcpu", json_integer(v->vcpu_id));
	/* Where there is no kvm_entry, guest and KVM cannot be told apart. */
	if (v && p->opts.exits && p->backend != BACKEND_OTHER)
		json_object_set_new(j, "guest_ns", json_integer((json_int_t)MIN(v->guest_total_ns, cpu_ns)));
	return j;
}

/* ---- threads that have ended ---- */

static struct ended_threads *ended_of(struct probes *p, const char *role)
{
	struct ended_threads *e = p->ended.threads;

	while (e->role && strcmp(e->role, role))
		e++;
	e->role = role;
	return e;
}

/* False: it lives, or was never seen. One that is about to end is on a CPU. */
static bool thread_take(struct probes *p, uint32_t tgid, uint32_t tid, struct thread_state *t)
{
	int fd = bpf_map__fd(p->skel->maps.threads);
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/task/%u", tgid, tid);
	if (file_exists(path) || bpf_map_lookup_elem(fd, &tid, t) || t->on_ns)
		return false;
	return !bpf_map_delete_elem(fd, &tid);
}

static void thread_give_up(struct probes *p, const struct thread_state *t, const char *role)
{
	struct ended_threads *to = ended_of(p, role);

	to->n++;
	to->cpu_ns += t->cpu_ns;
	to->softirq_ns += t->softirq_ns;
	to->runq_ns += t->runq_ns;
	to->switches += t->switches;
	p->ended.threads_given_up++;
}

void cpu_give_up(struct probes *p, uint32_t tgid, uint32_t tid)
{
	struct thread_state t;

	if (p->opts.cpu && thread_take(p, tgid, tid, &t))
		thread_give_up(p, &t, "vcpu");
}

/* Looked through only when many have come since the last time: each costs system calls. */
void cpu_prune(struct probes *p)
{
	int fd = bpf_map__fd(p->skel->maps.threads);
	uint32_t tid, next, n = p->skel->bss->n_threads - p->ended.threads_given_up;
	struct thread_state t;
	bool more;

	if (!p->opts.cpu || n < PROBE_THREADS / 2 || n < p->ended.threads_left + PROBE_THREADS / 8)
		return;
	for (more = !bpf_map_get_next_key(fd, NULL, &tid); more; tid = next) {
		/* Asked for before this one goes: after it the kernel would begin anew. */
		more = !bpf_map_get_next_key(fd, &tid, &next);
		if (!bpf_map_lookup_elem(fd, &tid, &t) && thread_take(p, t.tgid, tid, &t))
			thread_give_up(p, &t, thread_role(p, &t, tid, t.comm));
	}
	p->ended.threads_left = p->skel->bss->n_threads - p->ended.threads_given_up;
}

static json_t *ended_to_json(const struct ended_threads *e)
{
	return json_pack("{s:i,s:s,s:s,s:I,s:I,s:I,s:I,s:I}", "tid", 0, "name", "(ended)", "role", e->role,
			 "ended", (json_int_t)e->n, "cpu_ns", (json_int_t)e->cpu_ns, "softirq_ns",
			 (json_int_t)e->softirq_ns, "runq_ns", (json_int_t)e->runq_ns, "switches",
			 (json_int_t)e->switches);
}

json_t *cpu_to_json(struct probes *p)
{
	int fd = bpf_map__fd(p->skel->maps.threads);
	uint32_t tid, *prev = NULL, key;
	json_t *out = json_array();
	struct thread_state t;

	for (const struct ended_threads *e = p->ended.threads; e->role; e++)
		json_array_append_new(out, ended_to_json(e));
	while (!bpf_map_get_next_key(fd, prev, &tid)) {
		if (!bpf_map_lookup_elem(fd, &tid, &t) && (t.cpu_ns || running_ns(p, &t)))
			json_array_append_new(out, thread_to_json(p, tid, &t));
		key = tid;
		prev = &key;
	}
	return out;
}
