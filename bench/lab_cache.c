// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "bench/lab_cache.h"
#include "bench/paths.h"

#define IMAGE_AGE_S (24 * 3600)
#define OUT_AGE_S   60 /* between its making and its lock a directory looks like nobody's */

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
		else if (is_image(e->d_name) && is_older(path, image_age_s))
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
		lab_cache_sweep(parent, IMAGE_AGE_S, OUT_AGE_S);
	if (!err && !mkdtemp(out->path))
		err = -errno;
	out->fd = err ? -1 : open(out->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!err && (out->fd < 0 || flock(out->fd, LOCK_EX | LOCK_NB)))
		err = -errno;
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
