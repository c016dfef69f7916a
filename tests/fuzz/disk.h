/* SPDX-License-Identifier: MIT */
/* For the fuzzers of disks: a medium in memory behind a device, and the turns of its thread. */
#ifndef TESTS_FUZZ_DISK_H
#define TESTS_FUZZ_DISK_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/unit/fake.h"
#include "vmm/block/io_thread.h"
#include "vmm/devices.h"

#define DISK_RAM   (1 * MIB)
#define DISK_BYTES (256 * KIB)

struct fuzz_disk {
	struct vm *vm;
	struct pci_dev *dev;
	int medium;
};

/* Once; more: the device's own options, each with a comma before it. */
static inline void disk_set_up(struct fuzz_disk *d, const struct pci_ops *ops, const char *more)
{
	char opts[128];

	if (d->vm)
		return;
	log_init("fuzz", LOG_ERROR);
	d->medium = memfd_create("disk", MFD_CLOEXEC);
	if (d->medium < 0 || ftruncate(d->medium, DISK_BYTES) < 0)
		abort();
	snprintf(opts, sizeof(opts), "file=/proc/self/fd/%d,direct=off,engine=sync,poll_us=0%s", d->medium,
		 more);
	d->vm = fake_vm_create(DISK_RAM);
	d->dev = d->vm ? fake_attach(d->vm, ops, opts) : NULL;
	if (!d->dev)
		abort();
}

static inline void disk_turn(void *arg)
{
	(void)arg;
}

/* Two turns of the thread: what was there before is served. */
static inline void disk_serve(struct io_thread *t)
{
	io_thread_call(t, disk_turn, NULL);
	io_thread_call(t, disk_turn, NULL);
}

/* Whatever was asked for, nothing went outside of the medium. */
static inline void disk_check(const struct fuzz_disk *d)
{
	struct stat st;

	if (fstat(d->medium, &st) < 0 || st.st_size != DISK_BYTES)
		abort();
}

#endif
