// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "probes/qemu_names.h"

/*
 * Of all answers. QEMU's main loop may be busy, or on an emulated processor that others share; one that
 * serves another client never answers.
 */
#define ANSWER_NS    (4 * NSEC_PER_SEC)
#define ANSWER_BYTES (4 * MIB) /* a map of a big machine is some 100 KiB */

bool qemu_is(pid_t tgid)
{
	char link[64], exe[PATH_MAX], *name;
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)tgid);
	len = readlink(link, exe, sizeof(exe) - 1);
	if (len < 0)
		return false;
	exe[len] = '\0';
	name = strrchr(exe, '/');
	return name && !strncmp(name + 1, "qemu-", 5);
}

/* ---- its socket ---- */

/* Value of key in "socket,id=x,path=y,server=on": copied up to the comma. */
static bool option(const char *list, const char *key, char *buf, size_t size)
{
	size_t len = strlen(key);

	while (strncmp(list, key, len) || list[len] != '=') {
		list = strchr(list, ',');
		if (!list)
			return false;
		list++;
	}
	list += len + 1;
	snprintf(buf, size, "%.*s", (int)strcspn(list, ","), list);
	return true;
}

/* Is there a control monitor on the chardev of this name? */
static bool is_control(const char *args, const char *end, const char *id)
{
	char chardev[64], mode[16];

	for (const char *a = args; a < end; a += strlen(a) + 1)
		if (!strcmp(a, "-mon") && a + 5 < end &&
		    option(a + 5, "chardev", chardev, sizeof(chardev)) && !strcmp(chardev, id) &&
		    option(a + 5, "mode", mode, sizeof(mode)) && !strcmp(mode, "control"))
			return true;
	return false;
}

bool qemu_find_socket(const char *args, size_t len, struct qmp_socket *out)
{
	const char *end = args + len, *value;
	char id[64], abstract[8];

	*out = (struct qmp_socket){.abstract = false};
	for (const char *a = args; a < end; a = value) {
		value = a + strlen(a) + 1;
		if (value >= end)
			return false;
		if (!strcmp(a, "-qmp") && !strncmp(value, "unix:", 5)) {
			snprintf(out->path, sizeof(out->path), "%.*s", (int)strcspn(value + 5, ","),
				 value + 5);
			return true;
		}
		if (strcmp(a, "-chardev") || strncmp(value, "socket,", 7) ||
		    !option(value, "id", id, sizeof(id)) ||
		    !option(value, "path", out->path, sizeof(out->path)) ||
		    !is_control(args, end, id))
			continue;
		out->abstract = option(value, "abstract", abstract, sizeof(abstract)) &&
				!strcmp(abstract, "on");
		return true;
	}
	return false;
}

bool qemu_socket_of(pid_t tgid, struct qmp_socket *out)
{
	struct strbuf args = STRBUF_INIT;
	char file[64], path[108];
	const char *from = "cwd/";
	bool found;

	snprintf(file, sizeof(file), "/proc/%d/cmdline", (int)tgid);
	found = !file_read(file, &args) && args.len && qemu_find_socket(args.buf, args.len, out);
	strbuf_free(&args);
	/* It may live in a container, or have been started elsewhere. */
	out->tgid = tgid;
	if (found && !out->abstract) {
		if (out->path[0] == '/')
			from = "root";
		snprintf(path, sizeof(path), "/proc/%d/%s%.80s", (int)tgid, from, out->path);
		memcpy(out->path, path, sizeof(path));
	}
	return found;
}

/* ---- asking ---- */

/* Whoever is at the other end: all he says is within a time and a number of bytes. */
struct monitor {
	int fd;
	uint64_t deadline_ns;
	size_t heard;
	struct strbuf in; /* after the last line */
};

/*
 * The one who listens is the process whose command line names the socket, not somebody that it wants
 * asked.
 */
static bool listens(int fd, pid_t tgid)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return !tgid || (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) && peer.pid == tgid);
}

static bool dial(struct monitor *m, const struct qmp_socket *s)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t len = strlen(s->path);

	*m = (struct monitor){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
			      .deadline_ns = clock_ns() + ANSWER_NS};
	memcpy(a.sun_path + s->abstract, s->path, MIN(len, sizeof(a.sun_path) - 1));
	if (m->fd >= 0 &&
	    (connect(m->fd, (struct sockaddr *)&a,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + s->abstract + len)) ||
	     !listens(m->fd, s->tgid)))
		close_fd(&m->fd);
	return m->fd >= 0;
}

