// SPDX-License-Identifier: MIT
/* vhost-user-net: serves a TAP to the virtio-net device of another process. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vmm/core/threads.h"
#include "vmm/devices/virtio_net/net_back.h"
#include "vmm/vhost/server.h"

struct args {
	struct vu_server server;
	const char *tap;
	uint64_t queues, poll_us;
};

static const struct opt opts[] = {
	{"tap", 't', OPT_STR, offsetof(struct args, tap), "TAP",
	 "by name (t0) or as inherited fds (fd=5:6)"},
	{"queues", 'q', OPT_U64, offsetof(struct args, queues), "N", "queue pairs (default 1)"},
	{"poll-us", 'p', OPT_U64, offsetof(struct args, poll_us), "US",
	 "poll this long before sleeping (default 0)"},
	VU_SERVER_OPTS,
	OPT_END,
};

static const struct command command = {
	.name = "",
	.args = "--socket PATH --tap NAME|fd=N[:N...]",
	.summary = "serve a TAP over vhost-user",
	.details =
		"Listens on a unix socket and moves packets between the TAP and the rings of whatever VMM connects, one\n"
		"at a time: `vmm --net mode=vhost-user,path=PATH`, or QEMU with\n"
		"  -object memory-backend-memfd,id=m,size=512M,share=on -numa node,memdev=m\n"
		"  -chardev socket,id=c,path=PATH -netdev vhost-user,id=n,chardev=c -device virtio-net-pci,netdev=n\n"
		"\nExit status: 0 ended by SIGTERM or SIGINT (or --once), 2 bad arguments, 3 this host cannot.",
	.examples =
		"vhost-user-net --socket /run/vu.sock --tap t0\nvhost-user-net -s vu.sock -t fd=5:6 -q 2",
	.opts = opts,
};

/* The keys that mode=virtio of the VMM takes. */
static int open_backend(struct net_backend *be, const struct args *a)
{
	char *text = xasprintf("%s%s,poll_us=%llu", strncmp(a->tap, "fd=", 3) ? "tap=" : "", a->tap,
			       (unsigned long long)a->poll_us);
	struct dev_opts *o;
	int err = dev_opts_parse(&o, text);

	free(text);
	if (err)
		return err;
	err = be->ops->open(be, o);
	if (!err)
		err = dev_opts_done(o);
	dev_opts_free(o);
	return err;
}

static void parse_args(int argc, char **argv, struct args *a)
{
	int r = opts_parse("vhost-user-net", &command, &argc, argv, a);

	if (r)
		exit(r > 0 ? EXIT_OK : EXIT_USAGE);
	if (argc > 1)
		die(EXIT_USAGE, "%s: takes options only; see --help", argv[1]);
	if (!a->server.socket || !a->tap)
		die(EXIT_USAGE, "--socket and --tap are both needed; see --help");
	if (!a->queues || a->queues > NET_PAIRS_MAX)
		die(EXIT_USAGE, "--queues %llu: 1 to %d", (unsigned long long)a->queues,
		    NET_PAIRS_MAX);
}

int main(int argc, char **argv)
{
	struct args a = {.queues = 1, .server.sandbox = SANDBOX_DEFAULT};
	struct threads threads = {0};
	struct net_backend be = {.ops = &net_backend_virtio, .dev_name = "vhost-user", .threads = &threads};
	struct net_back back;
	int err;

	log_init("vhost-user-net", LOG_INFO);
	parse_args(argc, argv, &a);
	a.server.signals = vu_server_signals();
	a.server.threads = &threads;
	a.server.back = &back.vu;
	be.pairs = (unsigned)a.queues;
	err = open_backend(&be, &a);
	if (!err)
		err = net_back_init(&back, &be);
	if (err)
		exit(err == -EINVAL ? EXIT_USAGE : EXIT_CANNOT);
	vu_server_run(&a.server);
	vu_back_exit(&back.vu);
	be.ops->close(&be);
	return EXIT_OK;
}
