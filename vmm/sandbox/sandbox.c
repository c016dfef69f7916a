// SPDX-License-Identifier: MIT
#include "vmm/sandbox/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/log.h"
#include "base/proc.h"
#include "base/util.h"
#include "vmm/sandbox/filter.h"

#define SPARE_FDS   256 /* eventfds of interrupts, what a vhost-user message brings */
#define SPARE_BYTES (256ull << 20)

/* ---- namespaces ---- */

/* A root that holds nothing: an empty tmpfs, which nobody can write to, in place of all that was mounted. */
static int empty_root(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("exitlab-empty", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "size=4k,nr_inodes=1,mode=0555"))
		return -errno;
	if (chdir("/proc") || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
		return -errno;
	return errno_if(mount(NULL, "/", NULL,
			      MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
}

static int enter_namespaces(void)
{
	int err = errno_if(unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC));

	if (err == -EPERM) {
		log_debug("sandbox: no namespaces: not permitted");
		return 0;
	}
	if (!err)
		err = empty_root();
	return err;
}

/* ---- user and limits ---- */

/* Death of the parent still ends us: the kernel forgets that when the user changes. */
static int change_user(void)
{
	int signal_on_death = 0, err = 0;
	pid_t parent = getppid();

	if (geteuid())
		return 0;
	prctl(PR_GET_PDEATHSIG, &signal_on_death);
	if (setgroups(0, NULL) || setresgid(PROC_NOBODY, PROC_NOBODY, PROC_NOBODY) ||
	    setresuid(PROC_NOBODY, PROC_NOBODY, PROC_NOBODY))
		err = -errno;
	/* A user namespace may hold nobody but its root. */
	if (err == -EPERM || err == -EINVAL) {
		log_debug("sandbox: the user stays: %s", strerror(-err));
		err = 0;
	}
	if (!err && signal_on_death)
		prctl(PR_SET_PDEATHSIG, signal_on_death);
	if (!err && signal_on_death && getppid() != parent)
		raise(SIGKILL);
	return err;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};

	return errno_if(syscall(SYS_capset, &header, none));
}

struct open_files {
	unsigned last;    /* the highest descriptor */
	uint64_t largest; /* bytes in the largest file */
};

static void look_at_files(struct open_files *f)
{
	DIR *dir = opendir("/proc/self/fd");

	*f = (struct open_files){dir ? 2 : UINT16_MAX, 0};
	if (!dir)
		return;
	for (struct dirent *d; (d = readdir(dir));) {
		unsigned fd = (unsigned)strtoul(d->d_name, NULL, 10);
		struct stat st;

		f->last = MAX(f->last, fd);
		if (!fstat((int)fd, &st))
			f->largest = MAX(f->largest, (uint64_t)st.st_size);
	}
	closedir(dir);
}

/* No file grows beyond the largest that is open now and what a console may say. */
static int limit_files(void)
{
	struct rlimit files, size, core = {0, 0};
	struct open_files open;

	look_at_files(&open);
	files.rlim_cur = files.rlim_max = open.last + SPARE_FDS;
	size.rlim_cur = size.rlim_max = open.largest + SPARE_BYTES;
	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_NOFILE, &files) || setrlimit(RLIMIT_FSIZE, &size) ||
	    setrlimit(RLIMIT_CORE, &core))
		return -errno;
	return 0;
}

/* ---- Landlock ---- */

/* A domain in which no path may be used for anything; kernels without Landlock have the empty root. */
static int enter_landlock(void)
{
	struct landlock_ruleset_attr attr = {.handled_access_fs = (1ull << 13) - 1};
	int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0), err = 0;

	if (fd < 0) {
		log_debug("sandbox: no Landlock: %s", strerror(errno));
		return 0;
	}
	if (syscall(SYS_landlock_restrict_self, fd, 0))
		err = -errno;
	close(fd);
	return err;
}

/* ---- the filter's messages ---- */

/* A handler may call next to nothing: the line is put together here and written once. */
struct line {
	char text[160];
	size_t n;
};

