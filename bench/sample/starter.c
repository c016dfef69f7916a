// SPDX-License-Identifier: MIT
#include "bench/sample/starter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

#define MAKE_LIMIT_NS (300 * NSEC_PER_SEC)
#define LOOK_EVERY_MS 100

/* By a short name of the directory: a socket's path has 107 bytes. */
static int listen_in(const char *dir)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1, err = 0;

	if (dir_fd < 0)
		return -errno;
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/" STARTER_AGENT, dir_fd);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1))
		err = -errno;
	close_fd(&dir_fd);
	if (err)
		close_fd(&fd);
	if (err)
		return err;
	return fd;
}

int starter_open(struct starter *s, const struct vmm_starter *is, const char *log_dir, struct proc_opts *o)
{
	int err;

	s->is = is;
	s->dir = xasprintf("%s/%s", log_dir, is->dir);
	s->log = xasprintf("%s/vmm.log", log_dir);
	err = dir_make_all(s->dir);
	if (!err)
		err = errno_if(pipe2(s->words, O_CLOEXEC));
	if (err)
		return err;
	s->listen_fd = listen_in(s->dir);
	o->apart = true;
	o->mnt = log_dir;
	o->stdin_fd = s->words[0];
	return MIN(s->listen_fd, 0);
}

/* What the program said was wrong, or NULL. Caller frees. */
static char *starter_complaint(const struct starter *s)
{
	struct strbuf said = STRBUF_INIT;
	const char *line = NULL;
	char *text = NULL;

	if (!file_read(s->log, &said))
		line = strstr(strbuf_str(&said), s->is->wrong);
	/* The first line says that it went wrong, the next ones why. */
	if (line && strstr(line + 1, s->is->wrong))
		line = strstr(line + 1, s->is->wrong);
	if (line)
		text = xasprintf("%.*s", (int)strcspn(line, "\n"), line);
	strbuf_free(&said);
	return text;
}

/* Waits for the VMM at the agent's socket. */
static int await_agent(struct starter *s, const struct proc *program, char **why)
{
	struct pollfd p[] = {{s->listen_fd, POLLIN, 0}, {program->pidfd, POLLIN, 0}};
	uint64_t deadline = clock_ns() + MAKE_LIMIT_NS;

	while (!p[0].revents) {
		if (poll(p, ARRAY_SIZE(p), LOOK_EVERY_MS) < 0 && errno != EINTR)
			return -errno;
		if (!p[0].revents)
			*why = starter_complaint(s);
		if (*why || p[1].revents)
			return -ECHILD;
		if (clock_ns() >= deadline)
			return -ETIMEDOUT;
	}
	return 0;
}

static int take_agent(struct starter *s)
{
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	struct ucred vmm = {.pid = 0};
	socklen_t len = sizeof(vmm);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &vmm, &len) || vmm.pid <= 0) {
		close_fd(&fd);
		return -EIO;
	}
	s->pid = vmm.pid;
	s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	return fd;
}

int starter_make(struct starter *s, struct proc *program, char **why)
{
	int err = proc_release(program);

	close_fd(&s->words[0]);
	if (!err)
		err = fd_write_all(s->words[1], s->is->make, strlen(s->is->make));
	if (!err)
		err = await_agent(s, program, why);
	if (!err)
		err = take_agent(s);
	if (err < 0 && !*why)
		*why = xasprintf("%s; see vmm.log of the run", strerror(-err));
	return err;
}

int starter_go(struct starter *s)
{
	return fd_write_all(s->words[1], s->is->go, strlen(s->is->go));
}

void starter_end(struct starter *s, struct proc *program)
{
	if (!s->is)
		return;
	proc_end(program, 0); /* as process 1 it hears no other signal */
	close_fd(&s->words[0]);
	close_fd(&s->words[1]);
	close_fd(&s->listen_fd);
	close_fd(&s->pidfd);
	if (s->dir)
		dir_remove_all(s->dir);
	free(s->dir);
	free(s->log);
	*s = (struct starter)STARTER_INIT;
}
