// SPDX-License-Identifier: MIT
/* A sample before its processes: the device path, the job, the guest's image. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "bench/host/paths.h"
#include "bench/host/programs.h"
#include "bench/sample/sample_impl.h"
#include "workloads/image.h"

#define PEER_PORTS 4 /* that a peer may take: TCP, iperf3, UDP */

int boot_make_job(struct vm_boot *b)
{
	if (cell_job(b->cell, b->want->args, &b->job))
		return boot_fail(b, -EINVAL, "the job is not sound");
	/* What serves the disk counts all commands: there is a moment without any before the window. */
	b->job.start_together = cell_vms(b->cell) > 1 || b->path.target.commands;
	if (boot_is_vfio(b) || b->want->real_wire) /* all peers of the VMs share one namespace */
		b->job.port += PEER_PORTS * b->vm;
	if (boot_has_net(b)) {
		snprintf(b->job.addr, sizeof(b->job.addr), "%s", b->path.wire.guest_addr);
		snprintf(b->job.peer, sizeof(b->job.peer), "%s", b->path.wire.peer_addr);
	}
	if (cell_has_disk(b->cell) && !b->path.medium.keeps)
		b->job.verify = JOB_VERIFY_OFF;
	if (cell_has_disk(b->cell) && boot_no_vm(b))
		snprintf(b->job.disk, sizeof(b->job.disk), "%s", b->path.medium.path);
	return 0;
}

static struct path_want path_wanted(const struct vm_boot *b)
{
	const struct run_args *args = b->want->args;

	return (struct path_want){
		.sample = b->want->index,
		.vm = b->vm,
		.vms = cell_vms(b->cell),
		.first = b->first ? &b->first->path : NULL,
		.knobs = &b->cell->knobs,
		.real_wire = b->want->real_wire,
		.peer_is_remote = args->peer,
		.ipv6 = args->ipv6,
		.unsafe_interrupts = args->unsafe_interrupts,
		.medium = args_medium(args),
		.overwrite = args->overwrite,
		.nic = args->nic,
		.vf = args->vf,
		.log_dir = b->log_dir,
		.helper_dir = b->cell->programs.helper_dir,
		.stats_fd = b->stats_fd,
	};
}

int boot_make_path(struct vm_boot *b)
{
	const struct mode *mode = b->cell->mode;
	struct path_want want = path_wanted(b);
	int err;

	if (boot_has_net(b) && want.peer_is_remote && peer_token_read(b->want->args->token, &b->token))
		return boot_fail(b, -EACCES, "no token for the peer");
	if (!mode->make)
		return 0;
	err = mode->make(&b->path, &want);
	if (err)
		boot_fail(b, err, "the path of mode %s could not be set up: %s", mode->name, strerror(-err));
	return err;
}

int boot_serve_path(struct vm_boot *b)
{
	const struct mode *mode = b->cell->mode;
	struct path_want want = path_wanted(b);
	int err;

	if (!mode->serve)
		return 0;
	err = mode->serve(&b->path, &want);
	if (err)
		boot_fail(b, err, "what serves mode %s did not start: %s", mode->name, strerror(-err));
	return err;
}

/* Whatever the function's driver is, or those of the mode, on the bus that the VMM has. */
static int guest_modules(const struct vm_boot *b, const char *moddir, struct strlist *names)
{
	if (boot_is_vfio(b))
		return modules_for_pci(moddir, b->path.sriov.vf_addr, names);
	for (const char *const *m = b->cell->mode->modules; *m; m++)
		strlist_add(names, vmm_guest_module(b->cell->vmm, &b->cell->knobs, *m));
	return 0;
}

int boot_make_image(struct vm_boot *b)
{
	struct image_spec spec = {.agent = path_tool("agent")};
	struct strlist names = STRLIST_INIT;
	const char *tool[2] = {tool_program(knobs_get(&b->cell->knobs, "tool", "engine"))};
	char line[JOB_LINE_MAX], *dir, *modules;
	int err;

	if (boot_is_micro(b) || boot_no_vm(b))
		return 0;
	if (!spec.agent)
		return boot_fail(b, -ENOENT, "the agent is not built; run make");
	modules = xasprintf("%s/modules", b->want->kernel_dir);
	spec.moddir = realpath(modules, NULL);
	free(modules);
	err = guest_modules(b, spec.moddir, &names);
	spec.modules = (const char *const *)names.v;
	if (job_write(&b->job, line, sizeof(line)) < 0)
		BUG("job line");
	spec.job = line;
	spec.programs = tool;
	dir = xasprintf("%s/images", path_cache());
	if (!err)
		err = dir_make_all(dir);
	if (!err)
		err = image_build_in(&spec, dir, &b->image);
	strlist_free(&names);
	free(dir);
	free((char *)spec.moddir);
	if (err)
		boot_fail(b, err, "the guest's image could not be built: %s", strerror(-err));
	return err;
}
