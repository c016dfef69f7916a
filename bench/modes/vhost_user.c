// SPDX-License-Identifier: MIT
/* virtio-net, served by another process over vhost-user's socket. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/journal.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "bench/host/paths.h"
#include "bench/modes/net.h"

#define SOCKET_WAIT_NS (5 * NSEC_PER_SEC)

static int vhost_user_spawn(struct device_path *p, const struct path_want *want, const char *program)
{
	int fd[PATH_FDS], n = path_fds(p, fd), err;
	struct proc_opts o = {.keep_fds = fd, .n_keep = n};
	struct strlist argv = STRLIST_INIT;
	struct strbuf taps = STRBUF_INIT;

	for (int i = 0; i < n; i++)
		strbuf_addf(&taps, "%s%d", text_if(i, ":"), fd[i]);
	strlist_add(&argv, program);
	strlist_addf(&argv, "--socket=%s", p->socket);
	strlist_addf(&argv, "--tap=fd=%s", strbuf_str(&taps));
	strlist_addf(&argv, "--queues=%d", n);
	err = proc_spawn_logged(&p->helper, argv.v, &o, want->log_dir, "vhost-user.log");
	strlist_free(&argv);
	strbuf_free(&taps);
	return err;
}

static int vhost_user_serve(struct device_path *p, const struct path_want *want)
{
	const char *program = text_or(want->helper, path_tool("vhost-user-net"));
	uint64_t until = clock_ns() + SOCKET_WAIT_NS;
	int err;

	if (!program)
		return -ENOENT;
	err = dir_make_all(journal_dir());
	if (err)
		return err;
	p->socket = xasprintf("%s/vu-%d-%u-%u.sock", journal_dir(), getpid(), want->sample, want->vm);
	err = vhost_user_spawn(p, want, program);
	while (!err && !file_exists(p->socket) && clock_ns() < until)
		clock_sleep_ns(10 * NSEC_PER_MSEC);
	return err;
}

const struct mode mode_vhost_user = {
	.name = "vhost-user",
	.kind = MODE_NET,
	.needs = NEED_ROOT | NEED_TAP,
	.guests = GUEST_LINUX | GUEST_MICRO,
	.front = FRONT_VIRTIO_NET,
	.server = SERVER_HELPER,
	.modules = virtio_net_modules,
	.knobs = VIRTIO_NET_KNOBS " in_order",
	.make = net_make_tap,
	.serve = vhost_user_serve,
};
