// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/gnuplot.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"

#define LIMIT_NS (60 * NSEC_PER_SEC)

/* What it says is shown only if it fails: it warns of trifles. */
static int draw_figure(const char *dir, const struct fig_target *to)
{
	static const char home[] = "cd \"$1\" && HOME=/nonexistent exec gnuplot ./\"$2\".gp 2>&1";
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)home,
			(char *)"sh", (char *)dir, (char *)to->stem, NULL};
	struct strbuf said = STRBUF_INIT;
	int status = proc_run_confined(argv, &said, LIMIT_NS);

	if (status == 127)
		log_error("gnuplot: not found; install it (Debian: gnuplot-nox); %s/%s.gp is ready to be drawn",
			  to->dir, to->stem);
	else if (status)
		log_error("gnuplot: %s/%s.gp: status %d: %s", to->dir, to->stem, status, strbuf_str(&said));
	strbuf_free(&said);
	if (status == 127)
		return -ENOENT;
	if (status)
		return -EIO;
	return 0;
}

/* Another user's file: no link, no pipe, and no second name of something else. */
static int read_drawn(int dir_fd, const char *name, struct strbuf *out)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), err = 0;
	struct stat st;
	char chunk[16384];
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_nlink != 1)
		err = -EPERM;
	while (!err && (n = fd_read_full(fd, chunk, sizeof(chunk))) > 0)
		strbuf_add(out, chunk, (size_t)n);
	close(fd);
	if (n < 0)
		return (int)n;
	return err;
}

static int fetch_drawing(int dir_fd, const struct fig_target *to)
{
	char *name = xasprintf("%s.%s", to->stem, figure_format_name(to->format)),
	     *path = xasprintf("%s/%s", to->dir, name);
	struct strbuf drawn = STRBUF_INIT;
	int err = read_drawn(dir_fd, name, &drawn);

	if (!err)
		err = file_write_atomic(path, strbuf_str(&drawn), drawn.len);
	if (err)
		log_error("%s: gnuplot has run, but its drawing cannot be kept: %s", path, strerror(-err));
	strbuf_free(&drawn);
	free(name);
	free(path);
	return err;
}

static int put_file(int dir_fd, const char *stem, const char *ext, const struct strbuf *text)
{
	char *name = xasprintf("%s%s", stem, ext);
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), err = errno_if(fd < 0);

	if (!err)
		err = fd_write_all(fd, strbuf_str(text), text->len);
	if (!err)
		err = errno_if(fchmod(fd, 0644)); /* whatever the umask: nobody reads it */
	close_fd(&fd);
	free(name);
	return err;
}

/* Where we are not root, or there is no nobody (EINVAL), gnuplot stays what we are. */
static int give_folder(int dir_fd, uid_t to)
{
	return errno_if(!geteuid() && fchown(dir_fd, to, to) && errno != EINVAL);
}

/* The names in the folder only: what lies deeper is not ours, and following it as root could be a trap. */
static void remove_folder(int dir_fd, const char *dir)
{
	DIR *d = fdopendir(dup(dir_fd));
	struct dirent *e;

	while (d && (e = readdir(d)))
		unlinkat(dir_fd, e->d_name, 0);
	if (d)
		closedir(d);
	if (rmdir(dir))
		log_warn("%s: cannot be removed: %s", dir, strerror(errno));
}

int gnuplot_run(const struct fig_target *to, const struct strbuf *gp, const struct strbuf *dat,
		const struct strbuf *style)
{
	char dir[] = "/tmp/exitlab-gnuplot-XXXXXX";
	int fd = -1, err;

	if (mkdtemp(dir))
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		log_error("%s: cannot be made for gnuplot: %s", dir, strerror(errno));
		return -EIO;
	}
	err = put_file(fd, to->stem, ".gp", gp);
	if (!err)
		err = put_file(fd, to->stem, ".dat", dat);
	if (!err)
		err = put_file(fd, "style", ".gp", style);
	if (!err)
		err = give_folder(fd, PROC_NOBODY);
	if (err)
		log_error("%s: cannot be filled for gnuplot: %s", dir, strerror(-err));
	if (!err)
		err = draw_figure(dir, to);
	give_folder(fd, 0);
	if (!err)
		err = fetch_drawing(fd, to);
	remove_folder(fd, dir);
	close(fd);
	return err;
}
