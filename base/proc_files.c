// SPDX-License-Identifier: MIT
/*
 * A child that serves files to a stranger. From root it keeps the capabilities that let it read all and
 * write to what is another's; in a mount namespace of its own all is read-only but some directories.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/proc_priv.h"

#define DIRS 2
#define KEPT (1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH | 1u << CAP_FOWNER)

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

/* ---- files ---- */

static int open_clones(const char *const *dirs, int *fd, unsigned *n)
{
	const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;

	for (*n = 0; dirs[*n]; ++*n) {
		BUG_ON(*n == DIRS);
		fd[*n] = open_tree(AT_FDCWD, dirs[*n], flags);
		if (fd[*n] < 0)
			return -errno;
	}
	return 0;
}

/* All that is mounted is read-only at once, or nothing is. A device would be a way around it. */
static int seal_mounts(void)
{
	struct mount_attr sealed = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID};

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	return errno_if(mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &sealed, sizeof(sealed)));
}

static int put_back(int fd, const char *dir)
{
	struct mount_attr open = {.attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID};

	if (mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &open, sizeof(open)))
		return -errno;
	return errno_if(move_mount(fd, "", AT_FDCWD, dir, MOVE_MOUNT_F_EMPTY_PATH));
}

static int seal_but(const char *const *writable)
{
	int fd[DIRS], err;
	unsigned n;

	err = open_clones(writable, fd, &n);
	if (!err)
		err = seal_mounts();
	for (unsigned i = 0; i < n && !err; i++)
		err = put_back(fd[i], writable[i]);
	return err;
}

/* ---- user and capabilities ---- */

/* Before the user changes: root alone may. */
static int drop_bounds(void)
{
	for (unsigned c = 0; c < 64; c++)
		if (!(1ull << c & KEPT) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) && errno != EINVAL)
			return -errno;
	return 0;
}

/* Ambient, since the program is to have them after exec though it is not root's. */
static int keep_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct kept[2] = {{KEPT, KEPT, KEPT}};

	if (syscall(SYS_capset, &header, kept))
		return -errno;
	for (unsigned c = 0; c < 32; c++)
		if (1u << c & KEPT && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0))
			return -errno;
	return 0;
}

static int become_keeper(void)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) || setgroups(0, NULL) ||
	    setresgid(PROC_KEEPER, PROC_KEEPER, PROC_KEEPER))
		return -errno;
	return errno_if(setresuid(PROC_KEEPER, PROC_KEEPER, PROC_KEEPER));
}

/*
 * A container's root that may not mount, or that of a user namespace, which knows no other user, stays who it
 * is: its files are then written to wherever they are, and it can do no more to them than before.
 */
static int leave_root(const char *const *writable)
{
	int err = drop_bounds();

	if (!err)
		err = seal_but(writable);
	if (!err)
		err = become_keeper();
	if (err)
		log_debug("its user stays: %s", strerror(-err));
	return keep_capabilities();
}

/* ---- calls ---- */

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define REFUSE	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define ALLOW	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
/* A call whose argument is a file's mode; all others go on behind it. */
#define MODE(call, arg) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 4), LOAD(args[arg]), \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, S_ISUID | S_ISGID, 0, 1), REFUSE, ALLOW
#define NEVER(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1), REFUSE

/*
 * Sockets reach who trusts whoever can open their path; io_uring makes them without this filter, and has its
 * own way around. Numbers from 2^30 on are those of another ABI.
 */
static int refuse_calls(void)
{
	struct sock_filter code[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 1u << 30, 0, 1),
		REFUSE,
		NEVER(SYS_socket),
		NEVER(SYS_io_uring_setup),
		MODE(SYS_chmod, 1),
		MODE(SYS_fchmod, 1),
		MODE(SYS_fchmodat, 2),
		MODE(SYS_fchmodat2, 2),
		ALLOW,
	};
	struct sock_fprog program = {ARRAY_SIZE(code), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return errno_if(
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program));
}

int proc_keep_to_files(const char *const *writable)
{
	int err = 0;

	if (!geteuid())
		err = leave_root(writable);
	if (!err)
		err = refuse_calls();
	return err;
}
