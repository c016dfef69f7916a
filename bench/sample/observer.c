// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "bench/sample/observer.h"

#define START_LIMIT_NS (30 * NSEC_PER_SEC)
#define STOP_LIMIT_NS  (60 * NSEC_PER_SEC)

const char *const observer_names[OBSERVERS + 1] = {"off",	"probes", OBSERVER_DETACHED,
						   "trace-cmd", "perf",	  OBSERVER_LIFE, NULL};

static const struct tool {
	const char *name, *path, *args;
} tools[] = {
	{"trace-cmd", "/usr/bin/trace-cmd", "record -e kvm:kvm_exit -e kvm:kvm_entry -o"},
	{"perf", "/usr/bin/perf", "kvm stat record -a -o"},
};

static const struct tool *find_tool(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(tools); i++)
		if (!strcmp(tools[i].name, name))
			return &tools[i];
	return NULL;
}

const char *observer_program(const char *name)
{
	const struct tool *t = find_tool(name);

	if (!t)
		return NULL;
	return t->path;
}

const char *observer_missing(const char *name)
{
	static char text[64];
	const struct tool *t = find_tool(name);

	if (!t || !access(t->path, X_OK))
		return NULL;
	snprintf(text, sizeof(text), "%s is not installed", name);
	return text;
}

bool observer_is_probes(const char *name)
{
	return !strcmp(name, "probes") || !strcmp(name, OBSERVER_LIFE);
}

/*
 * Both tools record while a command of theirs runs: it says that it has begun, and ends when our end of a
 * pipe does.
 */
static int spawn(struct observer *o, const struct tool *t, int ready_fd, int hold_fd, int log_fd)
{
	int keep[] = {ready_fd, hold_fd};
	struct proc_opts po = {.keep_fds = keep,
			       .n_keep = 2,
			       .stdout_fd = log_fd,
			       .stderr_fd = log_fd,
			       .new_group = true};
	char *argv[16], *args = xstrdup(t->args), *command, *save;
	int n = 0, err;

	command = xasprintf("echo >/proc/self/fd/%d; read -r end </proc/self/fd/%d", ready_fd, hold_fd);
	argv[n++] = (char *)t->path;
	for (char *w = strtok_r(args, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	argv[n++] = o->data;
	argv[n++] = (char *)OBSERVER_SHELL;
	argv[n++] = (char *)"-c";
	argv[n++] = command;
	argv[n] = NULL;
	err = proc_spawn(&o->tool, argv, &po);
	free(command);
	free(args);
	return err;
}

static int await_start(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};
	char c;

	if (poll(&p, 1, START_LIMIT_NS / NSEC_PER_MSEC) <= 0)
		return -ETIMEDOUT;
	if (read(fd, &c, 1) != 1)
		return -EIO;
	return 0;
}

/* The last line that the tool wrote, or else the text of err. */
static char *complaint(const char *log, int err)
{
	struct strbuf sb = STRBUF_INIT;
	char *text = NULL, *last;

	if (!file_read(log, &sb) && sb.len) {
		while (sb.len && sb.buf[sb.len - 1] == '\n')
			sb.buf[--sb.len] = '\0';
		last = strrchr(sb.buf, '\n');
		text = xasprintf("%.160s", last ? last + 1 : sb.buf);
	}
	strbuf_free(&sb);
	if (!text)
		text = xstrdup(strerror(-err));
	return text;
}

int observer_start(struct observer *o, const char *name, const char *dir)
{
	const struct tool *t = find_tool(name);
	int ready[2] = {-1, -1}, hold[2] = {-1, -1}, log_fd, err;
	char *log;

	if (!t)
		return 0;
	log = xasprintf("%s/observer.log", dir);
	o->data = xasprintf("%s/observer.data", dir);
	log_fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	err = errno_if(log_fd < 0 || pipe2(ready, O_CLOEXEC) || pipe2(hold, O_CLOEXEC));
	if (!err)
		err = spawn(o, t, ready[1], hold[0], log_fd);
	close_fd(&ready[1]);
	o->hold_fd = hold[1];
	if (!err)
		err = await_start(ready[0]);
	if (err) {
		char *why = complaint(log, err);

		log_error("%s did not begin to record: %s", name, why);
		free(why);
	}
	close_fd(&ready[0]);
	close_fd(&hold[0]);
	close_fd(&log_fd);
	free(log);
	return err;
}

void observer_stop(struct observer *o)
{
	close_fd(&o->hold_fd);
	if (o->tool.pid && proc_wait(&o->tool, STOP_LIMIT_NS) == -ETIMEDOUT)
		proc_end(&o->tool, NSEC_PER_SEC);
	if (o->data)
		unlink(o->data);
	free(o->data);
	o->data = NULL;
}