/* More bytes; false: no more in time, or too many. */
static bool hear(struct monitor *m)
{
	struct pollfd p = {m->fd, POLLIN, 0};
	uint64_t now = clock_ns();
	char buf[4096];
	ssize_t n;

	if (now >= m->deadline_ns || m->heard > ANSWER_BYTES ||
	    poll(&p, 1, (int)((m->deadline_ns - now) / NSEC_PER_MSEC) + 1) <= 0)
		return false;
	n = read(m->fd, buf, sizeof(buf));
	if (n <= 0)
		return false;
	strbuf_add(&m->in, buf, (size_t)n);
	m->heard += (size_t)n;
	return true;
}

/* The next line that is an answer: events may come in between. NULL: none in time. */
static json_t *answer(struct monitor *m)
{
	size_t looked_at = 0;

	for (;;) {
		char *nl = NULL;
		json_t *j;
		size_t len;

		if (m->in.len > looked_at)
			nl = memchr(m->in.buf + looked_at, '\n', m->in.len - looked_at);

		looked_at = m->in.len;
		if (!nl) {
			if (!hear(m))
				return NULL;
			continue;
		}
		len = (size_t)(nl - m->in.buf);
		j = json_loadb(m->in.buf, len, 0, NULL);
		m->in.len -= len + 1;
		memmove(m->in.buf, nl + 1, m->in.len);
		looked_at = 0;
		if (json_object_get(j, "return"))
			return j;
		json_decref(j);
	}
}

static json_t *ask(struct monitor *m, const char *command)
{
	size_t len = strlen(command);

	if (send(m->fd, command, len, MSG_NOSIGNAL) != (ssize_t)len)
		return NULL;
	return answer(m);
}

size_t qemu_regions(const struct qmp_socket *s, struct stats_region *out, size_t max)
{
	json_t *ok = NULL, *map = NULL;
	struct monitor m;
	const char *text;
	size_t n = 0;

	if (!dial(&m, s))
		return 0;
	ok = ask(&m, "{\"execute\": \"qmp_capabilities\"}\n");
	if (ok)
		map = ask(&m, "{\"execute\": \"human-monitor-command\", \"arguments\": "
			      "{\"command-line\": \"info mtree -f\"}}\n");
	text = json_string_value(json_object_get(map, "return"));
	if (text)
		n = qemu_parse_mtree(text, out, max);
	json_decref(ok);
	json_decref(map);
	close(m.fd);
	strbuf_free(&m.in);
	return n;
}

/* ---- the memory map ---- */

enum space { SPACE_OTHER, SPACE_MEMORY, SPACE_IO };

/* "  00000000febd0000-00000000febd0fff (prio 0, i/o): e1000-mmio @0000000000000100" */
static bool parse_line(const char *line, struct stats_region *r)
{
	uint64_t first, last, offset = 0;
	char name[STATS_NAME];
	int at = 0;

	if (sscanf(line, " %" SCNx64 "-%" SCNx64 " (prio %*d, i/o): %n", &first, &last, &at) != 2 || !at)
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(line + at, " \r\n"), line + at);
	sscanf(line + at + strcspn(line + at, " \r\n"), " @%" SCNx64, &offset);
	/* The spaces' own leftovers, which no device has. */
	if (!*name || !strcmp(name, "io") || !strcmp(name, "system"))
		return false;
	*r = (struct stats_region){.base = first, .len = last - first + 1};
	/* What is beyond an overlay is still the device's: its registers count from the device's start. */
	if (offset && offset <= first) {
		r->base -= offset;
		r->len += offset;
	}
	memcpy(r->name, name, sizeof(name));
	return true;
}

size_t qemu_parse_mtree(const char *text, struct stats_region *out, size_t max)
{
	enum space space = SPACE_OTHER;
	size_t n = 0;

	for (const char *line = text; *line && n < max; line += strcspn(line, "\n"), line += *line == '\n') {
		if (!strncmp(line, "FlatView", 8))
			space = SPACE_OTHER;
		else if (!strncmp(line, " AS \"memory\"", 12))
			space = SPACE_MEMORY;
		else if (!strncmp(line, " AS \"I/O\"", 9))
			space = SPACE_IO;
		else if (space != SPACE_OTHER && parse_line(line, &out[n]))
			out[n++].is_pio = space == SPACE_IO;
	}
	return n;
}
