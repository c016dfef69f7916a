/* SPDX-License-Identifier: MIT */
/*
 * Which CPU each thread of a sample runs on: a CPU for every vCPU, one for the VMM's I/O threads with the
 * vhost worker or the vhost-user back-end, one for the peer. In mode host the agent stands where the vCPU
 * would.
 */
#ifndef BENCH_HOST_PIN_H
#define BENCH_HOST_PIN_H

#include <jansson.h>
#include <sys/types.h>
#include "base/util.h"

#define PIN_CPUS 64

struct pin {
	unsigned cpu[PIN_CPUS], n; /* the CPUs in the order in which they are used; n 0: nothing is pinned */
	unsigned vcpus;
};

/*
 * spec: NULL or "auto", "none", or a list "2,4-7". auto takes one hardware thread of every core that this
 * process may use, CPU 0 (the interrupts') last; what serves the vCPUs shares what they leave, and nothing is
 * pinned when they leave none. Left to itself the scheduler puts the peer on a vCPU's core while another is
 * half idle (2 cores, TCP: virtio 1.33 Gb/s pinned, 1.18 not; vhost 1.60, 1.09). 0 or -EINVAL (logged).
 */
int pin_make(struct pin *p, const char *spec, unsigned vcpus);
/* The same with the CPUs given instead of asked for. */
int pin_make_of(struct pin *p, const char *spec, unsigned vcpus, const unsigned *cpus, size_t n);

/* CPU of vCPU i; of everything else that serves the VM; of the peer. Only when p->n. */
unsigned pin_vcpu(const struct pin *p, unsigned i);
unsigned pin_io(const struct pin *p);
unsigned pin_peer(const struct pin *p);

/* The vCPU that a thread of this name is: vcpu_thread ("vcpu", QEMU's "CPU ") and its number; or -1. */
int pin_thread_vcpu(const char *name, const char *vcpu_thread);

/*
 * Move what runs now; threads that come later inherit their maker's CPU. Notes each in
 * placement {"vcpu0": 2, ...}.
 */
void pin_vmm(const struct pin *p, pid_t vmm, const char *vcpu_thread, bool vhost, json_t *placement);
/* All threads of a process onto one CPU; name is its key in placement. */
void pin_process(unsigned cpu, pid_t pid, const char *name, json_t *placement);

#endif
