// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

ssize_t fd_read_full(int fd, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, (char *)buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

FILE *file_stream(struct file_stream *s)
{
	*s = (struct file_stream){NULL, NULL, 0};
	s->f = open_memstream(&s->text, &s->size);
	return s->f;
}

int file_stream_save(struct file_stream *s, const char *path)
{
	int err = errno_if(fclose(s->f));

	if (!err)
		err = file_write_atomic(path, s->text, s->size);

	free(s->text);
	return err;
}

int fd_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int file_read(const char *path, struct strbuf *out)
{
	char chunk[16384];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while ((n = fd_read_full(fd, chunk, sizeof(chunk))) > 0)
		strbuf_add(out, chunk, (size_t)n);
	close(fd);
	return (int)n; /* 0: all of it was read */
}

char *file_read_line(const char *path)
{
	struct strbuf sb = STRBUF_INIT;

	if (file_read(path, &sb))
		strbuf_reset(&sb);
	while (sb.len && (sb.buf[sb.len - 1] == '\n' || sb.buf[sb.len - 1] == ' '))
		sb.buf[--sb.len] = '\0';
	return strbuf_take(&sb);
}

char *file_link_name(const char *path)
{
	char target[PATH_MAX], *slash;
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n < 0)
		return NULL;
	target[n] = '\0';
	slash = strrchr(target, '/');
	if (slash)
		return xstrdup(slash + 1);
	return xstrdup(target);
}

int file_read_u64(const char *path, uint64_t *out)
{
	struct strbuf sb = STRBUF_INIT;
	int err = file_read(path, &sb);
	char *text = strbuf_take(&sb);

	text[strcspn(text, " \n")] = '\0';
	if (!err)
		err = parse_u64(text, out);
	free(text);
	return err;
}

int file_write(const char *path, const char *text)
{
	int err, fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	err = fd_write_all(fd, text, strlen(text));
	close(fd);
	return err;
}

int file_sync_dir(const char *dir)
{
	int err, fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	err = errno_if(fsync(fd));
	close(fd);
	return err;
}

int file_write_atomic(const char *path, const void *data, size_t len)
{
	char *tmp = xasprintf("%s.tmp.%d", path, getpid());
	char *slash, *dir = xstrdup(path);
	int err = 0, fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0) {
		err = -errno;
		goto out;
	}
	err = fd_write_all(fd, data, len);
	if (!err)
		err = errno_if(fsync(fd));
	if (close(fd) && !err)
		err = -errno;
	if (!err)
		err = errno_if(rename(tmp, path));
	if (err) {
		unlink(tmp);
		goto out;
	}
	slash = strrchr(dir, '/');
	if (!slash) {
		err = file_sync_dir(".");
		goto out;
	}
	*slash = '\0';
	err = file_sync_dir(dir);
out:
	free(tmp);
	free(dir);
	return err;
}

char *dir_entry(const char *path)
{
	char *name = NULL;
	struct dirent *e;
	DIR *d = opendir(path);

	while (d && !name && (e = readdir(d)))
		if (e->d_name[0] != '.')
			name = xstrdup(e->d_name);
	if (d)
		closedir(d);
	return name;
}

int dir_make_all(const char *path)
{
	char *p = xstrdup(path);
	int err = 0;

	for (char *s = p + 1; !err; s++) {
		char c = *s;

		if (c && c != '/')
			continue;
		*s = '\0';
		if (mkdir(p, 0755) && errno != EEXIST)
			err = -errno;
		*s = c;
		if (!c)
			break;
	}
	free(p);
	return err;
}

static int remove_dir(const char *path, dev_t dev);

static int remove_entry(const char *path, dev_t dev)
{
	struct stat st;
	int err = errno_if(lstat(path, &st));

	if (!err && S_ISDIR(st.st_mode))
		err = remove_dir(path, dev);
	else if (!err)
		err = errno_if(unlink(path));
	if (err == -ENOENT)
		return 0;
	return err;
}

/*
 * Only directories say on which file system they are: files of an overlay have the device of the layer
 * they lie in.
 */
static int remove_dir(const char *path, dev_t dev)
{
	DIR *d = opendir(path);
	struct dirent *e;
	struct stat st;
	int err = 0;

	if (!d)
		return -errno;
	if (fstat(dirfd(d), &st) || st.st_dev != dev)
		err = -EXDEV;
	while (!err && (e = readdir(d))) {
		char *entry = xasprintf("%s/%s", path, e->d_name);

		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			err = remove_entry(entry, dev);
		free(entry);
	}
	closedir(d);
	if (err)
		return err;
	return errno_if(rmdir(path));
}

int dir_remove_all(const char *path)
{
	struct stat st;

	if (!lstat(path, &st))
		return remove_entry(path, st.st_dev);
	if (errno == ENOENT)
		return 0;
	return -errno;
}

/* Call visit for each entry of dir with its full path and type; the first error ends it. */
static int dir_each(const char *dir, int (*visit)(const char *path, mode_t type, const char *to),
		    const char *to)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int err = 0;

	if (!d)
		return -errno;
	while (!err && (e = readdir(d))) {
		char *path, *dest;
		struct stat st;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		path = xasprintf("%s/%s", dir, e->d_name);
		dest = to ? xasprintf("%s/%s", to, e->d_name) : NULL;
		err = errno_if(lstat(path, &st));
		if (!err)
			err = visit(path, st.st_mode & S_IFMT, dest);
		free(path);
		free(dest);
	}
	closedir(d);
	return err;
}

static int sync_entry(const char *path, mode_t type, const char *to)
{
	int fd, err;

	(void)to;
	if (type == S_IFDIR)
		return dir_sync_all(path);
	if (type != S_IFREG)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = errno_if(fsync(fd));
	close(fd);
	return err;
}

int dir_sync_all(const char *path)
{
	int err = dir_each(path, sync_entry, NULL);

	if (err)
		return err;
	return file_sync_dir(path);
}

static int copy_file(const char *from, const char *to)
{
	char chunk[65536];
	int out = -1, err = 0, in = open(from, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (in < 0)
		return -errno;
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (out < 0)
		err = -errno;
	while (!err && (n = fd_read_full(in, chunk, sizeof(chunk))))
		err = n < 0 ? (int)n : fd_write_all(out, chunk, (size_t)n);
	close_fd(&in);
	if (out >= 0 && close(out) && !err)
		err = -errno;
	return err;
}

static int copy_entry(const char *path, mode_t type, const char *to)
{
	if (type == S_IFREG)
		return copy_file(path, to);
	if (type != S_IFDIR)
		return 0;
	if (mkdir(to, 0755) && errno != EEXIST)
		return -errno;
	return dir_copy_all(path, to);
}

int dir_copy_all(const char *from, const char *to)
{
	return dir_each(from, copy_entry, to);
}

bool file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

int file_sha256(const char *path, char hex[65])
{
	errno = EIO; /* when it does not say why */
	return errno_if(!SHA256File(path, hex));
}
