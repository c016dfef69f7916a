// SPDX-License-Identifier: MIT
/* What bench and the init of a running lab say to each other; signals and time-outs. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "bench/lab/lab_impl.h"
#include "bench/lab/lab_wire.h"

#define GRACE_NS (5 * NSEC_PER_SEC)
#define SILENCE_NS (60 * NSEC_PER_SEC) /* many LAB_ALIVE_MS: a busy host is slow */

int lab_flush(struct lab *lab)
{
	while (lab->outbox.len) {
		ssize_t n = send(lab->ctl_fd, lab->outbox.buf, lab->outbox.len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n < 0)
			return -errno;
		strbuf_cut(&lab->outbox, (size_t)n);
	}
	return 0;
}

int lab_send_frame(struct lab *lab, uint32_t type, const void *data, size_t len)
{
	struct lab_frame f = {type, (uint32_t)len};

	strbuf_add(&lab->outbox, &f, sizeof(f));
	strbuf_add(&lab->outbox, data, len);
	return lab_flush(lab);
}

static void send_winsize(struct lab *lab)
{
	struct winsize ws;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws))
		lab_send_frame(lab, LAB_WINSIZE, &ws, sizeof(ws));
}

static void terminal_raw(struct lab *lab)
{
	struct termios t;

	if (!lab->spec->terminal || tcgetattr(STDIN_FILENO, &lab->saved_termios))
		return;
	t = lab->saved_termios;
	cfmakeraw(&t);
	lab->raw = !tcsetattr(STDIN_FILENO, TCSANOW, &t);
}

static int save_file(struct lab *lab, const char *data, size_t len)
{
	size_t name_len = strnlen(data, len) + 1;
	char *path, *slash;
	int err, fd;

	if (name_len > len || !lab->spec->out_dir || strstr(data, ".."))
		return 0;
	path = xasprintf("%s/%s", lab->spec->out_dir, data);
	slash = strrchr(path, '/');
	*slash = '\0';
	dir_make_all(path);
	*slash = '/';
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	err = errno_if(fd < 0);
	if (!err)
		err = fd_write_all(fd, data + name_len, len - name_len);
	close_fd(&fd);
	if (err)
		log_error("lab: %s: %s", path, strerror(-err));
	free(path);
	return err;
}

static int handle_frame(struct lab *lab, const struct lab_frame *f, char *data)
{
	switch (f->type) {
	case LAB_READY:
		lab->ready = true;
		if (!lab->spec->timeout_ns)
			lab->deadline_ns = 0;
		if (lab->spec->terminal)
			send_winsize(lab);
		return 0;
	case LAB_STDOUT:
		return fd_write_all(STDOUT_FILENO, data, f->len);
	case LAB_STDERR:
		return fd_write_all(STDERR_FILENO, data, f->len);
	case LAB_FILE:
		return save_file(lab, data, f->len);
	case LAB_EXIT:
		if (f->len != sizeof(lab->status))
			return -EPROTO;
		memcpy(&lab->status, data, sizeof(lab->status));
		lab->done = true;
		return 0;
	case LAB_FAIL:
		log_error("lab: its init failed: %.*s", (int)f->len, data);
		return -EIO;
	}
	return 0;
}

/* The emulator prints a banner before the first frame: skip it. */
static bool fall_in_step(struct lab *lab)
{
	static const char magic[] = LAB_MAGIC;
	struct strbuf *in = &lab->inbox;
	char *at = memmem(in->buf, in->len, magic, sizeof(magic));

	if (!at)
		return false;
	strbuf_cut(in, (size_t)(at - in->buf) + sizeof(magic));
	lab->in_step = true;
	return true;
}

int lab_take_frames(struct lab *lab)
{
	struct strbuf *in = &lab->inbox;
	size_t at = 0;
	int err = 0;

	if (lab->channel == LAB_SPEAKS && !lab->in_step && !fall_in_step(lab)) {
		if (in->len > LAB_FRAME_MAX)
			return -EPROTO;
		return 0;
	}
	while (!err && in->len - at >= sizeof(struct lab_frame)) {
		struct lab_frame f;

		memcpy(&f, in->buf + at, sizeof(f));
		if (f.len > LAB_FRAME_MAX)
			return -EPROTO;
		if (in->len - at < sizeof(f) + f.len)
			break;
		err = handle_frame(lab, &f, in->buf + at + sizeof(f));
		at += sizeof(f) + f.len;
	}
	strbuf_cut(in, at);
	return err;
}

/*
 * What silence is measured by: an emulator that only speaks is as fast as the processor time that it gets,
 * and one that waits for nothing but that never hangs on a busy machine.
 */
static uint64_t silence_clock(struct lab *lab)
{
	uint64_t ns;

	if (lab->channel == LAB_SPEAKS && !proc_cpu_ns(&lab->emulator, &ns))
		return ns;
	return clock_ns();
}

/* Reads what the lab has sent and handles it. -EPIPE at the end of the stream. */
static int hear_lab(struct lab *lab)
{
	char buf[16384];
	ssize_t n = read(lab->ctl_fd, buf, sizeof(buf));

	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0)
		return -errno;
	if (!n)
		return -EPIPE;
	lab->heard_ns = silence_clock(lab);
	strbuf_add(&lab->inbox, buf, (size_t)n);
	return lab_take_frames(lab);
}

