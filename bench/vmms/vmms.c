// SPDX-License-Identifier: MIT
/* The table of VMMs, and what is the same for all of them. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "bench/vmms/vmm.h"

extern const struct vmm_adapter adapter_builtin, adapter_qemu;

const struct vmm_adapter *const vmm_adapters[] = {&adapter_builtin, &adapter_qemu, NULL};

const struct vmm_adapter *vmm_adapter_find(const char *name, size_t len)
{
	for (size_t i = 0; vmm_adapters[i]; i++)
		if (strlen(vmm_adapters[i]->name) == len && !memcmp(vmm_adapters[i]->name, name, len))
			return vmm_adapters[i];
	return NULL;
}

int vmm_refuse_mode(const struct vmm_adapter *vmm, const struct mode *mode)
{
	log_error("--mode=%s: %s has no such device; use another --vmm", mode->name, vmm->name);
	return -ENOTSUP;
}
