// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/bridge.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/link/vlan.h>

#include "base/log.h"
#include "bench/wire.h"

#define NET4       "10.77.0."
#define NET6       "fd77::"
#define HOST_GUEST 2
#define HOST_PEER  1
/* Room for the offloads' 64 KiB; the vnet_hdr of virtio 1.x. */
#define TAP_FLAGS (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)

static const char peer_mac[] = "52:54:00:77:00:01", vlan_name[] = "vlan0";

/* Namespaces belong to threads: do the work in one that ends, and ours stays where it is. */
struct ns_job {
	int ns_fd; /* -1: a new namespace, returned here */
	int (*fn)(void *arg);
	void *arg;
	int err;
};

static void *ns_thread(void *arg)
{
	struct ns_job *j = arg;

	if (j->ns_fd >= 0 ? setns(j->ns_fd, CLONE_NEWNET) : unshare(CLONE_NEWNET)) {
		j->err = -errno;
		return NULL;
	}
	if (j->ns_fd < 0) {
		j->ns_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
		if (j->ns_fd < 0) {
			j->err = -errno;
			return NULL;
		}
	}
	j->err = j->fn(j->arg);
	return NULL;
}

static int in_netns(int *ns_fd, int (*fn)(void *arg), void *arg)
{
	struct ns_job j = {*ns_fd, fn, arg, 0};
	pthread_t t;
	int err = -pthread_create(&t, NULL, ns_thread, &j);

	if (err)
		return err;
	pthread_join(t, NULL);
	if (j.err && *ns_fd < 0)
		close_fd(&j.ns_fd);
	*ns_fd = j.ns_fd;
	return j.err;
}

static int link_up(const char *name)
{
	struct ifreq ifr = {.ifr_flags = 0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	err = fd < 0 || ioctl(fd, SIOCGIFFLAGS, &ifr) ? -errno : 0;
	ifr.ifr_flags |= IFF_UP; /* the others stay: a card keeps its MULTICAST when it goes back */
	err = err ? err : ioctl(fd, SIOCSIFFLAGS, &ifr) ? -errno : 0;
	close_fd(&fd);
	return err;
}

static int loopback_up(void *arg)
{
	(void)arg;
	return link_up("lo");
}

int wire_new_netns(void)
{
	int fd = -1, err = in_netns(&fd, loopback_up, NULL);

	if (err)
		log_error("network namespace: %s%s", strerror(-err),
			  err == -EPERM ? "; run as root, or use --on=lab" : "");
	return err ? err : fd;
}

static int add_address(struct nl_sock *sk, int ifindex, const char *text)
{
	struct rtnl_addr *addr = rtnl_addr_alloc();
	struct nl_addr *local = NULL;
	int err = addr ? nl_addr_parse(text, AF_UNSPEC, &local) : -NLE_NOMEM;

	if (!err) {
		rtnl_addr_set_ifindex(addr, ifindex);
		rtnl_addr_set_local(addr, local);
		/* No duplicate address detection: it would hold IPv6 back for a second. */
		if (nl_addr_get_family(local) == AF_INET6)
			rtnl_addr_set_flags(addr, 0x02 /* IFA_F_NODAD */);
		err = rtnl_addr_add(sk, addr, 0);
	}
	nl_addr_put(local);
	rtnl_addr_put(addr);
	return err ? -EIO : 0;
}

/* Address, MAC and state of one interface of the namespace that we are in. */
struct ifsetup {
	const char *name, *mac;
	int host;
};

static int set_mac(const char *name, const char *mac)
{
	struct ifreq ifr = {.ifr_hwaddr.sa_family = 1 /* ARPHRD_ETHER */};
	unsigned char *m = (unsigned char *)ifr.ifr_hwaddr.sa_data;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]);
	err = fd < 0 || ioctl(fd, SIOCSIFHWADDR, &ifr) ? -errno : 0;
	close_fd(&fd);
	return err;
}

