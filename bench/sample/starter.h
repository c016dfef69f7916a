/* SPDX-License-Identifier: MIT */
/*
 * A VMM that another program makes, as virsh does (struct vmm_starter): its process, its agent's line,
 * its start.
 */
#ifndef BENCH_SAMPLE_STARTER_H
#define BENCH_SAMPLE_STARTER_H

#include "base/proc.h"
#include "bench/vmms/vmm.h"

struct starter {
	const struct vmm_starter *is;
	char *dir, *log;      /* the program's directory, and where its words go */
	int words[2];	      /* the program's standard input and our end of it */
	int listen_fd, pidfd; /* pidfd: of the VMM, readable when it has ended */
	pid_t pid;	      /* the VMM's; 0: there is none yet */
};

#define STARTER_INIT                                                                                         \
	{                                                                                                    \
		.words = {-1, -1}, .listen_fd = -1, .pidfd = -1                                              \
	}

/*
 * Before the program is started: its directory, the agent's socket in it, and what proc_spawn has to
 * know. 0 or -errno.
 */
int starter_open(struct starter *s, const struct vmm_starter *is, const char *log_dir, struct proc_opts *o);
/*
 * Releases the program and has it make the VMM. The agent's line, which the caller closes, or -errno
 * with the reason in *why, which the caller frees.
 */
int starter_make(struct starter *s, struct proc *program, char **why);
/* The VMM waits no longer. */
int starter_go(struct starter *s);
/* Ends the program with all that it has started. Nothing when none was opened. */
void starter_end(struct starter *s, struct proc *program);

#endif
