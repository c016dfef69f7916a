/* SPDX-License-Identifier: MIT */
/*
 * For programs in which a socket stands in for a TAP, and nothing for vhost-net: what is asked of them
 * as such is answered here, in the place of the C library's ioctl. "fd=N" of a device then takes the
 * socket.
 */
#ifndef TESTS_UNIT_FAKE_TAP_H
#define TESTS_UNIT_FAKE_TAP_H

#include <errno.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
	unsigned calls;
	unsigned fail_at; /* this one of them, counted from 1, ends with EIO; 0: none does */
	unsigned offloads; /* of the last TUNSETOFFLOAD */
	unsigned attached, detached;
	uint64_t vhost_features;
	struct vhost_vring_file err[2]; /* of each kind of ring */
	int backend[2];
} fake_tap;

static inline int fake_tap_asked(unsigned long request, void *arg)
{
	const struct ifreq *queue = arg;

	switch (request) {
	case TUNGETIFF:
		*(struct ifreq *)arg =
			(struct ifreq){.ifr_name = "fake",
				       .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE};
		break;
	case TUNSETOFFLOAD:
		fake_tap.offloads = (unsigned)(uintptr_t)arg;
		break;
	case TUNSETQUEUE:
		fake_tap.attached += queue->ifr_flags == IFF_ATTACH_QUEUE;
		fake_tap.detached += queue->ifr_flags == IFF_DETACH_QUEUE;
		break;
	}
	return 0;
}

static inline int fake_vhost_asked(unsigned long request, void *arg)
{
	const struct vhost_vring_file *file = arg;

	switch (request) {
	case VHOST_GET_FEATURES:
		*(uint64_t *)arg = fake_tap.vhost_features;
		break;
	case VHOST_GET_VRING_BASE:
		((struct vhost_vring_state *)arg)->num = 77;
		break;
	case VHOST_SET_VRING_ERR:
		fake_tap.err[file->index & 1] = *file;
		break;
	case VHOST_NET_SET_BACKEND:
		fake_tap.backend[file->index & 1] = file->fd;
		break;
	}
	return 0;
}

int ioctl(int on, unsigned long request, ...)
{
	unsigned type = _IOC_TYPE(request);
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (type != 'T' && type != VHOST_VIRTIO)
		return (int)syscall(SYS_ioctl, on, request, arg);
	if (++fake_tap.calls == fake_tap.fail_at) {
		errno = EIO;
		return -1;
	}
	return type == 'T' ? fake_tap_asked(request, arg) : fake_vhost_asked(request, arg);
}

#endif
