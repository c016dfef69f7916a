// SPDX-License-Identifier: MIT
/* The filters of system calls, one for each kind of thread: what is not in these tables is not done. */
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/vfio.h>
#include <linux/vhost.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/call_filter.h"
#include "vmm/sandbox/filter.h"
#include "vmm/sandbox/sandbox.h"

#define VCPU    (1u << THREAD_VCPU)
#define IO      (1u << THREAD_IO)
#define CONTROL (1u << THREAD_CONTROL)
#define MAIN    (1u << THREAD_MAIN)
#define ALL     (VCPU | IO | CONTROL | MAIN)

struct rule {
	uint32_t number; /* of the system call, or the ioctl's request */
	unsigned kinds;  /* of threads */
	unsigned parts;  /* only with one of these; 0: always */
};

static const struct rule calls[] = {
	/* Most frequent first. */
	{SYS_read, ALL, 0},
	{SYS_write, ALL, 0},
	{SYS_readv, IO, 0},
	{SYS_preadv2, ALL, 0}, /* of a shared eventfd, without waiting */
	{SYS_writev, VCPU | IO, 0},
	{SYS_epoll_wait, IO | CONTROL, 0},
	{SYS_epoll_pwait2, IO, 0},
	{SYS_io_uring_enter, IO, SANDBOX_DISK},
	{SYS_futex, ALL, 0},
	{SYS_clock_gettime, ALL, 0}, /* where the vDSO has no clock of its own */
	{SYS_timerfd_settime, VCPU | IO | CONTROL, 0},
	{SYS_pread64, VCPU | CONTROL | MAIN, 0}, /* KVM's statistics, VFIO's registers */
	{SYS_pwrite64, VCPU | CONTROL, SANDBOX_VFIO},
	/*
	 * The thread that uses a ring enables it; what else it could register, the ring's restrictions
	 * forbid.
	 */
	{SYS_io_uring_register, IO, SANDBOX_DISK},
	{SYS_sched_yield, IO, SANDBOX_DISK},
	{SYS_pwritev2, VCPU | IO, SANDBOX_DISK}, /* a vCPU writes to a quick disk itself */
	{SYS_fstat, IO, SANDBOX_DISK}, /* is the medium still as large as it was? */
	{SYS_newfstatat, IO, SANDBOX_DISK},
	{SYS_fdatasync, IO, SANDBOX_DISK},
	{SYS_fallocate, IO, SANDBOX_DISK},
	{SYS_epoll_ctl, IO | CONTROL, 0},
	{SYS_epoll_ctl, MAIN, SANDBOX_SERVER},
	{SYS_poll, ALL, 0}, /* before a shared eventfd, which could block otherwise */
	{SYS_sendmsg, IO | CONTROL, SANDBOX_VHOST_USER},
	{SYS_recvmsg, IO | CONTROL, SANDBOX_VHOST_USER},
	{SYS_socketpair, IO, SANDBOX_VHOST_USER},
	{SYS_close, IO | CONTROL, SANDBOX_VHOST_USER},
	{SYS_close, MAIN, SANDBOX_SERVER},
	{SYS_fcntl, MAIN, SANDBOX_SERVER},
	{SYS_sendmsg, MAIN, SANDBOX_SERVER},
	{SYS_recvmsg, MAIN, SANDBOX_SERVER},
	{SYS_accept4, MAIN, SANDBOX_SERVER},
	{SYS_dup3, MAIN, SANDBOX_SERVER},
	{SYS_memfd_create, MAIN, SANDBOX_SERVER}, /* the inflight region */
	{SYS_ftruncate, MAIN, SANDBOX_SERVER},
	{SYS_shutdown, ALL, SANDBOX_SERVER | SANDBOX_VHOST_USER},
	{SYS_mmap, ALL, SANDBOX_SERVER}, /* a front-end's memory; a page in place of one that has vanished */
	{SYS_munmap, MAIN, SANDBOX_SERVER},
	{SYS_madvise, MAIN, SANDBOX_SERVER},
	{SYS_fstat, MAIN, SANDBOX_SERVER},
	{SYS_readlinkat, MAIN, SANDBOX_SERVER}, /* of /proc/self/fd: what kind of file was sent */
	{SYS_newfstatat, MAIN, SANDBOX_SERVER},
	{SYS_getrandom, VCPU, 0}, /* virtio-rng */
	{SYS_eventfd2, CONTROL, 0}, /* a vector's first use */
	{SYS_eventfd2, MAIN, SANDBOX_SERVER},
	{SYS_brk, ALL, 0},
	{SYS_madvise, CONTROL, 0}, /* the kernel's image is dropped once it is loaded anew */
	{SYS_alarm, MAIN, 0},      /* an end that hangs is ended */
	{SYS_tgkill, MAIN, 0},     /* vCPUs are kicked */
	{SYS_rt_sigprocmask, MAIN, 0},
	{SYS_getpid, MAIN, 0},
	{SYS_rt_sigreturn, ALL, 0},
	{SYS_exit_group, ALL, 0},
};

