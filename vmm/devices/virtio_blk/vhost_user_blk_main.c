// SPDX-License-Identifier: MIT
/* vhost-user-blk: serves a medium to the virtio-blk device of another process. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vmm/core/threads.h"
#include "vmm/devices/virtio_blk/blk_back.h"
#include "vmm/vhost/server.h"

struct args {
	struct vu_server server;
	const char *disk, *stats;
	uint64_t stats_fd;
};

static const struct opt opts[] = {
	{"disk", 'd', OPT_STR, offsetof(struct args, disk), "FILE[,K=V]",
	 "raw image or block device, and the options of the VMM's virtio-blk"},
	{"stats", 0, OPT_STR, offsetof(struct args, stats), "fd=N",
	 "count in the statistics page of the VMM that has this memfd too"},
	VU_SERVER_OPTS,
	OPT_END,
};

static const struct command command = {
	.name = "",
	.args = "--socket PATH --disk FILE[,K=V...]",
	.summary = "serve a disk over vhost-user",
	.details =
		"Listens on a unix socket and serves the medium to whatever VMM connects, one at a time:\n"
		"`vmm --disk mode=vhost-user-blk,path=PATH`, or QEMU with\n"
		"  -object memory-backend-memfd,id=m,size=512M,share=on -machine memory-backend=m\n"
		"  -chardev socket,id=c,path=PATH,reconnect-ms=100 -device vhost-user-blk-pci,chardev=c\n"
		"\nOptions of --disk: file readonly direct cache engine serial queues poll_us, and size, the smallest ring\n"
		"that a VMM may use (default 128).\n"
		"\nExit status: 0 ended by SIGTERM or SIGINT (or --once), 2 bad arguments, 3 this host cannot.",
	.examples =
		"vhost-user-blk --socket /run/vub.sock --disk debian.raw\n"
		"vhost-user-blk -s vub.sock -d /dev/nullb0,queues=2,engine=sync",
	.opts = opts,
};

static void parse_args(int argc, char **argv, struct args *a)
{
	int r = opts_parse("vhost-user-blk", &command, &argc, argv, a);

	if (r)
		exit(r > 0 ? EXIT_OK : EXIT_USAGE);
	if (argc > 1)
		die(EXIT_USAGE, "%s: takes options only; see --help", argv[1]);
	if (!a->server.socket || !a->disk)
		die(EXIT_USAGE, "--socket and --disk are both needed; see --help");
	if (a->stats && (strncmp(a->stats, "fd=", 3) != 0 || parse_u64(a->stats + 3, &a->stats_fd) ||
			 a->stats_fd > INT16_MAX))
		die(EXIT_USAGE, "--stats=%s: want fd=N, an open memfd", a->stats);
}

static int open_disk(struct blk_back *b, struct threads *threads, const struct args *a)
{
	char *text = disk_opts_text(a->disk);
	int stats_fd = -1, err;
	struct dev_opts *o;

	if (a->stats)
		stats_fd = (int)a->stats_fd;
	err = dev_opts_parse(&o, text);
	free(text);
	if (err)
		return err;
	err = blk_back_init(b, threads, o, stats_fd);
	if (!err)
		err = dev_opts_done(o);
	dev_opts_free(o);
	return err;
}

int main(int argc, char **argv)
{
	struct args a = {.server.sandbox = SANDBOX_DEFAULT, .server.sandbox_parts = SANDBOX_DISK};
	struct threads threads = {0};
	struct blk_back back;
	int err;

	log_init("vhost-user-blk", LOG_INFO);
	parse_args(argc, argv, &a);
	a.server.signals = vu_server_signals();
	a.server.threads = &threads;
	a.server.back = &back.vu;
	err = open_disk(&back, &threads, &a);
	if (err)
		exit(err == -EINVAL ? EXIT_USAGE : EXIT_CANNOT);
	vu_server_run(&a.server);
	blk_back_exit(&back);
	return EXIT_OK;
}
