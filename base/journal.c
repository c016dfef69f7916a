// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/journal.h"
#include "base/log.h"
#include "base/proc.h"

#define UNDO_TRIES 50 /* VFIO lets go of a device up to a second after its user has ended */
#define UNDO_PAUSE_NS (100 * NSEC_PER_MSEC)
#define RUN_LIMIT_NS  (60 * NSEC_PER_SEC) /* a domain of Xen's is destroyed, in an emulator */
#define RUN_WORDS     32

/* In the place of a path, which begins with a slash. */
static const char run_key[] = "run", rmdir_key[] = "rmdir", unlink_key[] = "unlink";

struct journal {
	int fd; /* locked (flock) for as long as we live */
	char *path;
};

const char *journal_dir(void)
{
	return text_or(getenv("EXITLAB_JOURNAL_DIR"), "/run/exitlab");
}

int journal_open(struct journal **out)
{
	struct journal *j = xcalloc(1, sizeof(*j));
	int err = dir_make_all(journal_dir());

	j->path = xasprintf("%s/journal.%d-%llu", journal_dir(), getpid(), (unsigned long long)clock_ns());
	j->fd = -1;
	if (err)
		goto fail;
	j->fd = open(j->path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	if (j->fd < 0 || flock(j->fd, LOCK_EX | LOCK_NB)) {
		err = -errno;
		goto fail;
	}
	*out = j;
	return 0;
fail:
	log_error("journal %s: %s; without it nothing on this host is changed", j->path, strerror(-err));
	close_fd(&j->fd);
	free(j->path);
	free(j);
	return err;
}

static int note_line(struct journal *j, const char *path, const char *undo)
{
	char *line = xasprintf("%s\t%s\n", path, undo);
	int err = fd_write_all(j->fd, line, strlen(line));

	if (!err && fsync(j->fd))
		err = -errno;
	free(line);
	return err;
}

int journal_write(struct journal *j, const char *path, const char *value, const char *undo)
{
	char *old = NULL;
	int err;

	if (!undo)
		undo = old = file_read_line(path);
	err = journal_note(j, path, undo);
	free(old);
	if (err)
		return err;
	err = file_write(path, value);
	if (err)
		log_error("%s: cannot be set to %s: %s", path, value, strerror(-err));
	return err;
}

int journal_note(struct journal *j, const char *path, const char *undo)
{
	int err = note_line(j, path, undo);

	if (err)
		log_error("journal: %s; %s is left as it is", strerror(-err), path);
	return err;
}

static int run_text(const char *text)
{
	char *copy = xstrdup(text), *save, *argv[RUN_WORDS + 1] = {NULL};
	struct strbuf said = STRBUF_INIT; /* on its standard output, which is not ours */
	size_t n = 0;
	int status = -EINVAL;

	for (char *w = strtok_r(copy, " ", &save); w && n < RUN_WORDS; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	if (n)
		status = proc_run(argv, &said, RUN_LIMIT_NS);
	if (status)
		log_error("%s: status %d", text, status);
	strbuf_free(&said);
	free(copy);
	return status > 0 ? -EIO : status;
}

int journal_run(struct journal *j, const char *command, const char *undo)
{
	int err = 0;

	if (undo)
		err = journal_note(j, run_key, undo);
	if (err)
		return err;
	return run_text(command);
}

int journal_mkdir(struct journal *j, const char *path)
{
	int err = journal_note(j, rmdir_key, path);

	if (err || !mkdir(path, 0755))
		return err;
	err = -errno;
	log_error("%s: cannot be made: %s", path, strerror(-err));
	return err;
}

int journal_symlink(struct journal *j, const char *target, const char *path)
{
	int err = journal_note(j, unlink_key, path);

	if (err || !symlink(target, path))
		return err;
	err = -errno;
	log_error("%s: cannot be linked to %s: %s", path, target, strerror(-err));
	return err;
}

/* A cgroup is busy for a moment after its last process has ended. */
static int remove_directory(const char *path)
{
	for (int i = 0; i < UNDO_TRIES && rmdir(path); i++) {
		if (errno == ENOENT)
			return 0;
		if (errno != EBUSY)
			break;
		clock_sleep_ns(UNDO_PAUSE_NS);
	}
	if (!file_exists(path))
		return 0;
	log_error("%s: cannot be removed; rmdir it when nothing uses it any more", path);
	return -EBUSY;
}

static int remove_link(const char *path)
{
	if (!unlink(path) || errno == ENOENT)
		return 0;
	log_error("%s: cannot be removed: %s", path, strerror(errno));
	return -errno;
}

static int undo_line(char *line)
{
	char *tab = strchr(line, '\t');
	int err = 0;

	if (!tab)
		return 0;
	*tab = '\0';
	if (!strcmp(line, rmdir_key))
		return remove_directory(tab + 1);
	if (!strcmp(line, unlink_key))
		return remove_link(tab + 1);
	if (!strcmp(line, run_key)) {
		/* What it names may have gone meanwhile, by hand: trying for ever would help nobody. */
		if (run_text(tab + 1))
			log_warn("the command above would have undone a change; run it by hand if that is still there");
		return 0;
	}
	for (int i = 0; i < UNDO_TRIES; i++) {
		err = file_write(line, text_or(tab + 1, "\n"));
		if (err != -EBUSY)
			break;
		clock_sleep_ns(UNDO_PAUSE_NS);
	}
	if (err == -ENOENT || err == -ENODEV) /* the device has gone, and its setting with it */
		err = 0;
	if (err)
		log_error("%s: cannot be set back to %s: %s", line, tab + 1, strerror(-err));
	return err;
}

/* In reverse; *n counts them. The file stays when something could not be undone. */
static int undo_file(const char *path, size_t *n)
{
	struct strbuf sb = STRBUF_INIT;
	int err = file_read(path, &sb);

	*n = 0;
	if (err)
		return err;
	/* A line without its end is torn: we died while noting, so nothing was changed. */
	while (sb.len && sb.buf[sb.len - 1] != '\n')
		sb.len--;
	while (sb.len) { /* all of it, whatever fails */
		int e;

		sb.buf[--sb.len] = '\0';
		while (sb.len && sb.buf[sb.len - 1] != '\n')
			sb.len--;
		e = undo_line(sb.buf + sb.len);
		if (!err)
			err = e;
		++*n;
	}
	strbuf_free(&sb);
	if (!err)
		unlink(path);
	return err;
}

int journal_close(struct journal *j)
{
	size_t n;
	int err;

	if (!j)
		return 0;
	err = undo_file(j->path, &n);
	close_fd(&j->fd);
	free(j->path);
	free(j);
	return err;
}

/* A journal that is not locked has no owner any more. */
static int recover_one(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC), err;
	size_t n;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		close(fd);
		return 0;
	}
	err = undo_file(path, &n);
	close(fd);
	if (err)
		return err;
	log_info("recovered: %zu changes of a run that was killed are undone", n);
	return (int)n;
}

static int is_journal(const struct dirent *e)
{
	return !strncmp(e->d_name, "journal.", 8);
}

static uint64_t opened_ns(const struct dirent *e)
{
	const char *dash = strchr(e->d_name, '-');

	return dash ? strtoull(dash + 1, NULL, 10) : 0;
}

static int newest_first(const struct dirent **a, const struct dirent **b)
{
	return compare_u64(opened_ns(*b), opened_ns(*a));
}

/* What one process changed may stand on what it had changed before, in another journal. */
int journal_recover(void)
{
	struct dirent **e;
	int n = scandir(journal_dir(), &e, is_journal, newest_first), total = 0;

	for (int i = 0; i < n; i++) {
		char *path = xasprintf("%s/%s", journal_dir(), e[i]->d_name);
		int undone = recover_one(path);

		free(path);
		free(e[i]);
		if (undone < 0 && total >= 0)
			total = undone;
		else if (total >= 0)
			total += undone;
	}
	if (n >= 0)
		free(e);
	return total;
}
