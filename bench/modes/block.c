// SPDX-License-Identifier: MIT
#include <string.h>

#include "bench/host/programs.h"
#include "bench/modes/block.h"

const char *const virtio_blk_modules[] = {"virtio_pci", "virtio_blk", NULL};

int block_make(struct device_path *p, const struct path_want *want)
{
	struct medium_want w = {.name = want->medium,
				.unit = want->vm,
				.units = want->vms,
				.overwrite = want->overwrite,
				.request_us = knobs_u64(want->knobs, "medium_us", 0)};

	return medium_open(&p->medium, &w);
}

void block_storage_daemon(const struct device_path *p, const struct path_want *want, struct strlist *argv)
{
	const char *driver = "file", *aio = "io_uring", *poll_us = knobs_get(want->knobs, "poll_us", NULL);

	if (p->medium.is_device)
		driver = "host_device";
	if (!strcmp(knobs_get(want->knobs, "engine", ""), "sync"))
		aio = "threads";
	strlist_add(argv, storage_daemon_program());
	strlist_add(argv, "--object");
	if (poll_us)
		strlist_addf(argv, "iothread,id=io0,poll-max-ns=%s000", poll_us);
	else
		strlist_add(argv, "iothread,id=io0");
	strlist_add(argv, "--blockdev");
	strlist_addf(argv, "driver=%s,node-name=m0,filename=%s,cache.direct=on,discard=unmap,aio=%s", driver,
		     p->medium.path, aio);
}
