// SPDX-License-Identifier: MIT
/*
 * A program with a disk (lossy.h) that holds an image: after so many writes to it the power of the disk fails
 * and the program is killed; what the medium then holds is the image from now on.
 *
 *      power_cut WRITES SEED IMAGE PROGRAM ARGUMENT...      "@" in an argument is the path of the disk
 *
 * Exit status: 0; 1 the program ended by itself, or did not come so far within 10 minutes; 2 wrong arguments;
 * 77 there is no FUSE here.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "tests/soak/lossy.h"

#define PATIENCE_NS (600 * NSEC_PER_SEC)
#define SKIPPED	    77

/* Its path in place of the first "@". */
static char *with_path(char *arg, const char *path)
{
	char *at = strchr(arg, '@');

	if (!at)
		return arg;
	return xasprintf("%.*s%s%s", (int)(at - arg), arg, path, at + 1);
}

static pid_t start_program(const struct lossy *l, char **argv)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (char **a = argv; *a; a++)
		*a = with_path(*a, lossy_path(l));
	if (argv[0])
		execv(argv[0], argv);
	_exit(127);
}

/* False: it has ended by itself, or writes no more. */
static bool wait_writes(const struct lossy *l, pid_t pid, uint64_t writes)
{
	uint64_t end = clock_ns() + PATIENCE_NS;

	while (lossy_writes(l) < writes)
		if (waitpid(pid, NULL, WNOHANG) || clock_ns() > end)
			return false;
		else
			clock_sleep_ns(NSEC_PER_MSEC / 5);
	return true;
}

static int load_image(struct lossy **l, int fd, uint64_t *bytes)
{
	struct stat st;
	void *data;
	int err;

	if (fstat(fd, &st) < 0)
		return -errno;
	*bytes = (uint64_t)st.st_size;
	data = xcalloc(1, *bytes);
	err = errno_if(pread(fd, data, *bytes, 0) != (ssize_t)*bytes);
	if (!err)
		err = lossy_open(l, *bytes);
	if (!err)
		lossy_load(*l, data);
	free(data);
	return err;
}

static int cut_power(struct lossy *l, uint64_t seed, uint64_t writes, char **argv)
{
	pid_t pid = start_program(l, argv);
	bool came = pid > 0 && wait_writes(l, pid, writes);
	struct lossy_loss loss;

	lossy_cut(l);
	if (pid > 0)
		kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (lossy_wait_closed(l))
		return -EBUSY;
	loss = lossy_settle(l, &seed, false);
	printf("power_cut: after %llu writes; %u sectors were in the cache, %u of them are lost\n",
	       (unsigned long long)lossy_writes(l), loss.cached, loss.lost);
	return came ? 0 : -ECHILD;
}

int main(int argc, char **argv)
{
	uint64_t writes, seed, bytes = 0;
	struct lossy *l = NULL;
	int fd, err;

	if (argc < 5 || parse_u64(argv[1], &writes) || parse_u64(argv[2], &seed)) {
		fprintf(stderr, "usage: power_cut WRITES SEED IMAGE PROGRAM ARGUMENT...\n");
		return 2;
	}
	fd = open(argv[3], O_RDWR | O_CLOEXEC);
	err = fd < 0 ? -errno : load_image(&l, fd, &bytes);
	if (err) {
		fprintf(stderr, "power_cut: %s: %s\n", argv[3], strerror(-err));
		return SKIPPED;
	}
	err = cut_power(l, seed, writes, argv + 4);
	if (!err)
		err = errno_if(pwrite(fd, lossy_medium(l), bytes, 0) != (ssize_t)bytes);
	if (err)
		fprintf(stderr, "power_cut: %s: %s\n", argv[4], strerror(-err));
	lossy_close(l);
	return err != 0;
}
