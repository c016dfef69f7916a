// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/proc_priv.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1u << 2)
#endif

static int redirect(int from, int to, bool null_when_zero)
{
	if (from > 0)
		return errno_if(dup2(from, to) < 0);
	if (null_when_zero) {
		int fd = open("/dev/null", O_RDONLY);

		if (fd < 0 || dup2(fd, to) < 0)
			return -errno;
		if (fd != to)
			close(fd);
	}
	return 0;
}

static int limit(void)
{
	static const struct {
		int what;
		rlim_t most;
	} limits[] = {
		{RLIMIT_CORE, 0},
		{RLIMIT_CPU, 60},
		{RLIMIT_NOFILE, 64},
		{RLIMIT_FSIZE, 256 * MIB},
		{RLIMIT_AS, 4 * GIB},
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit r = {limits[i].most, limits[i].most};

		if (setrlimit((__rlimit_resource_t)limits[i].what, &r) && errno != EPERM)
			return -errno;
	}
	return 0;
}

/* Root of a user namespace that knows no nobody (EINVAL) is its maker, and has no more to lose. */
static int become_nobody(void)
{
	if (!setresgid(PROC_NOBODY, PROC_NOBODY, PROC_NOBODY))
		return errno_if(setgroups(0, NULL) || setresuid(PROC_NOBODY, PROC_NOBODY, PROC_NOBODY));
	return errno_if(errno != EINVAL);
}

static int confine(void)
{
	int err = limit();

	if (!err && !geteuid())
		err = become_nobody();
	if (!err)
		err = errno_if(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	return err;
}

/* What process 1 of new namespaces makes its own. The cgroup that it is in is the root that it sees. */
static int settle_apart(const char *mnt)
{
	const char *host =
		text_or(text_if(mnt, "localhost"), "container"); /* libvirt asks DNS for any other */

	if (unshare(CLONE_NEWCGROUP) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) ||
	    sethostname(host, strlen(host)))
		return -errno;
	if (!mnt)
		return 0;
	mkdir("/mnt", 0755); /* of a sealed lab, which has what it was given */
	return errno_if(mount(mnt, "/mnt", NULL, MS_BIND, NULL));
}

static int redirect_all(const struct proc_opts *o)
{
	int err = redirect(o->stdin_fd, 0, true);

	if (!err)
		err = redirect(o->stdout_fd, 1, false);
	if (!err)
		err = redirect(o->stderr_fd, 2, false);
	return err;
}

static int give_up(const struct proc_opts *o)
{
	if (o->confined)
		return confine();
	if (o->writable)
		return proc_keep_to_files(o->writable);
	return 0;
}

static int child_setup(const struct proc_opts *o, pid_t parent)
{
	int err = redirect_all(o);

	if (!err)
		err = give_up(o);
	if (err)
		return err;
	/* Another uid has forgotten it. Whoever started us may have died before the kernel knew. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* In a PID namespace of its own it sees no parent; that one's death is then seen at the gate. */
	if (!o->apart && getppid() != parent)
		return -ESRCH;
	if (o->apart)
		err = settle_apart(o->mnt);
	if (err)
		return err;
	if (o->new_group)
		setpgid(0, 0);
	if (o->netns_fd > 0 && setns(o->netns_fd, CLONE_NEWNET))
		return -errno;
	syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);
	for (int i = 0; i < o->n_keep; i++)
		fcntl(o->keep_fds[i], F_SETFD, 0);
	return 0;
}

static _Noreturn void child_exec(char *const argv[], const struct proc_opts *o, pid_t parent, int gate,
				 int status)
{
	int err = child_setup(o, parent);
	char go;

	if (!err && gate >= 0 && read(gate, &go, 1) != 1)
		_exit(127); /* the parent gave up on us */
	if (!err) {
		execvp(argv[0], argv);
		err = -errno;
	}
	if (write(status, &err, sizeof(err)) < 0) {
		/* The parent has gone; nothing to tell it. */
	}
	_exit(127);
}

static pid_t child_fork(const struct proc_opts *o)
{
	struct clone_args a = {.exit_signal = SIGCHLD};

	if (!o->apart && o->cgroup_fd <= 0)
		return fork();
	if (o->apart)
		a.flags |= CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
	if (o->cgroup_fd > 0) {
		a.flags |= CLONE_INTO_CGROUP;
		a.cgroup = (uint64_t)o->cgroup_fd;
	}
	return (pid_t)syscall(SYS_clone3, &a, sizeof(a));
}

