// SPDX-License-Identifier: MIT
/* virtio-net, served by another process over vhost-user's socket. */
#include <errno.h>
#include <stdlib.h>

#include "base/strbuf.h"
#include "base/strlist.h"
#include "bench/modes/net.h"

static int vhost_user_serve(struct device_path *p, const struct path_want *want)
{
	char *program = path_helper_program(want, "vhost-user-net");
	int fd[PATH_FDS], n = path_fds(p, fd), err;
	struct proc_opts o = {.keep_fds = fd, .n_keep = n};
	struct strlist argv = STRLIST_INIT;
	struct strbuf taps = STRBUF_INIT;

	if (!program)
		return -ENOENT;
	err = path_make_socket(p, want);
	if (err) {
		free(program);
		return err;
	}
	for (int i = 0; i < n; i++)
		strbuf_addf(&taps, "%s%d", text_if(i, ":"), fd[i]);
	strlist_add(&argv, program);
	strlist_addf(&argv, "--socket=%s", p->socket);
	strlist_addf(&argv, "--tap=fd=%s", strbuf_str(&taps));
	strlist_addf(&argv, "--queues=%d", n);
	err = path_start_helper(p, want, argv.v, &o, "vhost-user.log");
	strlist_free(&argv);
	strbuf_free(&taps);
	free(program);
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
