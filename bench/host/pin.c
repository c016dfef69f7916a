// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "bench/host/pin.h"

static bool is_among(const unsigned *cpus, size_t n, long cpu)
{
	for (size_t i = 0; i < n; i++)
		if ((long)cpus[i] == cpu)
			return true;
	return false;
}

/* "2,4-7", every one among cpus. */
static int parse_list(struct pin *p, const char *list, const unsigned *cpus, size_t n)
{
	const char *s = list;

	for (;;) {
		char *end;
		long lo = strtol(s, &end, 10), hi = lo;

		if (end == s)
			return -EINVAL;
		if (*end == '-') {
			s = end + 1;
			hi = strtol(s, &end, 10);
		}
		if (end == s || hi < lo)
			return -EINVAL;
		for (long c = lo; c <= hi; c++) {
			if (p->n == PIN_CPUS || !is_among(cpus, n, c))
				return -EINVAL;
			p->cpu[p->n++] = (unsigned)c;
		}
		if (!*end)
			return 0;
		if (*end != ',')
			return -EINVAL;
		s = end + 1;
	}
}

int pin_make_of(struct pin *p, const char *spec, unsigned vcpus, const unsigned *cpus, size_t n)
{
	*p = (struct pin){.vcpus = vcpus};
	if (spec && !strcmp(spec, "none"))
		return 0;
	if (spec && strcmp(spec, "auto")) {
		if (!parse_list(p, spec, cpus, n))
			return 0;
		log_error("--pin=%s: expected auto, none or a list of CPUs that this process may use, as 2,4-7", spec);
		return -EINVAL;
	}
	if (n <= vcpus)
		return 0;
	for (size_t i = 0; i < n && p->n < PIN_CPUS; i++)
		p->cpu[p->n++] = cpus[i];
	return 0;
}

/* The first hardware thread of its core: "0,4" or "0-1" begins with it. */
static bool first_of_core(unsigned cpu)
{
	char *path = xasprintf("/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu);
	char *list = file_read_line(path);
	bool first = !*list || (unsigned)strtoul(list, NULL, 10) == cpu;

	free(list);
	free(path);
	return first;
}

int pin_make(struct pin *p, const char *spec, unsigned vcpus)
{
	bool automatic = !spec || !strcmp(spec, "auto");
	unsigned cpus[CPU_SETSIZE];
	size_t n = 0;
	cpu_set_t set;

	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof(set), &set);
	for (unsigned i = 1; i <= CPU_SETSIZE; i++) {
		unsigned c = i % CPU_SETSIZE; /* CPU 0 comes last */

		if (CPU_ISSET(c, &set) && (!automatic || first_of_core(c)))
			cpus[n++] = c;
	}
	return pin_make_of(p, spec, vcpus, cpus, n);
}

unsigned pin_vcpu(const struct pin *p, unsigned i)
{
	return p->cpu[i % p->n];
}

unsigned pin_io(const struct pin *p)
{
	return p->cpu[MIN(p->vcpus, p->n - 1)];
}

unsigned pin_peer(const struct pin *p)
{
	return p->cpu[MIN(p->vcpus + 1, p->n - 1)];
}

int pin_thread_vcpu(const char *name, const char *vcpu_thread)
{
	size_t len = strlen(vcpu_thread);
	char *end;
	long n;

	if (strncmp(name, vcpu_thread, len))
		return -1;
	n = strtol(name + len, &end, 10);
	if (end == name + len || n < 0)
		return -1;
	return (int)n;
}

static bool move_thread(pid_t tid, unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(tid, sizeof(set), &set);
}

/* What a walk over threads moves where. */
struct mover {
	const struct pin *pin;
	json_t *placement;
	/* Of a process whose threads all go to cpu; of a vhost worker; how a vCPU's thread is named. */
	const char *name;
	unsigned cpu;
};

static void move_to(const struct mover *m, pid_t tid, unsigned cpu, const char *name)
{
	if (move_thread(tid, cpu))
		json_object_set_new(m->placement, name, json_integer(cpu));
}

static void move_vmm_thread(const struct mover *m, pid_t tid, const char *comm)
{
	int vcpu = pin_thread_vcpu(comm, m->name);
	char name[16];

	if (vcpu < 0) {
		move_to(m, tid, pin_io(m->pin), "io");
		return;
	}
	snprintf(name, sizeof(name), "vcpu%d", vcpu);
	move_to(m, tid, pin_vcpu(m->pin, (unsigned)vcpu), name);
}

static void move_worker(const struct mover *m, pid_t tid, const char *comm)
{
	if (!strcmp(comm, m->name))
		move_to(m, tid, m->cpu, "vhost");
}

static void move_any(const struct mover *m, pid_t tid, const char *comm)
{
	(void)comm;
	move_to(m, tid, m->cpu, m->name);
}

/* dir is /proc, or the task directory of a process. */
static void each_thread(const char *dir, void (*fn)(const struct mover *m, pid_t tid, const char *comm),
			const struct mover *m)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
		char *path, *comm;

		if (tid <= 0)
			continue;
		path = xasprintf("%s/%s/comm", dir, e->d_name);
		comm = file_read_line(path);
		fn(m, tid, comm);
		free(comm);
		free(path);
	}
	if (d)
		closedir(d);
}

void pin_vmm(const struct pin *p, pid_t vmm, const char *vcpu_thread, bool vhost, json_t *placement)
{
	char *tasks = xasprintf("/proc/%d/task", vmm), *worker = xasprintf("vhost-%d", vmm);
	struct mover m = {.pin = p, .placement = placement, .name = vcpu_thread, .cpu = pin_io(p)};

	each_thread(tasks, move_vmm_thread, &m);
	m.name = worker;
	if (vhost)
		each_thread("/proc", move_worker, &m); /* before Linux 6.4 a kernel thread of its own */
	free(worker);
	free(tasks);
}

void pin_process(unsigned cpu, pid_t pid, const char *name, json_t *placement)
{
	char *tasks = xasprintf("/proc/%d/task", pid);
	struct mover m = {.placement = placement, .name = name, .cpu = cpu};

	each_thread(tasks, move_any, &m);
	free(tasks);
}
