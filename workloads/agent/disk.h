/* SPDX-License-Identifier: MIT */
/*
 * The disk of the block workloads: in a guest the first that has come up, on the machine itself what the job
 * names.
 */
#ifndef WORKLOADS_AGENT_DISK_H
#define WORKLOADS_AGENT_DISK_H

#include "workloads/agent/agent.h"

struct disk {
	int fd; /* past the page cache */
	char *path, *sys; /* where sysfs has its queue and its counters; NULL: a file */
	uint64_t sectors; /* of 512 bytes */
};

#define DISK_INIT {.fd = -1}

/* What the device has done, by its own count (Documentation/block/stat.rst). */
struct disk_count {
	uint64_t reads, writes, discards, flushes, sectors;
};

/* 0, or -errno after agent_fail; disk_close either way. */
int disk_open(const struct agent *a, struct disk *d);
void disk_close(struct disk *d);
/* The PCI function that the disk hangs on, and its driver. */
struct disk_driver {
	char *driver; /* directory of sysfs */
	char *device; /* "0000:00:02.0" */
};
/* 0, or -errno after agent_fail. Caller frees both. */
int disk_find_driver(const struct disk *d, struct disk_driver *out);
/* In a guest what is measured is the device: nothing is sorted, merged or held back before it. */
void disk_set_queue(const struct agent *a, const struct disk *d);
/* Zeroes for what does not count: a file, Linux's brd. */
struct disk_count disk_count(const struct disk *d);

/* fio.c */
int fio_run(struct agent *a, const struct disk *d);

#endif