static int setup_interface(void *arg)
{
	const struct ifsetup *s = arg;
	struct nl_sock *sk = nl_socket_alloc();
	char addr[48];
	int err = sk && !nl_connect(sk, NETLINK_ROUTE) ? 0 : -ENOMEM, index = (int)if_nametoindex(s->name);

	if (!index)
		err = -ENODEV;
	err = err || !s->mac ? err : set_mac(s->name, s->mac); /* cards keep their own */
	snprintf(addr, sizeof(addr), NET4 "%d/24", s->host);
	err = err ? err : add_address(sk, index, addr);
	snprintf(addr, sizeof(addr), NET6 "%d/64", s->host);
	/* A kernel without IPv6 still measures IPv4. */
	if (!err && add_address(sk, index, addr))
		log_debug("%s: no IPv6", s->name);
	err = err ? err : link_up(s->name);
	nl_socket_free(sk);
	return err;
}

struct tap_job {
	struct wire *w;
	unsigned queues;
};

static int open_tap_queues(struct tap_job *j)
{
	for (unsigned i = 0; i < j->queues; i++) {
		struct ifreq ifr = {.ifr_name = "tap0"};
		int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

		if (fd < 0)
			return -errno;
		j->w->tap_fd[i] = fd;
		ifr.ifr_flags = (short)(TAP_FLAGS | (j->queues > 1 ? IFF_MULTI_QUEUE : 0));
		if (ioctl(fd, TUNSETIFF, &ifr))
			return -errno;
	}
	return 0;
}

static int open_tap(void *arg)
{
	struct ifsetup s = {"tap0", peer_mac, HOST_PEER};
	int err = open_tap_queues(arg);

	return err ? err : setup_interface(&s);
}

static void wire_init(struct wire *w, bool ipv6)
{
	*w = (struct wire){.peer_ns = -1, .agent_ns = -1};
	for (int i = 0; i < WIRE_QUEUES; i++)
		w->tap_fd[i] = -1;
	snprintf(w->guest_addr, sizeof(w->guest_addr), ipv6 ? NET6 "%d/64" : NET4 "%d/24", HOST_GUEST);
	snprintf(w->peer_addr, sizeof(w->peer_addr), ipv6 ? NET6 "%d" : NET4 "%d", HOST_PEER);
	snprintf(w->mac, sizeof(w->mac), "%s", WIRE_GUEST_MAC);
}

int wire_tap(struct wire *w, unsigned queues, bool ipv6)
{
	struct tap_job j = {w, queues};
	int err;

	wire_init(w, ipv6);
	if (queues < 1 || queues >= WIRE_QUEUES) {
		log_error("queues=%u: expected 1 to %d", queues, WIRE_QUEUES - 1);
		return -EINVAL;
	}
	w->peer_ns = wire_new_netns();
	if (w->peer_ns < 0)
		return w->peer_ns;
	err = in_netns(&w->peer_ns, open_tap, &j);
	if (err)
		log_error("TAP: %s%s", strerror(-err),
			  err == -ENOENT ? "; load the module tun, or use --on=lab"
			  : err == -EPERM || err == -EACCES ? "; run as root, or use --on=lab" : "");
	return err;
}

static int make_veth(void *arg)
{
	struct wire *w = arg;
	struct nl_sock *sk = nl_socket_alloc();
	struct rtnl_link *l = rtnl_link_veth_alloc(), *peer = l ? rtnl_link_veth_get_peer(l) : NULL;
	int err = sk && peer && !nl_connect(sk, NETLINK_ROUTE) ? 0 : -ENOMEM;

	if (!err) {
		rtnl_link_set_name(l, "eth0");
		rtnl_link_set_name(peer, "tap0");
		rtnl_link_set_ns_fd(peer, w->peer_ns);
		err = rtnl_link_add(sk, l, NLM_F_CREATE | NLM_F_EXCL) ? -EOPNOTSUPP : 0;
	}
	if (peer)
		rtnl_link_put(peer);
	if (l)
		rtnl_link_put(l);
	nl_socket_free(sk);
	return err;
}

