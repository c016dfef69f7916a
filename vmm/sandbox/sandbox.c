// SPDX-License-Identifier: MIT
#include "vmm/sandbox/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <malloc.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
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

/*
 * True where there is no network: no interface but the loopback, which is down. To make another namespace
 * takes milliseconds of a boot, so bench starts the VMM in one that is new.
 */
static bool network_is_empty(void)
{
	int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq loopback = {.ifr_name = "lo"};
	bool empty = sock >= 0 && !ioctl(sock, SIOCGIFFLAGS, &loopback) && !(loopback.ifr_flags & IFF_UP);
	struct if_nameindex *found = NULL;

	close_fd(&sock);
	if (empty)
		found = if_nameindex();
	empty = found && found[0].if_name && !found[1].if_name;
	if (found)
		if_freenameindex(found);
	return empty;
}

static int enter_namespaces(void)
{
	int network = CLONE_NEWNET, err;

	if (network_is_empty())
		network = 0;
	err = errno_if(unshare(CLONE_NEWNS | CLONE_NEWIPC | network));
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
	unsigned last;    /* none is above it */
	uint64_t largest; /* bytes in the largest file */
};

/*
 * As many descriptors as the table has room for, UINT16_MAX where the kernel does not say. For a look at the
 * names in /proc/self/fd the kernel would make a file of each, of which a boot would know.
 */
static unsigned table_size(void)
{
	unsigned size = UINT16_MAX;
	char line[128];
	FILE *f = fopen("/proc/self/status", "re");

	if (!f)
		return size;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "FDSize: %u", &size) == 1)
			break;
	fclose(f);
	return size;
}

static void look_at_files(struct open_files *f)
{
	unsigned n = table_size();
	struct stat st;

	*f = (struct open_files){n - 1, 0};
	for (unsigned fd = 0; fd < n; fd++) {
		if (!fstat((int)fd, &st))
			f->largest = MAX(f->largest, (uint64_t)st.st_size);
	}
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

/* ---- what the programs call ---- */

/*
 * What would need a call later is done now: the time zone of messages is read, and the heap neither maps nor
 * returns memory.
 */
static void warm_up(void)
{
	tzset();
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, INT32_MAX);
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
	int err = filter_install(kind, words[kind], (unsigned)(uintptr_t)parts);

	if (err)
		die(EXIT_CANNOT, "sandbox: filter of %s: %s; --sandbox=off does without it", words[kind], strerror(-err));
}
