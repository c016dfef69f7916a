/* SPDX-License-Identifier: MIT */
/*
 * A plan: cells (one combination of mode, VMM and knobs each, one record each) and the order of their
 * boots.
 */
#ifndef BENCH_PLAN_PLAN_H
#define BENCH_PLAN_PLAN_H

#include <string.h>

#include "bench/vmms/vmm.h"
#include "bench/modes/knobs.h"
#include "bench/modes/mode.h"
#include "bench/host/pin.h"
#include "bench/plan/run_args.h"
#include "workloads/workloads.h"

/* Instead of the usual ones, for bench ab; NULL: the usual one. */
struct cell_programs {
	const char *vmm, *helper_dir; /* paths */
	const char *kernel;       /* name of the guest's */
};

struct cell {
	const struct workload *workload;
	const struct mode *mode;
	const struct vmm_adapter *vmm; /* NULL in a mode without a VM */
	const char *variant;           /* of the VMM, or the path of its program; "" when none */
	const char *guest;             /* linux, micro, none (a mode without a VM) */
	struct knobs knobs;
	struct cell_programs programs;
	char *label;                   /* "vhost/builtin ring=packed": unique in the plan */
};

/* vCPUs: the knob, else the workload's default. */
static inline unsigned cell_cpus(const struct cell *c)
{
	return (unsigned)knobs_u64(&c->knobs, "cpus", c->workload->cpus ? c->workload->cpus : 1);
}

static inline unsigned cell_vms(const struct cell *c)
{
	return (unsigned)knobs_u64(&c->knobs, "vms", 1);
}

static inline uint64_t cell_mem(const struct cell *c)
{
	/* fio comes with 80 MiB of libraries, which the guest holds twice while it unpacks them. */
	bool large = !strcmp(knobs_get(&c->knobs, "tool", ""), "fio");

	return knobs_u64(&c->knobs, "mem", large ? 512 * MIB : 256 * MIB);
}

/* What the disk of a block workload lies on: unless told otherwise that of the one mode that has its own. */
const char *args_medium(const struct run_args *args);

static inline bool cell_has_disk(const struct cell *c)
{
	return c->mode->kind == MODE_BLOCK;
}

/* The cell has a path to a peer. */
static inline bool cell_has_net(const struct cell *c)
{
	return c->mode->kind == MODE_NET;
}

struct plan_step {
	size_t cell;
	unsigned rep;
	bool warmup; /* fills the caches; its sample is not kept */
};

/*
 * Of a plan of two cells: each round boots both in an order drawn anew, and what they have measured is
 * looked at until it is enough.
 */
struct plan_pairs {
	/* The two, each by itself, for labs where one boot must not see the other. */
	const struct plan *alone;
	/* The command that a bench in a lab is given, before "--" and the plan. */
	const struct strlist *words;
	/* After so many rounds (0: before all): those of the next look, 0 when it is enough. */
	unsigned (*look)(void *ctx, const json_t *a, const json_t *b, unsigned rounds);
	void *ctx;
};

struct plan {
	struct cell *cell;
	size_t n_cells;
	struct plan_step *step;
	size_t n_steps;
	unsigned reps;
	uint64_t seed;
	const struct run_args *args;
	const struct plan_pairs *pairs; /* or NULL */
};

/* 0, or -EINVAL / -ENOTSUP with one logged line. */
int plan_make(struct plan *p, const char *workload, const struct run_args *args);
/*
 * The second half, once it is known how many boots the substrate affords: reps of each cell, in their
 * order.
 */
void plan_order(struct plan *p, unsigned reps);
/* How long the cell's window is, unless the job is a fixed amount of work. */
uint64_t cell_duration_ns(const struct cell *c, const struct run_args *args);
/* The job of a cell, without addresses: 0, or -EINVAL (logged) for one that the workload refuses. */
int cell_job(const struct cell *c, const struct run_args *args, struct workload_job *job);
/* The name of its guest's kernel. */
const char *cell_kernel(const struct cell *c, const struct run_args *args);
/* What --vmm=NAME:GIVEN or bench ab names of its VMM: a variant, or the path of a program. */
static inline const char *cell_vmm_given(const struct cell *c)
{
	return text_or(c->programs.vmm, c->variant);
}
/* It has a VM, and that needs this machine's KVM. */
bool cell_uses_kvm(const struct cell *c);
/* Its VMM brings its own, which is not KVM and has none of KVM's parameters. */
static inline bool cell_own_hypervisor(const struct cell *c)
{
	return c->vmm && c->vmm->traces;
}
/* The program that its VMM is, a path or a name in PATH; NULL when it is not there (logged). */
const char *cell_vmm_program(const struct cell *c);
/* Where its threads run: 0, or -EINVAL (logged) for a --pin that is none. */
int cell_pin(const struct cell *c, const struct run_args *args, struct pin *pin);
void plan_free(struct plan *p);
/* What the cells need of the machine that runs them (needs bits of the workload, of modes and of VMMs). */
unsigned plan_needs(const struct plan *p);
/* The kernel of a lab that can run them; NULL: the usual one. */
const char *plan_lab_kernel(const struct plan *p);
/* A comparison that includes sriov goes over the real wire in all its modes, unless told otherwise. */
bool plan_real_wire(const struct plan *p);
void plan_print(const struct plan *p, FILE *out);

#endif
