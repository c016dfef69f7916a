/* SPDX-License-Identifier: MIT */
/* Child processes: started held back (so that probes can attach), watched, ended with a deadline. */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include <sys/types.h>
#include "base/util.h"

struct proc {
	pid_t pid;   /* 0: not running */
	int pidfd;   /* readable when it has ended; -1 */
	int gate_fd; /* >= 0: still held back before exec */
};

#define PROC_INIT {0, -1, -1}

#define PROC_NOBODY 65534 /* the user who owns nothing */
#define PROC_KEEPER 65533 /* ... and one whose files that one cannot write */

struct proc_opts {
	int stdin_fd, stdout_fd, stderr_fd; /* 0: /dev/null for stdin, inherit for the others */
	const int *keep_fds;                /* fds that stay open in the child, at the same number */
	int n_keep;
	int netns_fd;      /* > 0: the child enters this network namespace first */
	bool hold;         /* wait for proc_release before exec */
	bool new_group;    /* its own process group (Ctrl-C reaches only us) */
	/* as nobody where we are root, without new privileges, bounded; see proc_run_confined */
	bool confined;
	/*
	 * In namespaces of its own, where it is process 1: processes, mounts with a /proc of theirs, IPC,
	 * host name, cgroups. Needs hold.
	 */
	bool apart;
	const char *mnt; /* apart: the directory that it has as /mnt, or NULL */
	int cgroup_fd; /* > 0: the directory of the cgroup that it starts in */
	/*
	 * For a program that serves a stranger's requests for files: up to two directories, then NULL. Where
	 * we are root it becomes PROC_KEEPER, who may read all files, write to those below these directories
	 * and open no device. Whoever we are, it makes no socket and no setuid file and gets no privileges by
	 * running others. NULL: as we are.
	 */
	const char *const *writable;
};

/* Start argv[0] (looked up in PATH). The child dies with us (PR_SET_PDEATHSIG). 0 or -errno; exec failure is
 * reported here too unless opts->hold. */
int proc_spawn(struct proc *p, char *const argv[], const struct proc_opts *opts);
/* The same in a process group of its own; its errors, and its output unless opts say where to, go to
 * DIR/NAME. */
int proc_spawn_logged(struct proc *p, char *const argv[], const struct proc_opts *opts, const char *dir,
		      const char *name);
/*
 * In a child by fork that does something once its parent is gone, or in its name: no signal ends it, fd
 * becomes number at, and nothing above that stays open, for nothing of the parent's may live on through
 * it.
 */
void proc_stand_in(int fd, int at);
/* Wait until the other end of fd is closed. */
void proc_wait_hangup(int fd);
/* Let a held child exec. */
int proc_release(struct proc *p);
/* Wait up to timeout_ns; exit status as in the shell (128 + signal), or -ETIMEDOUT. */
int proc_wait(struct proc *p, uint64_t timeout_ns);
/* SIGTERM, then SIGKILL after grace_ns; reaps. Fine to call on an ended one. */
void proc_end(struct proc *p, uint64_t grace_ns);
/* Processor time that it has had so far: 0 or -errno. */
int proc_cpu_ns(const struct proc *p, uint64_t *ns);
/* Run to the end, capturing stdout (may be NULL); status or -errno. */
struct strbuf;
int proc_run(char *const argv[], struct strbuf *out, uint64_t timeout_ns);
/*
 * The same for a program that reads what strangers wrote: it is the user nobody (PROC_NOBODY) where we are
 * root, gets no privileges by running others, and its CPU time, memory, files and fds have limits.
 */
int proc_run_confined(char *const argv[], struct strbuf *out, uint64_t timeout_ns);
/* Are process numbers here other ones than the kernel's own, as in most containers? */
bool proc_numbers_differ(void);

#endif
