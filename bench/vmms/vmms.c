// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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

void arglist_add(struct arglist *a, const char *fmt, ...)
{
	va_list ap;

	if (a->n + 2 > a->cap) {
		a->cap = MAX(32, a->cap * 2);
		a->v = xrealloc(a->v, a->cap * sizeof(*a->v));
	}
	va_start(ap, fmt);
	if (vasprintf(&a->v[a->n++], fmt, ap) < 0)
		die(EXIT_CANNOT, "out of memory");
	va_end(ap);
	a->v[a->n] = NULL;
}

void arglist_free(struct arglist *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->v[i]);
	free(a->v);
	*a = (struct arglist){NULL, 0, 0};
}
