// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "vmm/platform/channel.h"

#define RING_SIZE    65536u
#define WRITE_CHUNK  4096u                  /* PIPE_BUF: does not block once poll says writable */
#define PARTIAL_NS   (10 * NSEC_PER_MSEC)   /* how long a line without its end may wait */
#define URGENT_BYTES 2048u                  /* waiting: write now, line end or not */
#define LAST_WAIT_MS 1000
#define CTRL_A       1

struct channel {
	const char *what;
	struct evloop *loop;
	int in, out; /* -1: none */
	bool tty;    /* escape keys */
	int timer;   /* fires when output is due */
	channel_input_fn input;
	channel_quit_fn quit;
	void *arg;
	/* Of the loop's thread. */
	bool escape;
	bool out_watched; /* waiting for room */
	bool resuming;    /* posted, and not begun: a guest may ask as often as it reads */
	uint8_t held[256]; /* input that the guest had no room for */
	size_t n_held;

	pthread_mutex_t lock; /* innermost: the ring */
	uint8_t ring[RING_SIZE];
	uint32_t head, tail; /* free running; head - tail bytes wait */
	bool armed;
	uint64_t dropped;
};

static void arm_timer(struct channel *ch, uint64_t ns)
{
	struct itimerspec t = {.it_value.tv_nsec = (long)MAX(ns, 1ull)};

	timerfd_settime(ch->timer, 0, &t, NULL);
	ch->armed = true;
}

void channel_put(struct channel *ch, uint8_t byte)
{
	uint32_t waiting;

	if (!ch || ch->out < 0)
		return;
	pthread_mutex_lock(&ch->lock);
	waiting = ch->head - ch->tail;
	if (waiting == RING_SIZE) {
		ch->dropped++;
	} else {
		ch->ring[ch->head++ % RING_SIZE] = byte;
		if (byte == '\n' || waiting + 1 == URGENT_BYTES)
			arm_timer(ch, 1);
		else if (!ch->armed)
			arm_timer(ch, PARTIAL_NS);
	}
	pthread_mutex_unlock(&ch->lock);
}

static bool fd_is_writable(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return poll(&p, 1, timeout_ms) > 0 && p.revents & (POLLOUT | POLLERR | POLLHUP);
}

/* The oldest bytes, copied out so that vCPUs can go on while we write. */
static size_t peek_oldest(struct channel *ch, uint8_t buf[WRITE_CHUNK])
{
	size_t n;

	pthread_mutex_lock(&ch->lock);
	n = MIN(ch->head - ch->tail, WRITE_CHUNK);
	for (size_t i = 0; i < n; i++)
		buf[i] = ch->ring[(ch->tail + i) % RING_SIZE];
	if (!n)
		ch->armed = false;
	pthread_mutex_unlock(&ch->lock);
	return n;
}

/* Returns false when bytes are left and the other side takes none now. */
static bool flush_output(struct channel *ch, int timeout_ms)
{
	uint8_t buf[WRITE_CHUNK];
	size_t n;

	while ((n = peek_oldest(ch, buf))) {
		ssize_t done;

		if (!fd_is_writable(ch->out, timeout_ms))
			return false;
		done = write(ch->out, buf, n);
		if (done < 0 && errno == EAGAIN)
			return false;
		if (done < 0 && errno != EINTR) {
			log_guest("%s: %s; output is lost", ch->what, strerror(errno));
			done = (ssize_t)n;
		}
		pthread_mutex_lock(&ch->lock);
		ch->tail += (uint32_t)MAX(done, 0);
		pthread_mutex_unlock(&ch->lock);
	}
	return true;
}

static void on_writable(void *arg, uint32_t events);

static void write_out(struct channel *ch)
{
	bool blocked = !flush_output(ch, 0);

	if (blocked == ch->out_watched)
		return;
	if (blocked)
		evloop_add(ch->loop, ch->out, EPOLLOUT, on_writable, ch);
	else
		evloop_del(ch->loop, ch->out);
	ch->out_watched = blocked;
}

static void on_writable(void *arg, uint32_t events)
{
	(void)events;
	write_out(arg);
}

static void on_timer(void *arg, uint32_t events)
{
	struct channel *ch = arg;
	uint64_t n;

	(void)events;
	if (read(ch->timer, &n, sizeof(n)) > 0)
		write_out(ch);
}

/* Takes Ctrl-A x out of what a terminal sends; Ctrl-A twice sends one. */
static size_t filter_escape(struct channel *ch, uint8_t *buf, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (!ch->escape && buf[i] == CTRL_A) {
			ch->escape = true;
			continue;
		}
		if (ch->escape && buf[i] == 'x' && ch->quit)
			ch->quit(ch->arg);
		else
			buf[kept++] = buf[i];
		ch->escape = false;
	}
	return kept;
}

/* A vCPU that empties the FIFO looks at it: it is set before the guest can see the first byte. */
static void set_held(struct channel *ch, size_t n)
{
	__atomic_store_n(&ch->n_held, n, __ATOMIC_RELEASE);
}

