// SPDX-License-Identifier: MIT
/* The real wire: cards that go into namespaces and come back, alone or as ports of a switch. */
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <netlink/route/link.h>
#include <netlink/route/link/vlan.h>

#include "base/log.h"
#include "bench/host/link.h"
#include "bench/host/wire.h"

static const char vlan_name[] = "vlan0";

/* Every card has a link-local address of IPv6, so that one does not count. */
static bool is_own_address(const struct sockaddr *sa)
{
	const struct sockaddr_in6 *in6 = (const void *)sa;

	if (!sa || sa->sa_family != AF_INET6)
		return sa && sa->sa_family == AF_INET;
	return !IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr);
}

/* A card with addresses carries this host's own traffic: taking it away could cut us off. */
int wire_check_unused(const char *nic)
{
	struct ifaddrs *all = NULL;
	int err = 0;

	if (getifaddrs(&all))
		return -errno;
	for (const struct ifaddrs *a = all; a && !err; a = a->ifa_next) {
		if (strcmp(a->ifa_name, nic) || !is_own_address(a->ifa_addr))
			continue;
		log_error("%s: this host uses it (it has an address); name another card with --nic, or ip addr flush dev %s", nic, nic);
		err = -EBUSY;
	}
	freeifaddrs(all);
	return err;
}

int wire_take_card(struct wire_card *card, const char *nic, int ns_fd)
{
	bool was_up = link_is_up(nic);
	int err = link_move(nic, ns_fd);

	if (err)
		return err;
	snprintf(card->name, sizeof(card->name), "%s", nic);
	card->was_up = was_up;
	return 0;
}

struct return_job {
	const char *name;
	int ns_fd;
};

static int return_card(void *arg)
{
	const struct return_job *j = arg;

	return link_move(j->name, j->ns_fd);
}

static void give_back(struct wire_card *card, int ns_fd, int home)
{
	struct return_job j = {card->name, home};
	struct link_coalesce c = {card->name, card->rx_usecs};

	if (!*card->name)
		return;
	/* What has no driver behind it (veth) may be gone; a card comes back with the namespace's end at the
	 * latest. */
	if (netns_run(&ns_fd, return_card, &j))
		log_debug("%s: not there to come back", card->name);
	else if (card->was_up)
		link_up(card->name);
	if (card->unthrottled)
		link_coalesce_swap(&c);
	*card = (struct wire_card){0};
}

void wire_give_back(struct wire *w)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (home < 0)
		return;
	give_back(&w->peer_card, w->peer_ns, home);
	give_back(&w->own_card, w->switch_ns >= 0 ? w->switch_ns : w->agent_ns, home);
	close(home);
}

static int move_card(struct wire_card *card, const char *nic, int ns_fd, const struct link_setup *s)
{
	int err = wire_take_card(card, nic, ns_fd);

	if (!err)
		err = netns_run(&ns_fd, link_setup, (void *)s);
	if (err)
		log_error("%s: cannot be moved into its network namespace: %s", nic, strerror(-err));
	return err;
}

struct vlan_job {
	const char *nic;
	int id;
};

static int make_vlan(void *arg)
{
	const struct vlan_job *j = arg;
	struct nl_sock *sk = link_socket();
	struct rtnl_link *l = rtnl_link_vlan_alloc();
	int err = -ENOMEM;

	if (sk && l)
		err = link_up(j->nic);
	if (!err) {
		rtnl_link_set_name(l, vlan_name);
		rtnl_link_set_link(l, (int)if_nametoindex(j->nic));
		rtnl_link_vlan_set_id(l, (uint16_t)j->id);
		if (rtnl_link_add(sk, l, NLM_F_CREATE | NLM_F_EXCL))
			err = -EOPNOTSUPP;
	}
	rtnl_link_put(l);
	nl_socket_free(sk);
	return err;
}

/* The virtual function's side is tagged and untagged by its card. */
static int move_card_vlan(struct wire_card *card, const char *nic, int ns_fd, int vlan)
{
	struct link_setup s = {vlan_name, NULL, WIRE_HOST_PEER};
	struct vlan_job v = {nic, vlan};
	int err = wire_take_card(card, nic, ns_fd);

	if (!err)
		err = netns_run(&ns_fd, make_vlan, &v);
	if (!err)
		err = netns_run(&ns_fd, link_setup, &s);
	if (err)
		log_error("%s: VLAN %d: %s; modprobe 8021q", nic, vlan, strerror(-err));
	return err;
}

static int move_peer_card(struct wire *w, const char *nic, int vlan)
{
	struct link_setup s = {nic, NULL, WIRE_HOST_PEER};
	int err = wire_check_unused(nic);

	if (err)
		return err;
	w->peer_ns = netns_new();
	if (w->peer_ns < 0)
		return w->peer_ns;
	if (vlan)
		return move_card_vlan(&w->peer_card, nic, w->peer_ns, vlan);
	return move_card(&w->peer_card, nic, w->peer_ns, &s);
}

int wire_cards(struct wire *w, const char *peer_nic, const char *own_nic, int vlan, bool ipv6)
{
	struct link_setup own = {own_nic, NULL, WIRE_HOST_GUEST};
	int err = 0;

	wire_init(w, 0, ipv6);
	if (own_nic)
		err = wire_check_unused(own_nic);
	if (!err && peer_nic)
		err = move_peer_card(w, peer_nic, vlan);
	if (err || !own_nic)
		return err;
	w->agent_ns = netns_new();
	if (w->agent_ns < 0)
		return w->agent_ns;
	return move_card(&w->own_card, own_nic, w->agent_ns, &own);
}

/* It is the lab's own card, so nothing outlasts a lab that is killed. */
int wire_throttle_off(struct wire *w)
{
	struct wire_card *card = &w->peer_card;
	struct link_coalesce c = {card->name, 0};
	int err;

	if (!*card->name)
		return 0;
	err = netns_run(&w->peer_ns, link_coalesce_swap, &c);
	if (err)
		log_error("%s: interrupt throttling cannot be switched off: %s", card->name, strerror(-err));
	card->unthrottled = !err;
	card->rx_usecs = c.rx_usecs;
	return err;
}

int wire_peer_card(const char *nic)
{
	struct wire w;
	int err;

	wire_init(&w, 0, false);
	err = move_peer_card(&w, nic, 0);
	if (err) {
		close_fd(&w.peer_ns);
		return err;
	}
	return w.peer_ns;
}
