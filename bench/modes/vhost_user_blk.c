// SPDX-License-Identifier: MIT
/* virtio-blk, served by another process over vhost-user's socket: ours, or qemu-storage-daemon. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "bench/host/programs.h"
#include "bench/modes/block.h"

#define HELPER_KNOBS "backend " BLOCK_KNOBS

static bool is_foreign(const struct knobs *ks)
{
	return !strcmp(knobs_get(ks, "backend", "builtin"), "qemu");
}

static const char *foreign_program(const struct knobs *ks)
{
	if (is_foreign(ks))
		return storage_daemon_program();
	return NULL;
}

/* ---- our own ---- */

static int serve_ours(struct device_path *p, const struct path_want *want)
{
	static const char *const told[] = {"queues", "engine", "cache", "poll_us"};
	char *program = path_helper_program(want, "vhost-user-blk");
	struct proc_opts o = {.keep_fds = &want->stats_fd, .n_keep = want->stats_fd >= 0};
	struct strbuf disk = STRBUF_INIT;
	struct strlist argv = STRLIST_INIT;
	int err;

	if (!program)
		return -ENOENT;
	strbuf_addf(&disk, "--disk=file=%s", p->medium.path);
	for (size_t i = 0; i < ARRAY_SIZE(told); i++)
		if (knobs_get(want->knobs, told[i], NULL))
			strbuf_addf(&disk, ",%s=%s", told[i], knobs_get(want->knobs, told[i], NULL));
	strlist_add(&argv, program);
	strlist_addf(&argv, "--socket=%s", p->socket);
	strlist_add(&argv, strbuf_str(&disk));
	if (want->stats_fd >= 0)
		strlist_addf(&argv, "--stats=fd=%d", want->stats_fd);
	err = path_start_helper(p, want, argv.v, &o, "vhost-user-blk.log");
	strlist_free(&argv);
	strbuf_free(&disk);
	free(program);
	return err;
}

/* ---- qemu-storage-daemon ---- */

static int check_foreign(const struct path_want *want)
{
	const char *cache = knobs_get(want->knobs, "cache", "writeback");

	if (!strcmp(cache, "writeback"))
		return 0;
	log_error("--set cache=%s: qemu-storage-daemon exports its disk with a cache; leave it out or use backend=builtin",
		  cache);
	return -ENOTSUP;
}

static int serve_foreign(struct device_path *p, const struct path_want *want)
{
	struct strlist argv = STRLIST_INIT;
	struct proc_opts o = {0};
	int err = check_foreign(want);

	if (err)
		return err;
	p->foreign_helper = true;
	block_storage_daemon(p, want, &argv);
	strlist_add(&argv, "--export");
	strlist_addf(&argv,
		     "type=vhost-user-blk,id=e0,node-name=m0,writable=on,iothread=io0,num-queues=%u,"
		     "addr.type=unix,addr.path=%s",
		     (unsigned)knobs_u64(want->knobs, "queues", 1), p->socket);
	err = path_start_helper(p, want, argv.v, &o, "qemu-storage-daemon.log");
	strlist_free(&argv);
	return err;
}

static int vhost_user_blk_serve(struct device_path *p, const struct path_want *want)
{
	int err = path_make_socket(p, want);

	if (err)
		return err;
	if (is_foreign(want->knobs))
		return serve_foreign(p, want);
	return serve_ours(p, want);
}

const struct mode mode_vhost_user_blk = {
	.name = "vhost-user-blk",
	.kind = MODE_BLOCK,
	.guests = GUEST_LINUX | GUEST_MICRO,
	.front = FRONT_VIRTIO_BLK,
	.server = SERVER_HELPER,
	.modules = virtio_blk_modules,
	.knobs = HELPER_KNOBS " queues ioeventfd ring event_idx indirect in_order irq notify",
	.helper_knobs = HELPER_KNOBS,
	.make = block_make,
	.helper_program = foreign_program,
	.serve = vhost_user_blk_serve,
};
