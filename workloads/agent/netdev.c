// SPDX-License-Identifier: MIT
/* The guest's interface: found, addressed, brought up and kept silent. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if_arp.h>
#include <linux/ethtool.h>
#include <linux/ipv6.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "workloads/agent/agent.h"

#define LINK_TIMEOUT_NS                                                                            \
	(20 * NSEC_PER_SEC) /* a VF's mailbox answers after seconds in an emulated machine */

static int link_request(int sock, unsigned long op, const char *name, struct ifreq *ifr)
{
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", name);
	return errno_if(ioctl(sock, op, ifr));
}

static bool is_ethernet(int sock, const char *name)
{
	struct ifreq ifr = {0};

	return !link_request(sock, SIOCGIFHWADDR, name, &ifr) && ifr.ifr_hwaddr.sa_family == ARPHRD_ETHER;
}

/* The job's interface, or the first Ethernet one. */
static bool find_interface(struct agent *a, int sock)
{
	struct if_nameindex *all = if_nameindex();
	bool found = false;

	for (struct if_nameindex *i = all; i && i->if_index && !found; i++) {
		if (a->job.ifname[0])
			found = !strcmp(a->job.ifname, i->if_name);
		else
			found = is_ethernet(sock, i->if_name);
		if (found)
			snprintf(a->ifname, sizeof(a->ifname), "%s", i->if_name);
	}
	if (all)
		if_freenameindex(all);
	return found;
}

static bool link_runs(int sock, const char *name)
{
	struct ifreq ifr = {0};

	return !link_request(sock, SIOCGIFFLAGS, name, &ifr) && (ifr.ifr_flags & IFF_RUNNING);
}

/*
 * The carrier as the driver has it. IFF_RUNNING follows it through the kernel's link watch, which
 * lets only one event a second pass when no queue has to be switched: 1.04 s of waiting for it with
 * virtio-net, 0.05 s this way.
 */
static bool carrier_is_on(int sock, const char *name)
{
	struct ethtool_value link = {.cmd = ETHTOOL_GLINK};
	struct ifreq ifr = {.ifr_data = (void *)&link};

	return !link_request(sock, SIOCETHTOOL, name, &ifr) && link.data;
}

/* A socket that becomes readable at every change of a link: what woke us is not parsed, the state
 * is asked again. */
static int link_watch(void)
{
	struct sockaddr_nl sa = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)))
		close_fd(&fd);
	return fd;
}

static void wait_change(int watch, uint64_t deadline)
{
	struct pollfd pfd = {watch, POLLIN, 0};
	uint64_t now = clock_ns();
	char drop[8192];

	if (now < deadline)
		poll(&pfd, 1, (int)((deadline - now) / NSEC_PER_MSEC) + 1);
	while (recv(watch, drop, sizeof(drop), 0) > 0)
		;
}

static int set_up(int sock, const char *name)
{
	struct ifreq ifr = {0};
	int err = link_request(sock, SIOCGIFFLAGS, name, &ifr);

	ifr.ifr_flags |= IFF_UP;
	if (err)
		return err;
	return link_request(sock, SIOCSIFFLAGS, name, &ifr);
}

static int set_mtu(int sock, const char *name, uint64_t mtu)
{
	struct ifreq ifr = {0};

	if (!mtu)
		return 0;
	ifr.ifr_mtu = (int)MIN(mtu, 1u << 30);
	return link_request(sock, SIOCSIFMTU, name, &ifr);
}

/*
 * TSO and GSO off: what TCP hands to the driver is what is on the wire, one doorbell a frame. Off
 * is asked for and looked at again, because a driver without the feature refuses the request and a
 * fixed one ignores it.
 */
static int tso_off(int sock, const char *name)
{
	static const struct {
		uint32_t set, get;
	} part[] = {{ETHTOOL_STSO, ETHTOOL_GTSO}, {ETHTOOL_SGSO, ETHTOOL_GGSO}};

	for (size_t i = 0; i < ARRAY_SIZE(part); i++) {
		struct ethtool_value v = {.cmd = part[i].set, .data = 0};
		struct ifreq ifr = {.ifr_data = (void *)&v};
		int err;

		link_request(sock, SIOCETHTOOL, name, &ifr);
		v = (struct ethtool_value){.cmd = part[i].get};
		err = link_request(sock, SIOCETHTOOL, name, &ifr);
		if (err)
			return err;
		if (v.data)
			return -EOPNOTSUPP;
	}
	return 0;
}

/*
 * Each frame has its interrupt at once: the time between two is neither fixed nor found by the driver. Of an
 * interface that is up: igbvf begins to find its own anew with what it has when it is opened.
 */
static int throttle_off(int sock, const char *name)
{
	struct ethtool_coalesce c = {.cmd = ETHTOOL_GCOALESCE};
	struct ifreq ifr = {.ifr_data = (void *)&c};
	int err = link_request(sock, SIOCETHTOOL, name, &ifr);

	c.cmd = ETHTOOL_SCOALESCE;
	c.use_adaptive_rx_coalesce = c.use_adaptive_tx_coalesce = 0;
	c.rx_coalesce_usecs = 0;
	if (err)
		return err;
	return link_request(sock, SIOCETHTOOL, name, &ifr);
}