static void add_text(struct line *l, const char *text)
{
	while (*text && l->n < sizeof(l->text))
		l->text[l->n++] = *text++;
}

static void add_number(struct line *l, uint64_t n, unsigned base)
{
	char digits[24], *at = digits + sizeof(digits) - 1;

	*at = '\0';
	do {
		*--at = "0123456789abcdef"[n % base];
		n /= base;
	} while (n);
	add_text(l, at);
}

/* Those that an intruder would begin with, by name. */
static const struct {
	int number;
	const char *name;
} names[] = {
	{SYS_ioctl, "ioctl"},
	{SYS_openat, "openat"},
	{SYS_open, "open"},
	{SYS_execve, "execve"},
	{SYS_execveat, "execveat"},
	{SYS_socket, "socket"},
	{SYS_connect, "connect"},
	{SYS_clone, "clone"},
	{SYS_clone3, "clone3"},
	{SYS_fork, "fork"},
	{SYS_vfork, "vfork"},
	{SYS_ptrace, "ptrace"},
	{SYS_mmap, "mmap"},
	{SYS_mprotect, "mprotect"},
	{SYS_kill, "kill"},
	{SYS_process_vm_readv, "process_vm_readv"},
	{SYS_process_vm_writev, "process_vm_writev"},
	{SYS_bpf, "bpf"},
	{SYS_io_uring_setup, "io_uring_setup"},
};

static void add_call(struct line *l, int number)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].number == number) {
			add_text(l, names[i].name);
			return;
		}
	}
	add_text(l, "number ");
	add_number(l, (uint64_t)number, 10);
}

/* Set before the filter, under which a thread cannot ask for its name. */
static _Thread_local const char *thread_words;

static void on_trap(int sig, siginfo_t *si, void *context)
{
	const ucontext_t *at = context;
	struct line line = {.n = 0};

	(void)sig;
	add_text(&line, "sandbox: ");
	add_text(&line, thread_words);
	add_text(&line, " made the system call ");
	add_call(&line, si->si_syscall);
	if (si->si_syscall == SYS_ioctl) {
		add_text(&line, " 0x");
		add_number(&line, (uint32_t)at->uc_mcontext.gregs[REG_RSI], 16);
	}
	add_text(&line, ", which it may not: ended\n");
	if (write(STDERR_FILENO, line.text, line.n) < 0) {
		/* Nobody reads it; the process ends all the same. */
	}
	syscall(SYS_exit_group, 128 + SIGSYS); /* not _exit: a sanitizer has its own, which looks for leaks */
}

/* ---- what the programs call ---- */

/*
 * What would need a call later is done now: the time zone of messages is read, and the heap neither maps nor
 * returns memory.
 */
static void warm_up(void)
{
	struct sigaction sa = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};

	tzset();
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, INT32_MAX);
	sigaction(SIGSYS, &sa, NULL);
}

int sandbox_enter(void)
{
	const char *what = "files";
	int err;

	warm_up();
	err = limit_files();
	if (!err) {
		what = "namespaces";
		err = enter_namespaces();
	}
	if (!err) {
		what = "user";
		err = change_user();
	}
	if (!err) {
		what = "capabilities";
		err = drop_capabilities();
	}
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
		what = "no_new_privs";
		err = -errno;
	}
	if (!err) {
		what = "Landlock";
		err = enter_landlock();
	}
	if (err)
		log_error("sandbox: %s: %s; --sandbox=off does without it", what, strerror(-err));
	return err;
}

void sandbox_thread(void *parts, enum thread_kind kind)
{
	static const char *const words[THREAD_KINDS] = {
		[THREAD_MAIN] = "the main thread",
		[THREAD_VCPU] = "a vCPU",
		[THREAD_IO] = "an I/O thread",
		[THREAD_CONTROL] = "the control thread",
	};
	int err;

	thread_words = words[kind];
	err = filter_install(kind, (unsigned)(uintptr_t)parts);
	if (err)
		die(EXIT_CANNOT, "sandbox: filter of %s: %s; --sandbox=off does without it", words[kind], strerror(-err));
}
