// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
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

int link_up(const char *name)
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
static int prepare(void *arg)
{
	(void)arg;
	file_write("/proc/sys/net/ipv4/tcp_orphan_retries", "1");
	return link_up("lo");
}

int netns_new(void)
{
	int fd = -1, err = netns_run(&fd, prepare, NULL);

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

int link_setup(void *arg)
{
	const struct link_setup *s = arg;
	struct nl_sock *sk = nl_socket_alloc();
	char addr[48];
	int err = sk && !nl_connect(sk, NETLINK_ROUTE) ? 0 : -ENOMEM, index = (int)if_nametoindex(s->name);

	if (!index)
		err = -ENODEV;
	err = err || !s->mac ? err : set_mac(s->name, s->mac); /* cards keep their own */
	snprintf(addr, sizeof(addr), WIRE_NET4 "%d/24", s->host);
	err = err ? err : add_address(sk, index, addr);
	snprintf(addr, sizeof(addr), WIRE_NET6 "%d/64", s->host);
	/* A kernel without IPv6 still measures IPv4. */
	if (!err && add_address(sk, index, addr))
		log_debug("%s: no IPv6", s->name);
	err = err ? err : link_up(s->name);
	nl_socket_free(sk);
	return err;
}

int link_move(const char *name, int ns_fd)
{
	struct nl_sock *sk = nl_socket_alloc();
	struct rtnl_link *old = NULL, *change = rtnl_link_alloc();
	int err = sk && change && !nl_connect(sk, NETLINK_ROUTE) ? 0 : -ENOMEM;

	if (!err && rtnl_link_get_kernel(sk, 0, name, &old))
		err = -ENODEV;
	if (!err) {
		rtnl_link_set_ns_fd(change, ns_fd);
		err = rtnl_link_change(sk, old, change, 0) ? -EOPNOTSUPP : 0;
	}
	rtnl_link_put(old);
	rtnl_link_put(change);
	nl_socket_free(sk);
	return err;
}
