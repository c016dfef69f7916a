/* SPDX-License-Identifier: MIT */
/*
 * What the running kernel has, by its own type information and not by its version: distributions carry
 * later patches to older kernels.
 */
#ifndef PROBES_KERNEL_H
#define PROBES_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

struct kernel;

/* NULL: no type information. */
struct kernel *kernel_open(void);
void kernel_close(struct kernel *k);

/* A function or a tracepoint as the kernel wants it named. types_fd: of its module; 0: the kernel itself. */
struct kernel_hook {
	uint32_t type, types_fd;
};

/* False: there is none of this name. */
bool kernel_hook(const struct kernel *k, const char *name, bool tracepoint, struct kernel_hook *hook);
/* Can this function's entry be hooked? Some kernels forbid it (no ftrace) though tracepoints work. */
bool kernel_can_hook(const struct kernel *k, const char *name);
bool kernel_has_tracepoint(const struct kernel *k, const char *name);
/* Which argument of a tracepoint points to a struct of this name, from 0; -1: none does. */
int kernel_tracepoint_arg(const struct kernel *k, const char *tracepoint, const char *name);
/* Where each CPU's preempt_count lies, in bytes from its this_cpu_off. False: the kernel does not tell. */
bool kernel_preempt_count(const struct kernel *k, long *from);

/* How a program names a variable to the verifier. types_fd: of its module; 0 when it is the kernel's own. */
struct kernel_var {
	int id, types_fd;
};
/*
 * A variable that each CPU has, of a struct with such a member, or of no struct (NULL). False: it is not to
 * be had. Whoever has it closes types_fd when it is not 0.
 */
bool kernel_percpu_var(const struct kernel *k, const char *module, const char *name, const char *member,
		       struct kernel_var *var);

#endif
