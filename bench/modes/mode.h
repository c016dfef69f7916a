/* SPDX-License-Identifier: MIT */
/*
 * A mode: one I/O path between a guest's driver and the other end. A new one: a file NAME.c here that
 * ends in a const struct mode mode_NAME, and a row in results/mode_rows.h.
 */
#ifndef BENCH_MODES_MODE_H
#define BENCH_MODES_MODE_H

#include "base/util.h"
#include "workloads/workloads.h"

/* What the path leads to. A name may stand for one path of each kind. */
enum mode_kind {
	MODE_NONE = 1 << 0, /* the workload has no device */
	MODE_NET = 1 << 1,
	MODE_BLOCK = 1 << 2,
};

/* The device that the guest's driver sees. A VMM refuses those that it does not know. */
enum front_end {
	FRONT_NONE,
	FRONT_E1000,
	FRONT_VIRTIO_NET,
	FRONT_VIRTIO_BLK,
	FRONT_NVME,
	FRONT_IDE,
	FRONT_VIRTIO_SCSI,
	FRONT_XEN_NET, /* the VM is one of Xen's, KVM takes its hypercalls */
	FRONT_XEN_BLK,
	FRONT_XEN_VIF, /* the VM is a domain of Xen itself */
	FRONT_XEN_VBD,
	FRONT_VFIO, /* a function of a device of this host */
};

/* Who does what the guest's driver asks for. */
enum server {
	SERVER_VMM,
	SERVER_KERNEL, /* vhost: a thread of the host's kernel */
	SERVER_HELPER, /* another process, over a socket */
	SERVER_VDPA,   /* a device of the kernel's that speaks virtio, behind which there may be a process */
	SERVER_DEVICE, /* the hardware itself */
};

struct device_path;
struct path_want;
struct knobs;

struct mode {
	const char *name;
	enum mode_kind kind;
	unsigned needs;  /* of the machine: enum workload_need */
	unsigned guests; /* those that have a driver for it: enum workload_guest */
	enum front_end front;
	enum server server;
	/*
	 * The Linux guest's drivers, NULL-terminated. For FRONT_VFIO they are those of the lab's card:
	 * elsewhere the device says which it wants.
	 */
	const char *const *modules;
	/* What the Linux guest's kernel is told with these switches, beside what all are; NULL: nothing. */
	const char *(*cmdline)(const struct knobs *knobs);
	/* Of this machine's kernel, which make loads; NULL: none. A lab that has to carry them asks. */
	const char *const *host_modules;
	/* Its switches, blank-separated: rows of knobs.c, beside those that all modes have. */
	const char *knobs;
	const char *helper_knobs; /* those of them that the helper is told, and not the VMM; NULL: none */
	bool apart; /* without a VM: the agent is in namespaces and a cgroup of its own */
	/*
	 * On this machine, before the VMM starts: 0 or -errno (logged). NULL: nothing to do. What the kernel
	 * does not clean up by itself when we are killed goes through base/journal.h.
	 */
	int (*make)(struct device_path *path, const struct path_want *want);
	/* The program of others that make or serve runs, for a lab that has to carry it; NULL: none. */
	const char *(*helper_program)(const struct knobs *knobs);
	const char *const *carry; /* and more of them; NULL: none */
	/* Starts path->helper. */
	int (*serve)(struct device_path *path, const struct path_want *want);
	/* Undoes what path_undo does not, after the VMM's end and when make has failed half-way. */
	void (*undo)(struct device_path *path);
};

/*
 * Without a row: no device, in a VM, on this machine itself and in a container on it; modes host and
 * container of the block workloads.
 */
extern const struct mode mode_none, mode_bare, mode_container_bare, mode_host_block, mode_container_block;
#define X(symbol, ...) extern const struct mode mode_##symbol;
#include "results/mode_rows.h"
#undef X

/* Those without a row, then the rows of mode_rows.h; ends with NULL. */
extern const struct mode *const mode_table[];
/* The first of this name among some kinds, or NULL. The path without a device is called "". */
const struct mode *mode_find(const char *name, unsigned kinds);
/* The one of these kinds that has no VM, or NULL. */
const struct mode *mode_without_vm(unsigned kinds);

/* Its VM is one of Xen's. */
static inline bool mode_is_xen(const struct mode *m)
{
	return m->front == FRONT_XEN_NET || m->front == FRONT_XEN_BLK;
}

static inline bool mode_has_vm(const struct mode *m)
{
	return m->guests != GUEST_NONE;
}

#endif
