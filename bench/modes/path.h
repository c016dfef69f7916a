/* SPDX-License-Identifier: MIT */
/*
 * The device path of one VM while a sample lasts: what its mode has made on this machine, and the process
 * that serves it beside the VMM. A sample calls path_init, mode->make, mode->serve, starts the VMM with what
 * path_fds names, and after the VMM's end path_undo, whatever became of the others.
 */
#ifndef BENCH_MODES_PATH_H
#define BENCH_MODES_PATH_H

#include "base/iommu.h"
#include "base/proc.h"
#include "bench/host/medium.h"
#include "bench/host/scsi_target.h"
#include "bench/host/sriov.h"
#include "bench/host/wire.h"
#include "bench/modes/knobs.h"
#include "bench/modes/mode.h"

#define PATH_FDS WIRE_QUEUES

/* What a sample asks of the path. */
struct path_want {
	unsigned sample, vm, vms;        /* number of the sample, of this VM, how many VMs */
	const struct device_path *first; /* of VM 0, whose real wire the others share; NULL for VM 0 itself */
	const struct knobs *knobs;
	bool real_wire;        /* the path goes through a card, whatever the mode */
	bool peer_is_remote;   /* another machine has the other end of the wire */
	bool ipv6;
	bool unsafe_interrupts;
	const char *medium;    /* the value of --medium */
	bool overwrite;
	const char *nic, *vf;  /* the card, its virtual function; NULL: to be found, to be made */
	const char *log_dir;   /* of this VM */
	const char *helper_dir; /* of our program that serves it, when it is not the usual one; NULL */
	int stats_fd;          /* the VMM's statistics page, or -1 */
};

struct journal;

struct device_path {
	const struct mode *mode;
	struct wire wire;
	struct sriov sriov;
	struct medium medium;
	struct iommu_watch faults; /* DMA that the IOMMU stopped */
	struct proc helper;
	char *socket;              /* of the helper */
	bool foreign_helper;       /* who serves it is not ours, and counts nothing that we could read */
	struct scsi_target target; /* of the kernel's SCSI */
	char *vdpa;                /* the device file that serves the rings */
	int cgroup_fd;             /* that the agent starts in, or -1 */
	struct journal *journal;   /* of what the kernel does not clean up by itself */
};

void path_init(struct device_path *p, const struct mode *mode);
/* The fds that the VMM is given, into fd[PATH_FDS]; how many. */
int path_fds(const struct device_path *p, int *fd);
void path_undo(struct device_path *p);

/* ---- a function of a device, through VFIO ---- */

/* Count DMA of p->sriov that the IOMMU stops. */
void path_watch_function(struct device_path *p);
/* mode->undo */
void path_undo_function(struct device_path *p);

/* ---- helpers ---- */

/* Our own program NAME, or the other build's; NULL: it is not there (logged). Caller frees. */
char *path_helper_program(const struct path_want *want, const char *name);
/* Choose p->socket, at which the helper is to listen. 0 or -errno. */
int path_make_socket(struct device_path *p, const struct path_want *want);
/* Start it, its messages in LOG, and wait until the socket is there. */
int path_start_helper(struct device_path *p, const struct path_want *want, char *const *argv,
		      const struct proc_opts *opts, const char *log);

#endif
