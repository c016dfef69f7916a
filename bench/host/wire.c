// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>

#include "base/log.h"
#include "bench/host/link.h"
#include "bench/host/wire.h"

/* Room for the offloads' 64 KiB; the vnet_hdr of virtio 1.x. */
#define TAP_FLAGS (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)

const char wire_peer_mac[] = "52:54:00:77:00:01";

int wire_open_tap(struct wire *w, unsigned queues, const char *name)
{
	if (queues < 1 || queues >= WIRE_QUEUES) {
		log_error("queues=%u: expected 1 to %d", queues, WIRE_QUEUES - 1);
		return -EINVAL;
	}
	for (unsigned i = 0; i < queues; i++) {
		struct ifreq ifr = {.ifr_flags = 0};
		int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

		if (fd < 0)
			return -errno;
		w->tap_fd[i] = fd;
		snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", i ? w->tap : name);
		ifr.ifr_flags = (short)(TAP_FLAGS | bits_if(queues > 1, IFF_MULTI_QUEUE));
		if (ioctl(fd, TUNSETIFF, &ifr))
			return -errno;
		snprintf(w->tap, sizeof(w->tap), "%s", ifr.ifr_name);
	}
	return 0;
}

struct tap_job {
	struct wire *w;
	unsigned queues;
};

static int open_tap(void *arg)
{
	struct link_setup s = {"tap0", wire_peer_mac, WIRE_HOST_PEER};
	const struct tap_job *j = arg;
	int err = wire_open_tap(j->w, j->queues, s.name);

	if (err)
		return err;
	return link_setup(&s);
}

void wire_init(struct wire *w, unsigned vm, bool ipv6)
{
	unsigned host = WIRE_HOST_GUEST + vm;

	*w = (struct wire){.peer_ns = -1, .agent_ns = -1, .switch_ns = -1};
	for (int i = 0; i < WIRE_QUEUES; i++)
		w->tap_fd[i] = -1;
	if (ipv6) {
		snprintf(w->peer_addr, sizeof(w->peer_addr), WIRE_NET6 "%d", WIRE_HOST_PEER);
		snprintf(w->guest_addr, sizeof(w->guest_addr), WIRE_NET6 "%x/64", host);
	} else {
		snprintf(w->peer_addr, sizeof(w->peer_addr), WIRE_NET4 "%d", WIRE_HOST_PEER);
		snprintf(w->guest_addr, sizeof(w->guest_addr), WIRE_NET4 "%u/24", host);
	}
	snprintf(w->mac, sizeof(w->mac), "%.*s%02x", (int)sizeof(WIRE_GUEST_MAC) - 3, WIRE_GUEST_MAC, host);
}

int wire_tap(struct wire *w, unsigned queues, bool ipv6)
{
	struct tap_job j = {w, queues};
	int err;

	wire_init(w, 0, ipv6);
	w->peer_ns = netns_new();
	if (w->peer_ns < 0)
		return w->peer_ns;
	err = netns_run(&w->peer_ns, open_tap, &j);
	if (err == -ENOENT)
		log_error("TAP: %s; load the module tun, or use --on=lab", strerror(-err));
	else if (err)
		log_error("TAP: %s%s", strerror(-err),
			  text_if(err == -EPERM || err == -EACCES, "; run as root, or use --on=lab"));
	return err;
}

int wire_alone(struct wire *w, bool ipv6)
{
	wire_init(w, 0, ipv6);
	w->peer_ns = netns_new();
	if (w->peer_ns < 0)
		return w->peer_ns;
	return 0;
}

int wire_leave_tap(struct wire *w)
{
	int err = 0;

	for (int i = 0; i < WIRE_QUEUES && w->tap_fd[i] >= 0; i++) {
		if (!err && ioctl(w->tap_fd[i], TUNSETPERSIST, 1))
			err = -errno;
		close_fd(&w->tap_fd[i]);
	}
	if (err)
		log_error("TAP %s: %s", w->tap, strerror(-err));
	if (err)
		return err;
	return w->switch_ns >= 0 ? w->switch_ns : w->peer_ns;
}

int wire_make_veth(const char *name, const char *far, int far_ns)
{
	struct nl_sock *sk = link_socket();
	struct rtnl_link *l = rtnl_link_veth_alloc(), *peer = NULL;
	int err = -ENOMEM;

	if (l)
		peer = rtnl_link_veth_get_peer(l);
	if (sk && peer) {
		rtnl_link_set_name(l, name);
		rtnl_link_set_name(peer, far);
		rtnl_link_set_ns_fd(peer, far_ns);
		err = 0;
		if (rtnl_link_add(sk, l, NLM_F_CREATE | NLM_F_EXCL))
			err = -EOPNOTSUPP;
	}
	rtnl_link_put(peer);
	rtnl_link_put(l);
	nl_socket_free(sk);
	return err;
}

static int make_veth(void *arg)
{
	const struct wire *w = arg;

	return wire_make_veth("eth0", "tap0", w->peer_ns);
}

int wire_veth(struct wire *w, bool ipv6)
{
	struct link_setup peer = {"tap0", wire_peer_mac, WIRE_HOST_PEER},
			  agent = {"eth0", WIRE_GUEST_MAC, WIRE_HOST_GUEST};
	int err;

	wire_init(w, 0, ipv6);
	w->peer_ns = netns_new();
	if (w->peer_ns < 0)
		return w->peer_ns;
	w->agent_ns = netns_new();
	if (w->agent_ns < 0)
		return w->agent_ns;
	err = netns_run(&w->agent_ns, make_veth, w);
	if (!err)
		err = netns_run(&w->peer_ns, link_setup, &peer);
	if (!err)
		err = netns_run(&w->agent_ns, link_setup, &agent);
	if (err)
		log_error("veth pair: %s; load the module veth, or use --on=lab", strerror(-err));
	return err;
}

void wire_close(struct wire *w)
{
	for (int i = 0; i < WIRE_QUEUES; i++)
		close_fd(&w->tap_fd[i]);
	wire_give_back(w);
	close_fd(&w->peer_ns);
	close_fd(&w->agent_ns);
	close_fd(&w->switch_ns);
}
