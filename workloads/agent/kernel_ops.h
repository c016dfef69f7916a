/* SPDX-License-Identifier: MIT */
/* The operations of kernel-ops, one by one: for the workload and its test. */
#ifndef WORKLOADS_AGENT_KERNEL_OPS_H
#define WORKLOADS_AGENT_KERNEL_OPS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What an operation works on, from its prepare to its undo. */
struct op_stage {
	const char *program; /* that exec starts; called with the word "nothing" it ends at once */
	unsigned char *mem, *next;
	uint64_t pages;
	int fd[2], back[2];
	pid_t child;
	pthread_t thread;
	uint32_t turn;
	bool stop;
};

struct kernel_op {
	const char *name;
	uint64_t batch; /* operations of one batch; even */
	/* For n operations: 0 or -errno. NULL: nothing is to prepare. */
	int (*prepare)(struct op_stage *s, uint64_t n);
	/* Some of the n. 0 or -errno. */
	int (*go)(struct op_stage *s, uint64_t some);
	void (*undo)(struct op_stage *s); /* after prepare, whether it succeeded or not; or NULL */
};

/* Ends with a NULL name. */
extern const struct kernel_op kernel_ops[];

#define OP_BATCHES 5

/* Prepares the operation, does it in OP_BATCHES batches and undoes; the median batch's time of one. */
struct op_result {
	uint64_t ops;
	double ns;
};
/* mark (or NULL) is called just before and just behind the batches. 0 or -errno. */
int kernel_op_measure(const struct kernel_op *op, uint64_t batch, const char *program, void (*mark)(void),
		      struct op_result *r);

#endif
