// SPDX-License-Identifier: MIT
/*
 * libFuzzer: a QEMU that says what the input says: on its monitor, as its memory map and as its command
 * line. Its socket has answered before it is asked.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "probes/qemu_names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REGIONS 64

struct said {
	const uint8_t *data;
	size_t size;
	int listener;
};

static void *answer(void *arg)
{
	struct said *s = arg;
	int fd = accept(s->listener, NULL, NULL);

	if (fd < 0)
		return NULL;
	if (send(fd, s->data, s->size, MSG_NOSIGNAL) < 0) {
		/* It has heard enough. */
	}
	close(fd);
	return NULL;
}

static void check(const struct stats_region *r, size_t n)
{
	if (n > REGIONS)
		abort();
	for (size_t i = 0; i < n; i++)
		if (strnlen(r[i].name, sizeof(r[i].name)) == sizeof(r[i].name))
			abort();
}

static void ask(struct said *s)
{
	static struct stats_region region[REGIONS];
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct qmp_socket q = {.abstract = true};
	pthread_t thread;

	snprintf(q.path, sizeof(q.path), "exitlab-fuzz-%d", getpid());
	memcpy(sun.sun_path + 1, q.path, strlen(q.path));
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(s->listener, (struct sockaddr *)&sun,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(q.path))) ||
	    listen(s->listener, 1) || pthread_create(&thread, NULL, answer, s))
		abort();
	check(region, qemu_regions(&q, region, REGIONS));
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(s->listener);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct stats_region region[REGIONS];
	struct said said = {data, size, -1};
	struct qmp_socket q;
	char *text = malloc(size + 1);

	log_init("fuzz", -1);
	memcpy(text, data, size);
	text[size] = '\0';
	check(region, qemu_parse_mtree(text, region, REGIONS));
	if (qemu_find_socket(text, size + 1, &q) && strnlen(q.path, sizeof(q.path)) == sizeof(q.path))
		abort();
	free(text);
	ask(&said);
	return 0;
}
