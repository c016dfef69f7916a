// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "bench/lab/lab_cache.h"
#include "bench/host/paths.h"

static bool is_older(const char *path, uint64_t age_s)
{
	struct stat st;

	return !stat(path, &st) && time(NULL) - st.st_mtime >= (time_t)age_s;
}

static bool is_image(const char *name)
{
	size_t len = strlen(name);

	return len > 5 && !strcmp(name + len - 5, ".cpio");
}

/* NAME.tmp.PID or config.PID: written by a process that is no more. */
static bool is_torn(const char *name)
{
	const char *pid = strstr(name, ".tmp.");
	uint64_t n;

	if (pid)
		pid += strlen(".tmp.");
	else if (!strncmp(name, "config.", strlen("config.")))
		pid = name + strlen("config.");
	return pid && !parse_u64(pid, &n) && n <= INT_MAX && kill((pid_t)n, 0) && errno == ESRCH;
}

static void remove_orphan(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB))
		dir_remove_all(path);
	close_fd(&fd);
}

void lab_cache_sweep(const char *dir, uint64_t image_age_s, uint64_t out_age_s)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char *path = xasprintf("%s/%s", dir, e->d_name);

		if (!strncmp(e->d_name, "out.", 4) && is_older(path, out_age_s))
			remove_orphan(path);
		else if (is_torn(e->d_name) || (is_image(e->d_name) && is_older(path, image_age_s)))
			unlink(path);
		free(path);
	}
	if (d)
		closedir(d);
}

int lab_out_make(struct lab_out *out)
{
	char *parent = xasprintf("%s/lab", path_cache());
	int err = dir_make_all(parent);

	*out = (struct lab_out){xasprintf("%s/out.XXXXXX", parent), -1};
	if (!err)
		lab_cache_sweep(parent, LAB_IMAGE_AGE_S, LAB_OUT_AGE_S);
	if (!err)
		err = errno_if(!mkdtemp(out->path));
	if (!err) {
		out->fd = open(out->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = errno_if(out->fd < 0 || flock(out->fd, LOCK_EX | LOCK_NB));
	}
	if (err) {
		log_error("%s: %s", out->path, strerror(-err));
		close_fd(&out->fd);
		free(out->path);
	}
	free(parent);
	return err;
}

void lab_out_remove(struct lab_out *out)
{
	dir_remove_all(out->path);
	close_fd(&out->fd);
	free(out->path);
}

void lab_cache_used(const char *image)
{
	utimensat(AT_FDCWD, image, NULL, 0);
}