static const struct rule ioctls[] = {
	{(uint32_t)KVM_RUN, VCPU | CONTROL, 0}, /* a reboot lets an exit that was half done end */
	{(uint32_t)KVM_SIGNAL_MSI, VCPU | IO | CONTROL, 0},
	{(uint32_t)KVM_IRQ_LINE, VCPU | IO | CONTROL, 0},
	{(uint32_t)KVM_IRQFD, VCPU | CONTROL, 0},
	{(uint32_t)KVM_IOEVENTFD, VCPU | CONTROL, 0},
	{(uint32_t)KVM_REGISTER_COALESCED_MMIO, VCPU | CONTROL, 0},
	{(uint32_t)KVM_UNREGISTER_COALESCED_MMIO, VCPU | CONTROL, 0},
	{(uint32_t)KVM_SET_GSI_ROUTING, VCPU | CONTROL, 0},
	{(uint32_t)KVM_SET_USER_MEMORY_REGION, VCPU | CONTROL, 0},
	/* A crash's registers; a reboot. */
	{(uint32_t)KVM_GET_REGS, CONTROL, 0},
	{(uint32_t)KVM_GET_SREGS, CONTROL, 0},
	{(uint32_t)KVM_SET_REGS, CONTROL, 0},
	{(uint32_t)KVM_SET_SREGS, CONTROL, 0},
	{(uint32_t)KVM_SET_FPU, CONTROL, 0},
	{(uint32_t)KVM_SET_XSAVE, CONTROL, 0},
	{(uint32_t)KVM_SET_XCRS, CONTROL, 0},
	{(uint32_t)KVM_SET_MSRS, CONTROL, 0},
	{(uint32_t)KVM_SET_LAPIC, CONTROL, 0},
	{(uint32_t)KVM_SET_MP_STATE, CONTROL, 0},
	{(uint32_t)KVM_SET_VCPU_EVENTS, CONTROL, 0},
	{(uint32_t)KVM_SET_DEBUGREGS, CONTROL, 0},
	{(uint32_t)KVM_SET_IRQCHIP, CONTROL, 0},
	{(uint32_t)KVM_SET_PIT2, CONTROL, 0},
	{(uint32_t)KVM_SET_CLOCK, CONTROL, 0},
	{(uint32_t)TCSETS, MAIN, 0}, /* the terminal as it was */
	/* TAP and vhost. */
	{(uint32_t)TUNSETOFFLOAD, CONTROL | MAIN, 0},
	{(uint32_t)TUNSETQUEUE, CONTROL | MAIN, 0},
	{(uint32_t)VHOST_SET_FEATURES, CONTROL, 0},
	{(uint32_t)VHOST_SET_MEM_TABLE, CONTROL, 0},
	{(uint32_t)VHOST_SET_VRING_NUM, CONTROL, 0},
	{(uint32_t)VHOST_SET_VRING_ADDR, CONTROL, 0},
	{(uint32_t)VHOST_SET_VRING_BASE, CONTROL, 0},
	{(uint32_t)VHOST_GET_VRING_BASE, CONTROL, 0},
	{(uint32_t)VHOST_SET_VRING_KICK, CONTROL, 0},
	{(uint32_t)VHOST_SET_VRING_CALL, CONTROL, 0},
	{(uint32_t)VHOST_SET_VRING_ERR, CONTROL, 0},
	{(uint32_t)VHOST_SET_VRING_BUSYLOOP_TIMEOUT, CONTROL, 0},
	{(uint32_t)VHOST_NET_SET_BACKEND, CONTROL, 0},
	{(uint32_t)VHOST_SCSI_SET_ENDPOINT, CONTROL, SANDBOX_VHOST_SCSI},
	{(uint32_t)VHOST_SCSI_CLEAR_ENDPOINT, CONTROL, SANDBOX_VHOST_SCSI},
	{(uint32_t)VHOST_VDPA_SET_STATUS, CONTROL, SANDBOX_VDPA},
	{(uint32_t)VHOST_VDPA_GET_STATUS, CONTROL, SANDBOX_VDPA},
	{(uint32_t)VHOST_VDPA_SET_VRING_ENABLE, CONTROL, SANDBOX_VDPA},
	/* An assigned device. */
	{(uint32_t)VFIO_DEVICE_SET_IRQS, CONTROL, SANDBOX_VFIO},
	{(uint32_t)VFIO_DEVICE_RESET, CONTROL, SANDBOX_VFIO},
	/* A disk that is a device. */
	{(uint32_t)BLKDISCARD, IO, SANDBOX_DISK},
	{(uint32_t)BLKGETSIZE64, IO, SANDBOX_DISK},
};

static bool rule_holds(const struct rule *r, enum thread_kind kind, unsigned parts)
{
	return r->kinds >> kind & 1 && (!r->parts || r->parts & parts);
}

int filter_install(enum thread_kind kind, const char *who, unsigned parts)
{
	uint32_t requests[ARRAY_SIZE(ioctls)];
	struct call_filter f;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(ioctls); i++) {
		if (rule_holds(&ioctls[i], kind, parts))
			requests[n++] = ioctls[i].number;
	}
	call_filter_begin(&f);
	call_filter_allow_with(&f, SYS_ioctl, 1, requests, n);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (rule_holds(&calls[i], kind, parts))
			call_filter_allow(&f, calls[i].number);
	}
	return call_filter_install(&f, who);
}
