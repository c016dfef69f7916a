// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>

#include "base/file.h"
#include "base/log.h"
#include "bench/host/link.h"

/* A namespace belongs to a thread: the work is done in a thread of its own, and ours stays where it is. */
struct ns_job {
	int ns_fd; /* -1: a new namespace, returned here */
	int (*fn)(void *arg);
	void *arg;
	int err;
};

/* The caller's thread is in the namespace afterwards; a new one is made where there is none yet. */
static int enter_namespace(int *ns_fd)
{
	if (*ns_fd >= 0)
		return errno_if(setns(*ns_fd, CLONE_NEWNET));
	if (unshare(CLONE_NEWNET))
		return -errno;
	*ns_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	return errno_if(*ns_fd < 0);
}

static void *ns_thread(void *arg)
{
	struct ns_job *j = arg;

	j->err = enter_namespace(&j->ns_fd);
	if (!j->err)
		j->err = j->fn(j->arg);
	return NULL;
}

int netns_run(int *ns_fd, int (*fn)(void *arg), void *arg)
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

struct nl_sock *link_socket(void)
{
	struct nl_sock *sk = nl_socket_alloc();

	if (sk && !nl_connect(sk, NETLINK_ROUTE))
		return sk;
	nl_socket_free(sk);
	return NULL;
}

static int link_ioctl(unsigned long request, const char *name, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, request, ifr))
		err = -errno;
	close_fd(&fd);
	return err;
}

int link_up(const char *name)
{
	struct ifreq ifr = {.ifr_flags = 0};
	int err = link_ioctl(SIOCGIFFLAGS, name, &ifr);

	if (err)
		return err;
	ifr.ifr_flags |= IFF_UP; /* all other flags stay, so a card that goes back keeps its MULTICAST */
	return link_ioctl(SIOCSIFFLAGS, name, &ifr);
}

bool link_is_up(const char *name)
{
	struct ifreq ifr = {.ifr_flags = 0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	up = fd >= 0 && !ioctl(fd, SIOCGIFFLAGS, &ifr) && ifr.ifr_flags & IFF_UP;
	close_fd(&fd);
	return up;
}

/*
 * A namespace without processes lives on while a connection of theirs waits for its last acknowledgement,
 * which a guest that was killed does not send: by default for two minutes, with the card in it.
 */
static int prepare_namespace(void *arg)
{
	(void)arg;
	file_write("/proc/sys/net/ipv4/tcp_orphan_retries", "1");
	return link_up("lo");
}

int netns_new(void)
{
	int fd = -1, err = netns_run(&fd, prepare_namespace, NULL);

	if (err) {
		log_error("network namespace: %s%s", strerror(-err),
			  text_if(err == -EPERM, "; run as root, or use --on=lab"));
		return err;
	}
	return fd;
}

static int leave_empty(void *arg)
{
	(void)arg;
	return 0;
}

int netns_new_empty(void)
{
	int fd = -1;

	netns_run(&fd, leave_empty, NULL);
	return fd;
}

static int add_address(struct nl_sock *sk, int ifindex, const char *text)
{
	struct rtnl_addr *addr = rtnl_addr_alloc();
	struct nl_addr *local = NULL;
	int err = -NLE_NOMEM;

	if (addr)
		err = nl_addr_parse(text, AF_UNSPEC, &local);
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
	if (err)
		return -EIO;
	return 0;
}

static int set_mac(const char *name, const char *mac)
{
	struct ifreq ifr = {.ifr_hwaddr.sa_family = 1 /* ARPHRD_ETHER */};
	unsigned char *m = (unsigned char *)ifr.ifr_hwaddr.sa_data;

	sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]);
	return link_ioctl(SIOCSIFHWADDR, name, &ifr);
}

int link_setup(void *arg)
{
	const struct link_setup *s = arg;
	struct nl_sock *sk = link_socket();
	char addr[48];
	int err = 0, index = (int)if_nametoindex(s->name);

	if (!sk)
		err = -ENOMEM;
	if (!index)
		err = -ENODEV;
	if (!err && s->mac) /* cards keep their own */
		err = set_mac(s->name, s->mac);
	snprintf(addr, sizeof(addr), WIRE_NET4 "%d/24", s->host);
	if (!err)
		err = add_address(sk, index, addr);
	snprintf(addr, sizeof(addr), WIRE_NET6 "%d/64", s->host);
	/* A kernel without IPv6 still measures IPv4. */
	if (!err && add_address(sk, index, addr))
		log_debug("%s: no IPv6", s->name);
	if (!err)
		err = link_up(s->name);
	nl_socket_free(sk);
	return err;
}

int link_move(const char *name, int ns_fd)
{
	struct nl_sock *sk = link_socket();
	struct rtnl_link *old = NULL, *change = rtnl_link_alloc();
	int err = -ENOMEM;

	if (!sk || !change)
		goto out;
	err = -ENODEV;
	if (rtnl_link_get_kernel(sk, 0, name, &old))
		goto out;
	rtnl_link_set_ns_fd(change, ns_fd);
	err = 0;
	if (rtnl_link_change(sk, old, change, 0))
		err = -EOPNOTSUPP;
out:
	rtnl_link_put(old);
	rtnl_link_put(change);
	nl_socket_free(sk);
	return err;
}

int link_coalesce_swap(void *arg)
{
	struct link_coalesce *l = arg;
	struct ethtool_coalesce c = {.cmd = ETHTOOL_GCOALESCE};
	struct ifreq ifr = {.ifr_data = (void *)&c};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;
	unsigned was;

	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", l->name);
	err = errno_if(ioctl(fd, SIOCETHTOOL, &ifr));
	was = c.rx_coalesce_usecs;
	c.cmd = ETHTOOL_SCOALESCE;
	c.rx_coalesce_usecs = l->rx_usecs;
	if (!err)
		err = errno_if(ioctl(fd, SIOCETHTOOL, &ifr));
	if (!err)
		l->rx_usecs = was;
	close(fd);
	return err;
}
