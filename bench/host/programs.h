/* SPDX-License-Identifier: MIT */
/* Programs of others that several rooms start or ask. */
#ifndef BENCH_HOST_PROGRAMS_H
#define BENCH_HOST_PROGRAMS_H

/* $EXITLAB_QEMU, else the name to look for in PATH. */
const char *qemu_program(void);
/* qemu-storage-daemon, as Debian installs it. */
const char *storage_daemon_program(void);
/* nvme-cli, as Debian installs it. */
const char *nvme_program(void);
/* iproute2's, which makes a device of what VDUSE has. */
#define VDPA_PROGRAM "/usr/sbin/vdpa"
/* "10.0.2", or NULL when there is none. Caller frees. */
char *qemu_version(void);
/* The program of --tool=iperf3 or fio, as Debian installs it; NULL: our engine. */
const char *tool_program(const char *tool);

#endif
