/* SPDX-License-Identifier: MIT */
/*
 * The table of workloads. A new one: a file NAME.c that ends in a const struct workload (skeleton.c
 * is a commented example), a row in workloads.c, and its job in the agent or the micro guest.
 */
#ifndef WORKLOADS_WORKLOADS_H
#define WORKLOADS_WORKLOADS_H

#include "workloads/job.h"

/* What a workload, a mode or a VMM needs of the machine; the runner chooses host or lab by it. */
enum workload_need {
	NEED_ROOT = 1 << 0,
	NEED_KVM = 1 << 1,	 /* any /dev/kvm: enough for the micro guest */
	NEED_KVM_LINUX = 1 << 2, /* a KVM that runs Linux guests */
	NEED_TAP = 1 << 3,
	NEED_VHOST = 1 << 4,
	NEED_VFIO = 1 << 5,
	NEED_NULL_BLK = 1 << 7, /* kernel modules to make disks of */
	NEED_BRD = 1 << 8,
	NEED_VHOST_SCSI = 1 << 11,
	NEED_NVME_VF = 1 << 12, /* an NVMe controller with virtual functions */
	NEED_VDPA = 1 << 13, /* vhost-vdpa and VDUSE */
	NEED_KVM_XEN = 1 << 9, /* a KVM that takes Xen's hypercalls */
	NEED_XEN = 1 << 10, /* to be dom0 of Xen */
	NEED_LAB = 1 << 6, /* changes what other users of this machine's KVM would notice */
};

enum workload_guest {
	GUEST_LINUX = 1 << 0,
	GUEST_MICRO = 1 << 1,
	GUEST_NONE = 1 << 2 /* mode host */
};

enum workload_flag {
	WORKLOAD_NET = 1 << 0,	      /* has a device path: --mode */
	WORKLOAD_PEER = 1 << 1,	      /* wants a peer process at the other end */
	WORKLOAD_WHOLE_BOOT = 1 << 2, /* the window is the boot: from power-on to MARKER_BOOTED */
	WORKLOAD_BLOCK = 1 << 4,      /* has a disk: --mode of the block kind, --medium */
	WORKLOAD_MAY_NET = 1 << 3,    /* a device path is there when --mode names one, and not used */
};

struct workload {
	const char *name;
	const char *summary; /* one line for bench list */
	unsigned needs;	     /* enum workload_need, beyond what mode and guest need */
	unsigned guests;     /* enum workload_guest; the lowest bit is the default */
	unsigned flags;
	unsigned cpus;	      /* default vCPUs; 0: one */
	uint64_t duration_ns; /* default window; 0: fixed work decides */
	const char *metrics;  /* blank-separated names; the first is the headline of the table */
	/* Optional: defaults of the job beyond job_defaults(), then a check of the whole (-EINVAL,
	 * logged). */
	void (*defaults)(struct workload_job *job);
	int (*check)(const struct workload_job *job);
};

/* Ends with NULL. */
extern const struct workload *const workload_table[];
const struct workload *workload_find(const char *name);
/* Every row is sound: 0, or -EINVAL after naming the row and what is wrong with it. Run once at start-up. */
int workloads_validate(void);

#endif