static int set_addr4(int sock, const char *name, const char *ip, unsigned prefix)
{
	struct ifreq ifr = {0};
	struct sockaddr_in *sin = (struct sockaddr_in *)&ifr.ifr_addr;
	int err;

	if (prefix > 32)
		return -EINVAL;
	sin->sin_family = AF_INET;
	if (inet_pton(AF_INET, ip, &sin->sin_addr) != 1)
		return -EINVAL;
	err = link_request(sock, SIOCSIFADDR, name, &ifr);
	sin->sin_addr.s_addr = htonl(prefix ? ~0u << (32 - prefix) : 0);
	if (err)
		return err;
	return link_request(sock, SIOCSIFNETMASK, name, &ifr);
}

static int set_addr6(const char *name, const char *ip, unsigned prefix)
{
	struct in6_ifreq req = {.ifr6_prefixlen = prefix, .ifr6_ifindex = (int)if_nametoindex(name)};
	int err, fd;

	if (prefix > 128 || inet_pton(AF_INET6, ip, &req.ifr6_addr) != 1)
		return -EINVAL;
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = errno_if(ioctl(fd, SIOCSIFADDR, &req) && errno != EEXIST);
	close(fd);
	return err;
}

static int set_addr(int sock, const char *name, const char *addr)
{
	char ip[64];
	const char *slash = strchr(addr, '/');
	uint64_t prefix;

	if (!slash || parse_u64(slash + 1, &prefix) || prefix > 128)
		return -EINVAL;
	snprintf(ip, sizeof(ip), "%.*s", (int)(slash - addr), addr);
	if (strchr(ip, ':'))
		return set_addr6(name, ip, (unsigned)prefix);
	return set_addr4(sock, name, ip, (unsigned)prefix);
}

/*
 * Nothing but the workload may send: router solicitations, duplicate address detection and multicast reports
 * would be packets, exits and noise inside the window. Files that are absent (no IPv6) do not matter.
 */
static void quiet_ipv6(const char *name, bool used)
{
	static const struct {
		const char *file, *value;
	} set[] = {
		{"accept_ra", "0"},	{"router_solicitations", "0"}, {"accept_dad", "0"},
		{"dad_transmits", "0"}, {"addr_gen_mode", "1"},
	};
	char path[96];

	for (size_t i = 0; i < ARRAY_SIZE(set); i++) {
		snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", name, set[i].file);
		file_write(path, set[i].value);
	}
	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	file_write(path, used ? "0" : "1");
}

static int configure_link(struct agent *a, int sock)
{
	int err = set_mtu(sock, a->ifname, a->job.mtu);

	if (err)
		return agent_fail(err, "%s: MTU %llu: %s", a->ifname, (unsigned long long)a->job.mtu,
				  strerror(-err));
	if (!a->job.tso)
		err = tso_off(sock, a->ifname);
	if (err)
		return agent_fail(err, "%s: TSO and GSO cannot be switched off: %s", a->ifname,
				  strerror(-err));
	set_up(sock, "lo");
	if (a->job.addr[0]) {
		quiet_ipv6(a->ifname, strchr(a->job.addr, ':'));
		err = set_addr(sock, a->ifname, a->job.addr);
		if (err)
			return agent_fail(err, "%s: address %s: %s", a->ifname, a->job.addr, strerror(-err));
	}
	err = set_up(sock, a->ifname);
	if (err)
		return agent_fail(err, "%s: cannot be brought up: %s", a->ifname, strerror(-err));
	if (!a->job.throttle)
		err = throttle_off(sock, a->ifname);
	if (err)
		return agent_fail(err, "%s: interrupt throttling cannot be switched off: %s", a->ifname,
				  strerror(-err));
	return 0;
}

/* A carrier that is there when the device has been opened needs no event: opening has set up its queues. */
static int wait_link(const struct agent *a, int sock, int watch, uint64_t deadline)
{
	bool ready = carrier_is_on(sock, a->ifname);

	while (!ready && !link_runs(sock, a->ifname)) {
		if (clock_ns() >= deadline)
			return agent_fail(-ETIMEDOUT, "%s: no link", a->ifname);
		wait_change(watch, deadline);
	}
	return 0;
}

int net_setup(struct agent *a)
{
	uint64_t deadline = clock_ns() + LINK_TIMEOUT_NS;
	int watch = link_watch(), sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (watch < 0 || sock < 0)
		err = agent_fail(-errno, "no network in this kernel: %s", strerror(errno));
	while (!err && !find_interface(a, sock)) {
		if (clock_ns() >= deadline)
			err = agent_fail(-ENODEV, "no interface %s appeared", a->job.ifname);
		else
			wait_change(watch, deadline);
	}
	if (!err)
		err = configure_link(a, sock);
	if (!err)
		err = wait_link(a, sock, watch, deadline);
	close_fd(&watch);
	close_fd(&sock);
	return err;
}

/* /proc/net/dev follows the process's network namespace; sysfs does not. */
void net_read(const char *ifname, struct net_counters *out)
{
	struct strbuf sb = STRBUF_INIT;
	char key[20];
	const char *p;

	memset(out, 0, sizeof(*out));
	if (!ifname[0] || file_read("/proc/net/dev", &sb))
		return;
	snprintf(key, sizeof(key), "%s:", ifname);
	p = strstr(strbuf_str(&sb), key);
	if (p)
		sscanf(p + strlen(key), "%lu %lu %*u %*u %*u %*u %*u %*u %lu %lu", &out->rx_bytes,
		       &out->rx_packets, &out->tx_bytes, &out->tx_packets);
	strbuf_free(&sb);
}