int wire_veth(struct wire *w, bool ipv6)
{
	struct ifsetup peer = {"tap0", peer_mac, HOST_PEER}, agent = {"eth0", WIRE_GUEST_MAC, HOST_GUEST};
	int err;

	wire_init(w, ipv6);
	w->peer_ns = wire_new_netns();
	w->agent_ns = w->peer_ns < 0 ? -1 : wire_new_netns();
	if (w->agent_ns < 0)
		return w->agent_ns;
	err = in_netns(&w->agent_ns, make_veth, w);
	err = err ? err : in_netns(&w->peer_ns, setup_interface, &peer);
	err = err ? err : in_netns(&w->agent_ns, setup_interface, &agent);
	if (err)
		log_error("veth pair: %s; load the module veth, or use --on=lab", strerror(-err));
	return err;
}

struct move_job {
	const char *name;
	int ns_fd;
};

static int move_link(const struct move_job *m)
{
	struct nl_sock *sk = nl_socket_alloc();
	struct rtnl_link *old = NULL, *change = rtnl_link_alloc();
	int err = sk && change && !nl_connect(sk, NETLINK_ROUTE) ? 0 : -ENOMEM;

	if (!err && rtnl_link_get_kernel(sk, 0, m->name, &old))
		err = -ENODEV;
	if (!err) {
		rtnl_link_set_ns_fd(change, m->ns_fd);
		err = rtnl_link_change(sk, old, change, 0) ? -EOPNOTSUPP : 0;
	}
	rtnl_link_put(old);
	rtnl_link_put(change);
	nl_socket_free(sk);
	return err;
}

static int move_card(const char *nic, int ns_fd, const struct ifsetup *s)
{
	struct move_job m = {nic, ns_fd};
	int err = move_link(&m);

	err = err ? err : in_netns(&ns_fd, setup_interface, (void *)s);
	if (err)
		log_error("%s: cannot be moved into its network namespace: %s", nic, strerror(-err));
	return err;
}

/* A card with addresses carries this host's own traffic: taking it away could cut us off. */
static int check_unused(const char *nic)
{
	struct ifaddrs *all = NULL;
	int err = getifaddrs(&all) ? -errno : 0;

	for (const struct ifaddrs *a = all; a && !err; a = a->ifa_next) {
		int family = a->ifa_addr ? a->ifa_addr->sa_family : AF_UNSPEC;
		bool local = family == AF_INET6 &&
			     IN6_IS_ADDR_LINKLOCAL(
				     &((const struct sockaddr_in6 *)(const void *)a->ifa_addr)
					      ->sin6_addr);

		if (strcmp(a->ifa_name, nic) || (family != AF_INET && family != AF_INET6) || local)
			continue;
		log_error("%s: this host uses it (it has an address); name another card with --nic, or ip addr flush dev %s", nic, nic);
		err = -EBUSY;
	}
	freeifaddrs(all);
	return err;
}

struct vlan_job {
	const char *nic;
	int id;
};

static int make_vlan(void *arg)
{
	const struct vlan_job *j = arg;
	struct nl_sock *sk = nl_socket_alloc();
	struct rtnl_link *l = rtnl_link_vlan_alloc();
	int err = sk && l && !nl_connect(sk, NETLINK_ROUTE) ? link_up(j->nic) : -ENOMEM;

	if (!err) {
		rtnl_link_set_name(l, vlan_name);
		rtnl_link_set_link(l, (int)if_nametoindex(j->nic));
		rtnl_link_vlan_set_id(l, (uint16_t)j->id);
		err = rtnl_link_add(sk, l, NLM_F_CREATE | NLM_F_EXCL) ? -EOPNOTSUPP : 0;
	}
	rtnl_link_put(l);
	nl_socket_free(sk);
	return err;
}

