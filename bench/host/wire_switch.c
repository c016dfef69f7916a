// SPDX-License-Identifier: MIT
/* Wires that go over a bridge of ours. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>
#include <netlink/route/link.h>
#include <netlink/route/link/bridge.h>

#include "base/log.h"
#include "bench/host/link.h"
#include "bench/host/wire.h"

/* A switch of our own: a bridge in a namespace without a name, with the TAP and the card as its ports. */
struct switch_job {
	struct wire *w;
	unsigned queues;
	const char *card;
};

static int make_bridge(struct nl_sock *sk)
{
	/* The bridge forwards at once: no spanning tree, no learning delay. */
	if (rtnl_link_bridge_add(sk, "sw0"))
		return -EOPNOTSUPP;
	return link_up("sw0");
}

static int enslave_port(struct nl_sock *sk, const char *port)
{
	if (rtnl_link_enslave_ifindex(sk, (int)if_nametoindex("sw0"), (int)if_nametoindex(port)))
		return -EOPNOTSUPP;
	return link_up(port);
}

/* The first TAP comes with the switch and the card, the others join. */
static int add_tap(void *arg)
{
	struct switch_job *j = arg;
	struct nl_sock *sk = link_socket();
	int err = -ENOMEM;

	if (sk)
		err = wire_open_tap(j->w, j->queues, "tap%d");
	if (!err && j->card) {
		err = make_bridge(sk);
		if (!err)
			err = enslave_port(sk, j->card);
	}
	if (!err)
		err = enslave_port(sk, j->w->tap);
	nl_socket_free(sk);
	return err;
}

/* The own card becomes a port of a switch that is made in a namespace of its own. */
static int open_switch(struct wire *w, const char *peer_nic, const char *own_nic, bool ipv6)
{
	int err = wire_cards(w, peer_nic, NULL, 0, ipv6);

	if (!err && own_nic)
		err = wire_check_unused(own_nic);
	if (err)
		return err;
	w->switch_ns = netns_new();
	if (w->switch_ns < 0)
		return w->switch_ns;
	if (!own_nic)
		return 0;
	return wire_take_card(&w->own_card, own_nic, w->switch_ns);
}

int wire_switched(struct wire *w, unsigned queues, const char *peer_nic, const char *own_nic, bool ipv6)
{
	struct switch_job j = {w, queues, own_nic};
	int err = open_switch(w, peer_nic, own_nic, ipv6);

	if (!err)
		err = netns_run(&w->switch_ns, add_tap, &j);
	if (err)
		log_error("switch of %s and the TAP: %s; modprobe bridge", own_nic, strerror(-err));
	return err;
}

/* The container's port, and the card's or else the peer's. */
static int add_container(void *arg)
{
	const struct switch_job *j = arg;
	const char *out = j->card ? j->card : "out";
	struct nl_sock *sk = link_socket();
	int err = -ENOMEM;

	if (sk)
		err = make_bridge(sk);
	if (!err)
		err = wire_make_veth("port", "eth0", j->w->agent_ns);
	if (!err)
		err = enslave_port(sk, "port");
	if (!err && !j->card)
		err = wire_make_veth(out, "tap0", j->w->peer_ns);
	if (!err)
		err = enslave_port(sk, out);
	nl_socket_free(sk);
	return err;
}

int wire_container(struct wire *w, const char *peer_nic, const char *own_nic, bool ipv6)
{
	struct link_setup peer = {"tap0", wire_peer_mac, WIRE_HOST_PEER},
			  agent = {"eth0", WIRE_GUEST_MAC, WIRE_HOST_GUEST};
	struct switch_job j = {w, 0, own_nic};
	int err = open_switch(w, peer_nic, own_nic, ipv6);

	if (!err && !own_nic)
		w->peer_ns = netns_new();
	if (!err)
		w->agent_ns = netns_new();
	if (!err && !own_nic)
		err = MIN(w->peer_ns, 0);
	if (!err)
		err = MIN(w->agent_ns, 0);
	if (!err)
		err = netns_run(&w->switch_ns, add_container, &j);
	if (!err && !own_nic)
		err = netns_run(&w->peer_ns, link_setup, &peer);
	if (!err)
		err = netns_run(&w->agent_ns, link_setup, &agent);
	if (err)
		log_error("a container's bridge: %s; load the modules veth and bridge, or use --on=lab", strerror(-err));
	return err;
}

int wire_join(struct wire *w, const struct wire *first, unsigned vm, unsigned queues, bool ipv6)
{
	struct switch_job j = {w, queues, NULL};
	int err = 0;

	wire_init(w, vm, ipv6);
	w->peer_ns = fcntl(first->peer_ns, F_DUPFD_CLOEXEC, 0);
	if (w->peer_ns < 0)
		return -errno;
	if (queues) {
		w->switch_ns = fcntl(first->switch_ns, F_DUPFD_CLOEXEC, 0);
		if (w->switch_ns < 0)
			err = -errno;
		else
			err = netns_run(&w->switch_ns, add_tap, &j);
	}
	if (err)
		log_error("one more TAP on the switch: %s", strerror(-err));
	return err;
}
