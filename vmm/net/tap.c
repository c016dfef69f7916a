// SPDX-License-Identifier: MIT
#include "vmm/net/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/net/net_hdr.h"

/* Linux 6.2; the kernel takes them only together. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#define TUN_F_USO (TUN_F_USO4 | TUN_F_USO6)

#define BIT(n) (1ull << (n))

uint64_t tap_features(const struct tap *t)
{
	uint64_t f = BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) |
		     BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) |
		     BIT(VIRTIO_NET_F_GUEST_ECN) | BIT(VIRTIO_NET_F_HOST_TSO4) |
		     BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_HOST_ECN) |
		     BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);

	if (t->uso)
		f |= BIT(NET_F_GUEST_USO4) | BIT(NET_F_GUEST_USO6) | BIT(NET_F_HOST_USO);
	return f;
}

/* The kernel refuses any segmentation without checksums, and ECN without TSO. */
static unsigned tun_offloads(uint64_t guest_features, bool uso)
{
	unsigned flags = 0;

	if (!(guest_features & BIT(VIRTIO_NET_F_GUEST_CSUM)))
		return 0;
	if (guest_features & BIT(VIRTIO_NET_F_GUEST_TSO4))
		flags |= TUN_F_TSO4;
	if (guest_features & BIT(VIRTIO_NET_F_GUEST_TSO6))
		flags |= TUN_F_TSO6;
	if (flags && (guest_features & BIT(VIRTIO_NET_F_GUEST_ECN)))
		flags |= TUN_F_TSO_ECN;
	if (uso && (guest_features & BIT(NET_F_GUEST_USO4)) &&
	    (guest_features & BIT(NET_F_GUEST_USO6)))
		flags |= TUN_F_USO;
	return flags | TUN_F_CSUM;
}

int tap_set_offloads(struct tap *t, uint64_t guest_features)
{
	unsigned flags = tun_offloads(guest_features, t->uso);

	/* A property of the interface, so any attached queue will do; queue 0 always is. */
	if (ioctl(t->fd[0], TUNSETOFFLOAD, flags) < 0) {
		int err = -errno;

		log_error("TAP %s: offloads 0x%x refused: %s", t->name, flags, strerror(-err));
		return err;
	}
	return 0;
}

int tap_set_queues(struct tap *t, unsigned n)
{
	if (!n || n > t->n)
		return -EINVAL;
	for (unsigned i = 0; i < t->n && t->multi_queue; i++) {
		struct ifreq ifr = {.ifr_flags = i < n ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE};

		if (t->attached[i] == (i < n))
			continue;
		if (ioctl(t->fd[i], TUNSETQUEUE, &ifr) < 0) {
			int err = -errno;

			log_error("TAP %s: cannot %s queue %u: %s", t->name,
				  i < n ? "attach" : "detach", i, strerror(-err));
			return err;
		}
		t->attached[i] = i < n;
	}
	return 0;
}

/* Header size, and nothing but plain frames until the guest has said what it takes. */
static int tap_prepare(struct tap *t)
{
	int len = NET_HDR_LEN;

	for (unsigned i = 0; i < t->n; i++) {
		int flags = fcntl(t->fd[i], F_GETFL);

		t->attached[i] = true;
		if (flags < 0 || fcntl(t->fd[i], F_SETFL, flags | O_NONBLOCK) < 0 ||
		    fcntl(t->fd[i], F_SETFD, FD_CLOEXEC) < 0 ||
		    ioctl(t->fd[i], TUNSETVNETHDRSZ, &len) < 0) {
			int err = -errno;

			log_error("TAP %s: cannot set up queue %u: %s", t->name, i, strerror(-err));
			return err;
		}
	}
	t->uso = ioctl(t->fd[0], TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_USO) == 0;
	return tap_set_offloads(t, 0);
}

/* Does the interface exist here? A missing one would be made by TUNSETIFF: not what was asked for. */
static int tap_look_up(struct tap *t, bool *up)
{
	struct ifreq ifr = {0};
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (sock < 0)
		sock = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return 0;
	strcpy(ifr.ifr_name, t->name);
	if (ioctl(sock, SIOCGIFMTU, &ifr) < 0) {
		err = -errno;
	} else {
		t->mtu = (uint16_t)MIN(ifr.ifr_mtu, UINT16_MAX);
		*up = ioctl(sock, SIOCGIFFLAGS, &ifr) < 0 || ifr.ifr_flags & IFF_UP;
	}
	close(sock);
	return err;
}

static int tun_attach(const char *name, short flags, int *out)
{
	struct ifreq ifr = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | flags)};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK), err;

	if (fd < 0 && (errno == EACCES || errno == EPERM))
		log_error("/dev/net/tun: %s; run as root, or be given the TAP as fd=N", strerror(errno));
	else if (fd < 0)
		log_error("/dev/net/tun: %s; load the module: modprobe tun", strerror(errno));
	if (fd < 0)
		return -ENODEV;
	strcpy(ifr.ifr_name, name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		err = -errno;
		close(fd);
		return err == -EACCES ? -EPERM : err;
	}
	*out = fd;
	return 0;
}