/* The virtual function's side is tagged and untagged by its card. */
static int move_card_vlan(const char *nic, int ns_fd, int vlan)
{
	struct ifsetup s = {vlan_name, NULL, HOST_PEER};
	struct move_job m = {nic, ns_fd};
	struct vlan_job v = {nic, vlan};
	int err = move_link(&m);

	err = err ? err : in_netns(&ns_fd, make_vlan, &v);
	err = err ? err : in_netns(&ns_fd, setup_interface, &s);
	if (err)
		log_error("%s: VLAN %d: %s; modprobe 8021q", nic, vlan, strerror(-err));
	return err;
}

static int move_peer_card(struct wire *w, const char *nic, int vlan)
{
	struct ifsetup s = {nic, NULL, HOST_PEER};
	int err = check_unused(nic);

	if (err)
		return err;
	w->peer_ns = wire_new_netns();
	if (w->peer_ns < 0)
		return w->peer_ns;
	return vlan ? move_card_vlan(nic, w->peer_ns, vlan) : move_card(nic, w->peer_ns, &s);
}

int wire_cards(struct wire *w, const char *peer_nic, const char *own_nic, int vlan, bool ipv6)
{
	struct ifsetup own = {own_nic, NULL, HOST_GUEST};
	int err = own_nic ? check_unused(own_nic) : 0;

	wire_init(w, ipv6);
	if (!err && peer_nic)
		err = move_peer_card(w, peer_nic, vlan);
	if (err || !own_nic)
		return err;
	w->agent_ns = wire_new_netns();
	return w->agent_ns < 0 ? w->agent_ns : move_card(own_nic, w->agent_ns, &own);
}

int wire_peer_card(const char *nic)
{
	struct wire w;
	int err;

	wire_init(&w, false);
	err = move_peer_card(&w, nic, 0);
	if (err)
		close_fd(&w.peer_ns);
	return err ? err : w.peer_ns;
}

/* A switch of our own: a bridge in a namespace without a name, with the TAP and the card as its ports. */
struct switch_job {
	struct tap_job tap;
	const char *card;
};

static int make_bridge(struct nl_sock *sk)
{
	int err = rtnl_link_bridge_add(sk, "sw0");

	/* Forward at once: no spanning tree, no learning delay. */
	return err ? -EOPNOTSUPP : link_up("sw0");
}

static int enslave(struct nl_sock *sk, const char *port)
{
	int err = rtnl_link_enslave_ifindex(sk, (int)if_nametoindex("sw0"), (int)if_nametoindex(port));

	return err ? -EOPNOTSUPP : link_up(port);
}

static int make_switch(void *arg)
{
	struct switch_job *j = arg;
	struct nl_sock *sk = nl_socket_alloc();
	int err = sk && !nl_connect(sk, NETLINK_ROUTE) ? 0 : -ENOMEM;

	err = err ? err : open_tap_queues(&j->tap);
	err = err ? err : make_bridge(sk);
	err = err ? err : enslave(sk, "tap0");
	err = err ? err : enslave(sk, j->card);
	nl_socket_free(sk);
	return err;
}

int wire_switched(struct wire *w, unsigned queues, const char *peer_nic, const char *own_nic, bool ipv6)
{
	struct switch_job j = {{w, queues}, own_nic};
	struct move_job m = {own_nic, -1};
	int err = wire_cards(w, peer_nic, NULL, 0, ipv6);

	err = err ? err : check_unused(own_nic);
	if (err)
		return err;
	w->agent_ns = wire_new_netns(); /* nobody's: the switch */
	m.ns_fd = w->agent_ns;
	err = m.ns_fd < 0 ? m.ns_fd : move_link(&m);
	err = err ? err : in_netns(&w->agent_ns, make_switch, &j);
	if (err)
		log_error("switch of %s and the TAP: %s; modprobe bridge", own_nic, strerror(-err));
	return err;
}

void wire_close(struct wire *w)
{
	for (int i = 0; i < WIRE_QUEUES; i++)
		close_fd(&w->tap_fd[i]);
	close_fd(&w->peer_ns);
	close_fd(&w->agent_ns);
}
