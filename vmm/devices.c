// SPDX-License-Identifier: MIT
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "vmm/devices.h"

#define X(symbol) &symbol##_ops,
static const struct pci_ops *const devices[] = {
#include "vmm/device_rows.h"
	NULL,
};
#undef X

static void no_device(const char *name)
{
	struct strbuf all = STRBUF_INIT;

	for (const struct pci_ops *const *ops = devices; *ops; ops++) {
		strbuf_sep(&all, ", ");
		strbuf_adds(&all, (*ops)->name);
	}
	log_error("no device %s; there are %s", name, strbuf_str(&all));
	strbuf_free(&all);
}

const struct pci_ops *device_find(const char *name)
{
	for (const struct pci_ops *const *ops = devices; *ops; ops++)
		if (!strcmp((*ops)->name, name))
			return *ops;
	no_device(name);
	return NULL;
}
