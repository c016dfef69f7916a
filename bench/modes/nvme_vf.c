// SPDX-License-Identifier: MIT
/* A virtual function of an NVMe controller, handed to the guest through VFIO; its namespace is the medium. */
#include "bench/host/nvme_vf.h"

#include "bench/host/programs.h"
#include "bench/modes/block.h"

static const char *const nvme_vf_modules[] = {"nvme", NULL};

static const char *management_program(const struct knobs *ks)
{
	(void)ks;
	return nvme_program();
}

static int nvme_vf_make(struct device_path *p, const struct path_want *want)
{
	int err = block_make(p, want);

	if (!err)
		err = nvme_vf_setup(&p->sriov, want->unsafe_interrupts);
	if (err)
		return err;
	path_watch_function(p);
	return 0;
}

const struct mode mode_nvme_vf = {
	.name = "nvme-vf",
	.kind = MODE_BLOCK,
	.needs = NEED_ROOT | NEED_VFIO | NEED_NVME_VF,
	.guests = GUEST_LINUX,
	.front = FRONT_VFIO,
	.server = SERVER_DEVICE,
	.modules = nvme_vf_modules,
	.host_modules = nvme_vf_modules,
	.knobs = "",
	.make = nvme_vf_make,
	.helper_program = management_program,
	.undo = path_undo_function,
};