int proc_spawn(struct proc *p, char *const argv[], const struct proc_opts *opts)
{
	static const struct proc_opts none;
	int gate[2] = {-1, -1}, status[2] = {-1, -1}, err = 0;
	pid_t parent;

	if (!opts)
		opts = &none;
	*p = (struct proc)PROC_INIT;
	if (pipe2(status, O_CLOEXEC) || (opts->hold && pipe2(gate, O_CLOEXEC))) {
		err = -errno;
		goto out;
	}
	parent = getpid();
	p->pid = child_fork(opts);
	if (p->pid < 0) {
		err = -errno;
		p->pid = 0;
		goto out;
	}
	if (!p->pid)
		child_exec(argv, opts, parent, gate[0], status[1]);
	close_fd(&status[1]);
	p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (opts->hold) {
		p->gate_fd = gate[1];
		gate[1] = -1;
	} else if (read(status[0], &err, sizeof(err)) == sizeof(err)) {
		proc_end(p, 0);
	} else {
		err = 0;
	}
out:
	close_fd(&status[0]);
	close_fd(&status[1]);
	close_fd(&gate[0]);
	close_fd(&gate[1]);
	return err;
}

int proc_spawn_logged(struct proc *p, char *const argv[], const struct proc_opts *opts, const char *dir,
		      const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	int err, fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct proc_opts o = *opts;

	o.stderr_fd = fd;
	if (!o.stdout_fd)
		o.stdout_fd = fd;
	o.new_group = true;
	err = proc_spawn(p, argv, &o);
	close_fd(&fd);
	free(path);
	return err;
}

int proc_release(struct proc *p)
{
	int err = p->gate_fd < 0 ? 0 : fd_write_all(p->gate_fd, "g", 1);

	close_fd(&p->gate_fd);
	return err;
}

static int reap(struct proc *p)
{
	int status = 0;

	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	p->pid = 0;
	close_fd(&p->pidfd);
	close_fd(&p->gate_fd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int proc_wait(struct proc *p, uint64_t timeout_ns)
{
	uint64_t deadline = clock_ns() + timeout_ns;
	struct pollfd pfd = {p->pidfd, POLLIN, 0};

	if (!p->pid)
		return -ESRCH;
	for (;;) {
		uint64_t left_ns = sub_floor(deadline, clock_ns());
		uint64_t left_ms = (left_ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
		int n = poll(&pfd, 1, (int)MIN(left_ms, 1u << 30));

		if (n > 0)
			return reap(p);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (clock_ns() >= deadline)
			return -ETIMEDOUT;
	}
}

void proc_end(struct proc *p, uint64_t grace_ns)
{
	if (!p->pid)
		return;
	if (grace_ns) {
		kill(p->pid, SIGTERM);
		if (proc_wait(p, grace_ns) != -ETIMEDOUT)
			return;
	}
	kill(p->pid, SIGKILL);
	reap(p);
}

int proc_cpu_ns(const struct proc *p, uint64_t *ns)
{
	struct timespec t;
	clockid_t clock;
	int err = clock_getcpuclockid(p->pid, &clock);

	if (err)
		return -err;
	if (clock_gettime(clock, &t))
		return -errno;
	*ns = (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
	return 0;
}

static int run_child(char *const argv[], struct proc_opts o, struct strbuf *out, uint64_t timeout_ns)
{
	struct proc p;
	int fds[2] = {-1, -1}, err;
	uint64_t deadline = clock_ns() + timeout_ns;

	/* Our end alone does not block: a child that says more than a pipe holds must wait, not lose it. */
	if (out && (pipe2(fds, O_CLOEXEC) || fcntl(fds[0], F_SETFL, O_NONBLOCK)))
		return -errno;
	o.stdout_fd = fds[1];
	err = proc_spawn(&p, argv, &o);
	close_fd(&fds[1]);
	while (!err && out) {
		struct pollfd pfd = {fds[0], POLLIN, 0};
		char buf[4096];
		ssize_t n;

		if (clock_ns() >= deadline) {
			err = -ETIMEDOUT;
			break;
		}
		if (poll(&pfd, 1, 100) <= 0)
			continue;
		n = read(fds[0], buf, sizeof(buf));
		if (n <= 0)
			break;
		strbuf_add(out, buf, (size_t)n);
	}
	close_fd(&fds[0]);
	if (!err)
		err = proc_wait(&p, sub_floor(deadline, clock_ns()));
	if (err < 0)
		proc_end(&p, 0);
	return err;
}

int proc_run(char *const argv[], struct strbuf *out, uint64_t timeout_ns)
{
	return run_child(argv, (struct proc_opts){0}, out, timeout_ns);
}

int proc_run_confined(char *const argv[], struct strbuf *out, uint64_t timeout_ns)
{
	return run_child(argv, (struct proc_opts){.confined = true}, out, timeout_ns);
}

/* include/linux/proc_ns.h: PROC_PID_INIT_INO, the namespace whose numbers are the kernel's. */
#define FIRST_PID_NS 0xeffffffc

bool proc_numbers_differ(void)
{
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino != FIRST_PID_NS;
}

void proc_stand_in(int fd, int at)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	dup2(fd, at);
	close_range((unsigned)at + 1, UINT_MAX, 0);
}

void proc_wait_hangup(int fd)
{
	char c;

	while (read(fd, &c, 1) < 0 && errno == EINTR)
		;
}
