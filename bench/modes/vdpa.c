// SPDX-License-Identifier: MIT
/*
 * virtio-blk, served by a vDPA device: qemu-storage-daemon has the medium and is a device of the kernel's
 * (VDUSE), which vhost-vdpa hands to the VMM. Once set up neither the VMM nor a socket is on a request's way.
 *
 *   qemu-storage-daemon -> /dev/vduse/NAME -> vdpa dev add -> /dev/vhost-vdpa-N -> VMM
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/journal.h"
#include "base/log.h"
#include "bench/host/programs.h"
#include "bench/modes/block.h"

#define NODE_WAIT_NS (5 * NSEC_PER_SEC)

static const char *const vdpa_host_modules[] = {"vduse", "vhost_vdpa", NULL};

static int vdpa_make(struct device_path *p, const struct path_want *want)
{
	int err = block_make(p, want);

	if (!err)
		err = journal_open(&p->journal);
	for (size_t i = 0; vdpa_host_modules[i] && !err; i++)
		err = kmod_need(p->journal, vdpa_host_modules[i]);
	return err;
}

/* The device file of the vDPA device NAME, or NULL. */
static char *find_node(const char *name)
{
	char *dir = xasprintf("/sys/bus/vdpa/devices/%s", name), *node = NULL;
	DIR *d = opendir(dir);

	for (struct dirent *e; d && !node && (e = readdir(d));)
		if (!strncmp(e->d_name, "vhost-vdpa-", 11))
			node = xasprintf("/dev/%s", e->d_name);
	if (d)
		closedir(d);
	free(dir);
	return node;
}

static int wait_for_node(struct device_path *p, const char *name)
{
	uint64_t until = clock_ns() + NODE_WAIT_NS;

	while (!p->vdpa && clock_ns() < until) {
		p->vdpa = find_node(name);
		if (!p->vdpa)
			clock_sleep_ns(10 * NSEC_PER_MSEC);
	}
	if (p->vdpa)
		return 0;
	log_error(
		"/sys/bus/vdpa/devices/%s: vhost_vdpa has made no device of it; is another driver (virtio_vdpa) loaded?",
		name);
	return -ENODEV;
}

/* The kernel's half: without it the daemon's device is nobody's. */
static int add_device(struct device_path *p, const char *name)
{
	char *add = xasprintf(VDPA_PROGRAM " dev add name %s mgmtdev vduse", name),
	     *del = xasprintf(VDPA_PROGRAM " dev del %s", name);
	int err = journal_run(p->journal, add, del);

	if (!err)
		err = wait_for_node(p, name);
	free(del);
	free(add);
	return err;
}

static int vdpa_serve(struct device_path *p, const struct path_want *want)
{
	char *name = xasprintf("exitlab-%d-%u", getpid(), want->vm);
	struct strlist argv = STRLIST_INIT;
	struct proc_opts o = {0};
	int err;

	p->socket = xasprintf("/dev/vduse/%s", name);
	block_storage_daemon(p, want, &argv);
	strlist_add(&argv, "--export");
	strlist_addf(&argv,
		     "type=vduse-blk,id=e0,node-name=m0,name=%s,writable=on,iothread=io0,num-queues=%u", name,
		     (unsigned)knobs_u64(want->knobs, "queues", 1));
	err = path_start_helper(p, want, argv.v, &o, "qemu-storage-daemon.log");
	free(p->socket); /* the kernel's: it goes with the daemon */
	p->socket = NULL;
	if (!err)
		err = add_device(p, name);
	strlist_free(&argv);
	free(name);
	return err;
}

static void vdpa_undo(struct device_path *p)
{
	free(p->vdpa);
	p->vdpa = NULL;
}

static const char *const vdpa_carry[] = {VDPA_PROGRAM, NULL};

static const char *vdpa_daemon(const struct knobs *knobs)
{
	(void)knobs;
	return storage_daemon_program();
}

const struct mode mode_vdpa = {
	.name = "vdpa",
	.kind = MODE_BLOCK,
	.needs = NEED_ROOT | NEED_VDPA,
	.guests = GUEST_LINUX | GUEST_MICRO,
	.front = FRONT_VIRTIO_BLK,
	.server = SERVER_VDPA,
	.modules = virtio_blk_modules,
	.host_modules = vdpa_host_modules,
	.knobs = "engine queues ioeventfd event_idx indirect irq notify",
	.helper_knobs = "engine",
	.make = vdpa_make,
	.helper_program = vdpa_daemon,
	.carry = vdpa_carry,
	.serve = vdpa_serve,
	.undo = vdpa_undo,
};