/* Hand held input to the guest; listen for more only when all of it was taken. */
static void give_held(void *arg)
{
	struct channel *ch = arg;
	size_t took = 0;

	if (ch->n_held)
		took = ch->input(ch->arg, ch->held, ch->n_held);
	memmove(ch->held, ch->held + took, ch->n_held - took);
	set_held(ch, ch->n_held - took);
	if (ch->in >= 0)
		evloop_mod(ch->loop, ch->in, bits_if(!ch->n_held, EPOLLIN));
}

static void on_readable(void *arg, uint32_t events)
{
	struct channel *ch = arg;
	ssize_t n = read(ch->in, ch->held, sizeof(ch->held));

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		evloop_del(ch->loop, ch->in);
		close_fd(&ch->in);
		return;
	}
	if (ch->tty)
		n = (ssize_t)filter_escape(ch, ch->held, (size_t)n);
	set_held(ch, (size_t)n);
	give_held(ch);
}

static void on_resume(void *arg)
{
	struct channel *ch = arg;

	__atomic_store_n(&ch->resuming, false, __ATOMIC_SEQ_CST); /* before the guest's room is looked at */
	give_held(ch);
}

void channel_resume(struct channel *ch)
{
	if (!ch || !__atomic_load_n(&ch->n_held, __ATOMIC_ACQUIRE))
		return;
	if (!__atomic_exchange_n(&ch->resuming, true, __ATOMIC_SEQ_CST))
		evloop_post(ch->loop, on_resume, ch);
}

void channel_on_input(struct channel *ch, channel_input_fn fn, channel_quit_fn quit, void *arg)
{
	ch->input = fn;
	ch->quit = quit;
	ch->arg = arg;
	/* What cannot be polled (a regular file, /dev/null) gives no input. */
	if (ch->in >= 0 && evloop_add(ch->loop, ch->in, EPOLLIN, on_readable, ch))
		close_fd(&ch->in);
}

static int open_unix(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd, err;

	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	err = -errno;
	close_fd(&fd);
	return err;
}

/* A descriptor of our own for in and for out, so that each is watched for itself. */
static int set_fds(struct channel *ch, int in, int out)
{
	ch->in = fcntl(in, F_DUPFD_CLOEXEC, 3);
	if (ch->in < 0)
		return -errno;
	ch->out = fcntl(out, F_DUPFD_CLOEXEC, 3);
	return errno_if(ch->out < 0);
}

static int open_spec(struct channel *ch, const char *spec)
{
	uint64_t n;
	int fd, err;

	if (!strcmp(spec, "none"))
		return 0;
	if (!strcmp(spec, "stdio")) {
		ch->tty = isatty(STDIN_FILENO);
		return set_fds(ch, STDIN_FILENO, STDOUT_FILENO);
	}
	if (!strncmp(spec, "fd=", 3)) {
		if (parse_u64(spec + 3, &n) || n > INT_MAX)
			return -EBADF;
		return set_fds(ch, (int)n, (int)n);
	}
	if (!strncmp(spec, "unix:", 5)) {
		fd = open_unix(spec + 5);
		if (fd < 0)
			return fd;
		err = set_fds(ch, fd, fd);
		close_fd(&fd);
		return err;
	}
	ch->out = open(spec, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return errno_if(ch->out < 0);
}

int channel_open(struct channel **out, struct evloop *loop, const char *what, const char *spec)
{
	struct channel *ch = calloc(1, sizeof(*ch));
	int err;

	if (!ch)
		return -ENOMEM;
	ch->what = what;
	ch->loop = loop;
	ch->in = ch->out = -1;
	pthread_mutex_init(&ch->lock, NULL);
	ch->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (ch->timer < 0)
		err = -errno;
	else
		err = open_spec(ch, spec);
	if (!err && ch->out >= 0)
		err = evloop_add(loop, ch->timer, EPOLLIN, on_timer, ch);
	if (err) {
		log_error("%s %s: %s", what, spec, strerror(-err));
		channel_close(ch);
		return err;
	}
	*out = ch;
	return 0;
}

static void last_flush(void *arg)
{
	struct channel *ch = arg;

	flush_output(ch, LAST_WAIT_MS);
}

void channel_flush(struct channel *ch)
{
	if (ch && ch->out >= 0)
		evloop_call(ch->loop, last_flush, ch);
}

void channel_close(struct channel *ch)
{
	if (!ch)
		return;
	evloop_del(ch->loop, ch->timer);
	if (ch->out >= 0) {
		evloop_del(ch->loop, ch->out);
		flush_output(ch, LAST_WAIT_MS);
	}
	if (ch->in >= 0)
		evloop_del(ch->loop, ch->in);
	if (ch->dropped)
		log_warn("%s: %" PRIu64 " bytes dropped: its reader was too slow", ch->what,
			 ch->dropped);
	close_fd(&ch->timer);
	close_fd(&ch->in);
	close_fd(&ch->out);
	pthread_mutex_destroy(&ch->lock);
	free(ch);
}