/* What TUNSETIFF's errno means; tun_attach has told about /dev/net/tun itself. */
static void tap_explain(const struct tap *t, unsigned queues, int err)
{
	switch (-err) {
	case EBUSY:
		log_error("TAP %s is in use by another process; end it or take another TAP",
			  t->name);
		break;
	case EPERM:
		log_error(
			"TAP %s: no permission; run as root, or make it with `ip tuntap add %s mode tap user $USER`",
			t->name, t->name);
		break;
	case EINVAL:
		if (queues > 1)
			log_error(
				"TAP %s: not a TAP with several queues; make it with `ip tuntap add %s mode tap "
				"multi_queue`",
				t->name, t->name);
		else
			log_error("%s is not a TAP; make one with `ip tuntap add NAME mode tap`",
				  t->name);
		break;
	default:
		log_error("TAP %s: %s", t->name, strerror(-err));
	}
}

static int tap_attach_all(struct tap *t, unsigned queues)
{
	short mq = (short)bits_if(queues > 1, IFF_MULTI_QUEUE);
	int err;

	/* The flag must be the one that the TAP was made with; one queue of a many-queue TAP is fine. */
	err = tun_attach(t->name, mq, &t->fd[0]);
	if (err == -EINVAL && !mq) {
		mq = IFF_MULTI_QUEUE;
		err = tun_attach(t->name, mq, &t->fd[0]);
	}
	for (t->n = !err; !err && t->n < queues; t->n += !err)
		err = tun_attach(t->name, mq, &t->fd[t->n]);
	t->multi_queue = mq != 0;
	return err;
}

int tap_open(struct tap *t, const char *name, unsigned queues)
{
	bool up = true;
	int err;

	*t = (struct tap)TAP_INIT;
	if (!*name || strlen(name) >= sizeof(t->name) || !queues || queues > TAP_QUEUES_MAX) {
		log_error(
			"TAP \"%s\" with %u queues: the name has 1 to %zu characters, the queues are 1 to %d",
			name, queues, sizeof(t->name) - 1, TAP_QUEUES_MAX);
		return -EINVAL;
	}
	strcpy(t->name, name);
	err = tap_look_up(t, &up);
	if (err) {
		log_error("TAP %s does not exist; make it with `ip tuntap add %s mode tap%s`", name,
			  name, queues > 1 ? " multi_queue" : "");
		return -ENODEV;
	}
	err = tap_attach_all(t, queues);
	if (err && err != -ENODEV)
		tap_explain(t, queues, err);
	if (!err)
		err = tap_prepare(t);
	if (err)
		tap_close(t);
	else if (!up)
		log_warn("TAP %s is down: nothing passes before `ip link set %s up`", name, name);
	return err;
}

/* An inherited fd must be a queue of a TAP opened as we would have done it. */
static int tap_adopt(struct tap *t, int fd)
{
	struct ifreq ifr = {0};
	const char *wrong = NULL;

	if (ioctl(fd, TUNGETIFF, &ifr) < 0)
		wrong = errno == EBADF ? "is not open" : "is not a TAP";
	else if ((ifr.ifr_flags & (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)) !=
		 (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
		wrong = "was not opened with IFF_TAP, IFF_NO_PI and IFF_VNET_HDR";
	else if (t->n && strncmp(t->name, ifr.ifr_name, sizeof(t->name)))
		wrong = "belongs to another TAP than the one before it";
	for (unsigned i = 0; i < t->n && !wrong; i++)
		if (t->fd[i] == fd)
			wrong = "is given twice";
	if (wrong) {
		log_error("fd=%d %s", fd, wrong);
		return -EINVAL;
	}
	memcpy(t->name, ifr.ifr_name, sizeof(t->name));
	t->multi_queue = ifr.ifr_flags & IFF_MULTI_QUEUE;
	t->fd[t->n++] = fd;
	return 0;
}

int tap_open_fds(struct tap *t, const char *list, unsigned queues)
{
	int err = 0;

	*t = (struct tap)TAP_INIT;
	for (const char *p = list; !err && *p; p += *p == ':') {
		char number[12];
		size_t len = strcspn(p, ":");
		uint64_t fd = UINT64_MAX;

		snprintf(number, sizeof(number), "%.*s", (int)MIN(len, sizeof(number)), p);
		if (parse_u64(number, &fd) || fd > INT32_MAX || t->n == TAP_QUEUES_MAX ||
		    (p[len] && !p[len + 1])) {
			log_error("fd=%s: expected up to %d numbers with \":\" between them", list,
				  TAP_QUEUES_MAX);
			err = -EINVAL;
			break;
		}
		err = tap_adopt(t, (int)fd);
		p += len;
	}
	if (!err && t->n != queues) {
		log_error("fd=%s: %u TAP fds for %u queue pairs; give one for each", list, t->n,
			  queues);
		err = -EINVAL;
	}
	if (!err)
		err = tap_prepare(t);
	if (err)
		tap_close(t);
	return err;
}

int tap_open_opts(struct tap *t, const struct dev_opts *o, const char *who, unsigned queues)
{
	const char *name = dev_opts_str(o, "tap", NULL), *fds = dev_opts_str(o, "fd", NULL);

	*t = (struct tap)TAP_INIT;
	if (!name == !fds) {
		log_error("%s: give the TAP either as tap=NAME or as fd=N[:N...]", who);
		return -EINVAL;
	}
	if (name)
		return tap_open(t, name, queues);
	return tap_open_fds(t, fds, queues);
}

void tap_close(struct tap *t)
{
	for (unsigned i = 0; i < TAP_QUEUES_MAX; i++)
		close_fd(&t->fd[i]);
	t->n = 0;
}
