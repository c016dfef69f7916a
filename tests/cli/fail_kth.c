// SPDX-License-Identifier: MIT
/*
 * A preloaded library that makes one call of a program fail, once:
 *
 *   FAIL_KTH=N        the N-th one, from 1 on, of the calls that
 *   FAIL_UNDER=DIR    write below this directory: open for writing, write, rename, mkdir, ... (ENOSPC),
 *                     fsync, unlink (EIO); without it: of all allocations
 *   FAIL_PROGRAM=NAME in the program of this name alone, not in those that it starts
 *   FAIL_LOG=FILE     says what failed
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long left; /* calls until the one that fails; 0: none does any more */
static const char *under;

__attribute__((constructor)) static void begin(void)
{
	const char *program = getenv("FAIL_PROGRAM"), *kth = getenv("FAIL_KTH");

	under = getenv("FAIL_UNDER");
	if (under && !*under)
		under = NULL;
	if (kth && (!program || !strcmp(program_invocation_short_name, program)))
		left = atol(kth);
}

/* By system calls alone: what calls us may be an allocator. */
static void say(const char *what, const char *path)
{
	const char *log = getenv("FAIL_LOG");
	int fd = log ? (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;

	if (fd < 0)
		return;
	syscall(SYS_write, fd, what, strlen(what));
	syscall(SYS_write, fd, " ", 1);
	syscall(SYS_write, fd, path, strlen(path));
	syscall(SYS_write, fd, "\n", 1);
	syscall(SYS_close, fd);
}

static bool is_kth(const char *what, const char *path)
{
	if (left <= 0 || atomic_fetch_sub(&left, 1) != 1)
		return false;
	say(what, path);
	return true;
}

static bool path_fails(const char *what, const char *path, int error)
{
	/* SQLite's -shm is memory that it shares, made anew by whoever comes first. */
	if (left <= 0 || !under || strncmp(path, under, strlen(under)) || strstr(path, "-shm"))
		return false;
	if (!is_kth(what, path))
		return false;
	errno = error;
	return true;
}

static bool fd_fails(const char *what, int fd, int error)
{
	char link[64], path[PATH_MAX] = "";

	if (left <= 0 || !under)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof(path) - 1) < 0)
		return false;
	return path_fails(what, path, error);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* ---- files ---- */

#define OPEN(name)                                                                                \
	int name(const char *path, int flags, ...)                                                \
	{                                                                                         \
		va_list ap;                                                                       \
		mode_t mode;                                                                      \
											\
		va_start(ap, flags);                                                              \
		mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;                    \
		va_end(ap);                                                                       \
		if (flags & (O_CREAT | O_WRONLY | O_RDWR) && path_fails(#name, path, ENOSPC))     \
			return -1;                                                                \
		return REAL(name)(path, flags, mode);                                             \
	}
OPEN(open)
OPEN(open64)

ssize_t write(int fd, const void *data, size_t n)
{
	return fd_fails("write", fd, ENOSPC) ? -1 : REAL(write)(fd, data, n);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at)
{
	return fd_fails("pwrite64", fd, ENOSPC) ? -1 : REAL(pwrite64)(fd, data, n, at);
}

int fsync(int fd)
{
	return fd_fails("fsync", fd, EIO) ? -1 : REAL(fsync)(fd);
}

int fdatasync(int fd)
{
	return fd_fails("fdatasync", fd, EIO) ? -1 : REAL(fdatasync)(fd);
}

int ftruncate64(int fd, off64_t size)
{
	return fd_fails("ftruncate64", fd, ENOSPC) ? -1 : REAL(ftruncate64)(fd, size);
}

int posix_fallocate64(int fd, off64_t at, off64_t size)
{
	return fd_fails("posix_fallocate64", fd, ENOSPC) ? ENOSPC : REAL(posix_fallocate64)(fd, at, size);
}

int rename(const char *from, const char *to)
{
	return path_fails("rename", to, ENOSPC) ? -1 : REAL(rename)(from, to);
}

int mkdir(const char *path, mode_t mode)
{
	return path_fails("mkdir", path, ENOSPC) ? -1 : REAL(mkdir)(path, mode);
}

int unlink(const char *path)
{
	return path_fails("unlink", path, EIO) ? -1 : REAL(unlink)(path);
}

int remove(const char *path)
{
	return path_fails("remove", path, EIO) ? -1 : REAL(remove)(path);
}

/* ---- memory ---- */

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

static bool alloc_fails(const char *what)
{
	if (left <= 0 || under || !is_kth(what, ""))
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t n)
{
	return alloc_fails("malloc") ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return alloc_fails("calloc") ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return alloc_fails("realloc") ? NULL : __libc_realloc(p, n);
}