static void on_stdin(struct lab *lab)
{
	char buf[4096];
	ssize_t n = read(lab->stdin_fd, buf, sizeof(buf));

	if (n < 0 && errno == EINTR)
		return;
	lab_send_frame(lab, LAB_STDIN, buf, (size_t)MAX(n, 0));
	if (n <= 0)
		lab->stdin_fd = -1;
}

static void on_signal(struct lab *lab)
{
	struct signalfd_siginfo info;
	int32_t sig;

	if (read(lab->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	sig = (int32_t)info.ssi_signo;
	if (sig == SIGWINCH) {
		send_winsize(lab);
		return;
	}
	/* The first signal goes to the command, the second one ends the lab. */
	if (lab->interrupts++ || !lab->ready || lab->channel != LAB_TALKS) {
		lab->kill_ns = clock_ns();
		lab->status = 128 + sig;
	} else {
		lab_send_frame(lab, LAB_SIGNAL, &sig, sizeof(sig));
	}
}

void lab_catch_signals(struct lab *lab)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, &lab->saved_signals);
	lab->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
}

static bool is_silent(struct lab *lab)
{
	if (lab->channel == LAB_LEAVES || (lab->channel == LAB_TALKS && !lab->ready))
		return false;
	return silence_clock(lab) > lab->heard_ns + SILENCE_NS;
}

/*
 * A limit that nobody set is one of the emulator's own processor time: on a busy machine it takes longer, and
 * is not stuck. One that waits for something that never comes uses none.
 */
static bool is_spent(const struct lab *lab, uint64_t limit_ns, uint64_t now)
{
	uint64_t cpu;

	return proc_cpu_ns(&lab->emulator, &cpu) || cpu >= limit_ns ||
	       now >= lab->deadline_ns + BUSY_TIMES * limit_ns;
}

static bool is_late(const struct lab *lab, uint64_t now)
{
	const struct lab_spec *spec = lab->spec;

	if (!lab->deadline_ns || now < lab->deadline_ns || lab->timed_out)
		return false;
	if (spec->timeout_ns)
		return true;
	if (spec->cpu_ns)
		return is_spent(lab, spec->cpu_ns, now);
	if (lab->ready || lab->channel != LAB_TALKS)
		return true;
	return is_spent(lab, BOOT_TIMEOUT_NS, now);
}

/* Time-outs: first ask the command to end, then take the machine away. */
static int check_clock(struct lab *lab)
{
	int32_t sig = SIGTERM;
	uint64_t now = clock_ns();

	if (lab->kill_ns && now >= lab->kill_ns)
		return -ETIMEDOUT;
	lab->silent = is_silent(lab);
	if (lab->silent)
		return -EHOSTDOWN;
	if (!is_late(lab, now))
		return 0;
	lab->timed_out = true;
	lab->kill_ns = now;
	if (lab->ready && lab->channel == LAB_TALKS) {
		lab->kill_ns += GRACE_NS;
		lab_send_frame(lab, LAB_SIGNAL, &sig, sizeof(sig));
	}
	return 0;
}

static int session_live(struct lab *lab)
{
	int err = 0;

	while (!lab->done && !err) {
		/* A command that does not read: its input waits where it is, signals and the clock do not. */
		bool full = lab->outbox.len;
		struct pollfd p[] = {
			{lab->ctl_fd, (short)(POLLIN | bits_if(full, POLLOUT)), 0},
			{lab->signal_fd, POLLIN, 0},
			{lab->ready && !full ? lab->stdin_fd : -1, POLLIN, 0},
			{lab->emulator.pidfd, POLLIN, 0},
		};

		if (poll(p, ARRAY_SIZE(p), 200) < 0 && errno != EINTR)
			return -errno;
		if (p[0].revents & POLLOUT)
			lab_flush(lab); /* what fails is heard as the end */
		if (p[0].revents & ~POLLOUT)
			err = hear_lab(lab);
		else if (p[3].revents)
			err = -EPIPE;
		if (p[1].revents)
			on_signal(lab);
		if (p[2].revents)
			on_stdin(lab);
		if (!err)
			err = check_clock(lab);
	}
	return err;
}

/* A lab that leaves a file has said everything once the machine has ended. */
static int session_left(struct lab *lab)
{
	int err = 0;

	for (;;) {
		struct pollfd p[] = {{lab->emulator.pidfd, POLLIN, 0}, {lab->signal_fd, POLLIN, 0}};

		poll(p, 2, 200);
		if (p[0].revents)
			break;
		if (p[1].revents)
			on_signal(lab);
		err = check_clock(lab);
		if (err)
			return err;
	}
	lseek(lab->ctl_fd, 0, SEEK_SET);
	while (!lab->done && !err)
		err = hear_lab(lab);
	return err;
}

int lab_session(struct lab *lab)
{
	int err;

	terminal_raw(lab);
	if (lab->channel == LAB_LEAVES)
		err = session_left(lab);
	else
		err = session_live(lab);
	if (lab->raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &lab->saved_termios);
	return err;
}
