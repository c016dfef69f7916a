/* SPDX-License-Identifier: MIT */
/*
 * A disk of the kernel's SCSI target (LIO) for vhost_scsi: a block device becomes a backstore, and that the
 * one LUN of a target of its own. All are directories of configfs, each journalled and removed in reverse:
 *
 *   target/core/iblock_N/exitlab          the backstore
 *   target/vhost/naa.5001405.../tpgt_1    the target, its nexus, lun/lun_0 and the link to the backstore
 *
 * The backstore counts the commands that came to it (statistics/scsi_lu/num_cmds).
 */
#ifndef BENCH_HOST_SCSI_TARGET_H
#define BENCH_HOST_SCSI_TARGET_H

#include "bench/host/medium.h"

/* What must be loaded, NULL-terminated. */
extern const char *const scsi_target_modules[];

struct scsi_target {
	char *wwpn;
	char *commands; /* the file in which it counts them */
};

/* 0 or -errno (logged). unit: of several VMs. */
int scsi_target_make(struct journal *j, const struct medium *m, unsigned unit, struct scsi_target *t);
void scsi_target_free(struct scsi_target *t);

#endif
