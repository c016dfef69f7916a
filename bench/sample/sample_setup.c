// SPDX-License-Identifier: MIT
/* A sample before its processes: the device path, the job, the guest's image. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "bench/host/paths.h"
#include "bench/sample/sample_impl.h"
#include "workloads/image.h"

#define PEER_PORTS 4 /* that a peer may take: TCP, iperf3, UDP */

int run_make_job(struct run *r)
{
	if (cell_job(r->cell, r->want->args, &r->job))
		return run_fail(r, -EINVAL, "the job is not sound");
	r->job.start_together = cell_vms(r->cell) > 1;
	if (run_is_vfio(r) || r->want->real_wire) /* the peers are neighbours there */
		r->job.port += PEER_PORTS * r->vm;
	if (run_has_net(r)) {
		snprintf(r->job.addr, sizeof(r->job.addr), "%s", r->path.wire.guest_addr);
		snprintf(r->job.peer, sizeof(r->job.peer), "%s", r->path.wire.peer_addr);
	}
	return 0;
}

static struct path_want path_wanted(const struct run *r)
{
	const struct run_args *args = r->want->args;

	return (struct path_want){
		.sample = r->want->index,
		.vm = r->vm,
		.vms = cell_vms(r->cell),
		.first = r->first ? &r->first->path : NULL,
		.knobs = &r->cell->knobs,
		.real_wire = r->want->real_wire,
		.peer_is_remote = args->peer,
		.ipv6 = args->ipv6,
		.unsafe_interrupts = args->unsafe_interrupts,
		.nic = args->nic,
		.vf = args->vf,
		.log_dir = r->log_dir,
	};
}

int run_make_path(struct run *r)
{
	const struct mode *mode = r->cell->mode;
	struct path_want want = path_wanted(r);
	int err;

	if (run_has_net(r) && want.peer_is_remote && peer_token_read(r->want->args->token, &r->token))
		return run_fail(r, -EACCES, "no token for the peer");
	if (!mode->make)
		return 0;
	err = mode->make(&r->path, &want);
	if (err)
		run_fail(r, err, "the path of mode %s could not be set up: %s", mode->name, strerror(-err));
	return err;
}

int run_serve_path(struct run *r)
{
	const struct mode *mode = r->cell->mode;
	struct path_want want = path_wanted(r);
	int err;

	if (!mode->serve)
		return 0;
	err = mode->serve(&r->path, &want);
	if (err)
		run_fail(r, err, "what serves mode %s did not start: %s", mode->name, strerror(-err));
	return err;
}

/* As image_spec wants them: NULL-terminated. */
static void module_names(const struct strlist *l, const char *names[8])
{
	for (size_t i = 0; i < l->n && i < 7; i++)
		names[i] = l->v[i];
}

int run_make_image(struct run *r)
{
	static const char *const iperf[] = {"/usr/bin/iperf3", NULL};
	struct image_spec spec = {.agent = path_tool("agent")};
	struct strlist vf_modules = STRLIST_INIT;
	const char *names[8] = {NULL};
	char line[JOB_LINE_MAX], *dir, *modules;
	int err = 0;

	if (run_is_micro(r) || run_no_vm(r))
		return 0;
	if (!spec.agent)
		return run_fail(r, -ENOENT, "the agent is not built; run make");
	modules = xasprintf("%s/modules", r->want->kernel_dir);
	spec.moddir = realpath(modules, NULL);
	free(modules);
	if (run_is_vfio(r)) /* whatever the function's driver is */
		err = modules_for_pci(spec.moddir, r->path.sriov.vf_addr, &vf_modules);
	module_names(&vf_modules, names);
	spec.modules = run_is_vfio(r) ? names : r->cell->mode->modules;
	if (job_write(&r->job, line, sizeof(line)) < 0)
		BUG("job line");
	spec.job = line;
	spec.programs = r->job.tool == JOB_IPERF3 ? iperf : NULL;
	dir = xasprintf("%s/images", path_cache());
	if (!err)
		err = dir_make_all(dir);
	if (!err)
		err = image_build_in(&spec, dir, &r->image);
	strlist_free(&vf_modules);
	free(dir);
	free((char *)spec.moddir);
	return err ? run_fail(r, err, "the guest's image could not be built: %s", strerror(-err)) : 0;
}
