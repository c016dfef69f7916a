// SPDX-License-Identifier: MIT
/* The command that a lab is for: started, its input and output passed on, its exit status. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/lab/labinit/init.h"

#define MAX_WORDS 1024

static size_t config_words(const char *key, char **words)
{
	size_t at = 0, n = 0;
	const char *v;

	while (n < MAX_WORDS - 1 && (v = config_next(key, &at)))
		words[n++] = (char *)v;
	words[n] = NULL;
	return n;
}

static _Noreturn void run_child(void)
{
	static char *argv[MAX_WORDS];
	const char *cwd = config_get("cwd"), *env;
	size_t at = 0;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!config_words("arg", argv))
		_exit(127);
	while ((env = config_next("env", &at)))
		putenv((char *)env);
	if (cwd && chdir(cwd))
		fprintf(stderr, "lab: %s: %s\n", cwd, strerror(errno));
	execvp(argv[0], argv);
	fprintf(stderr, "lab: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void start_piped(struct session *s)
{
	int in[2], out[2], err[2];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		fail("create", "pipes");
	s->pid = fork();
	if (!s->pid) {
		setsid();
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		run_child();
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	*s = (struct session){.pid = s->pid, .in = in[1], .out = out[0], .err = err[0]};
}

static void start_on_terminal(struct session *s)
{
	int fd;

	s->pid = forkpty(&fd, NULL, NULL, NULL);
	if (!s->pid)
		run_child();
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	*s = (struct session){.pid = s->pid, .in = fd, .out = fd, .err = -1};
}

void session_start(struct session *s, bool terminal)
{
	if (terminal)
		start_on_terminal(s);
	else
		start_piped(s);
	fcntl(s->in, F_SETFL, fcntl(s->in, F_GETFL) | O_NONBLOCK);
}

static void give_held(struct session *s)
{
	while (s->n_held) {
		ssize_t n = write(s->in, s->held, s->n_held);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			n = (ssize_t)s->n_held; /* it reads no more */
		s->held += n;
		s->n_held -= (size_t)n;
	}
}

static void from_bench(struct session *s)
{
	static char data[LAB_FRAME_MAX];
	struct lab_frame f = wire_read(data);
	int32_t sig;

	switch (f.type) {
	case LAB_STDIN:
		s->held = data;
		s->n_held = f.len;
		give_held(s);
		if (!f.len && s->in != s->out)
			close(s->in);
		break;
	case LAB_SIGNAL:
		memcpy(&sig, data, sizeof(sig));
		kill(-s->pid, sig);
		break;
	case LAB_WINSIZE:
		ioctl(s->in, TIOCSWINSZ, data);
		break;
	}
}

static int child_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Passes on what there is to read; false at the end of the stream. */
static bool pass_on(int fd, uint32_t type)
{
	static char data[16384];
	ssize_t n = read(fd, data, sizeof(data));

	if (n > 0)
		wire_send(type, data, (size_t)n);
	return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

static bool is_drained(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};

	return poll(&p, 1, 0) <= 0 || !(p.revents & POLLIN);
}

/*
 * A background child of the command may keep the pipes open: what ends the session is the command's own
 * end.
 */
int32_t session_serve(struct session *s, bool listen, bool alive)
{
	struct pollfd p[5] = {
		{-1, POLLIN, 0},
		{s->out, POLLIN, 0},
		{s->err, POLLIN, 0},
		{child_signals(), POLLIN, 0},
		{-1, POLLOUT, 0},
	};
	int patience_ms = alive ? LAB_ALIVE_MS : -1, status = 0;
	bool ended = false;

	while (!ended || !is_drained(s->out) || (s->err >= 0 && !is_drained(s->err))) {
		struct signalfd_siginfo info;
		pid_t pid;

		/* One frame at a time: bench hears no more before the command has taken the last. */
		p[0].fd = listen && !s->n_held ? wire_fd() : -1;
		p[4].fd = s->n_held ? s->in : -1;
		if (!poll(p, 5, ended ? 0 : patience_ms) && !ended)
			wire_send(LAB_ALIVE, NULL, 0);
		if (p[4].revents)
			give_held(s);
		if (p[0].revents & POLLIN)
			from_bench(s);
		if (p[1].revents && !pass_on(s->out, LAB_STDOUT))
			p[1].fd = -1;
		if (p[2].revents && !pass_on(s->err, LAB_STDERR))
			p[2].fd = -1;
		if (ended && p[1].fd < 0 && p[2].fd < 0)
			break;
		if (p[3].revents && read(p[3].fd, &info, sizeof(info)) < 0)
			continue;
		while (!ended && (pid = waitpid(-1, &status, WNOHANG)) > 0)
			ended = pid == s->pid;
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return 128 + WTERMSIG(status);
}

void send_files(const char *dir, const char *below)
{
	char path[4096], name[4096], data[LAB_FRAME_MAX];
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		struct stat st;
		size_t used;
		ssize_t n;
		int fd;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		snprintf(name, sizeof(name), "%s%s", below, e->d_name);
		if (lstat(path, &st))
			continue;
		if (S_ISDIR(st.st_mode)) {
			strncat(name, "/", sizeof(name) - strlen(name) - 1);
			send_files(path, name);
			continue;
		}
		fd = open(path, O_RDONLY | O_CLOEXEC);
		used = strlen(name) + 1;
		memcpy(data, name, used);
		while (fd >= 0 && (n = read(fd, data + used, sizeof(data) - used)) >= 0) {
			wire_send(LAB_FILE, data, used + (size_t)n);
			if (!n)
				break;
		}
		close(fd);
	}
	if (d)
		closedir(d);
}
