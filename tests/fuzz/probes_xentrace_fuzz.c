// SPDX-License-Identifier: MIT
/* libFuzzer: what xentrace recorded of a domain that may be hostile, or a file that is none of its. */
#include <string.h>

#include "probes/xen_trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte is the number of the domain, the second how many writes the only part has. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xen_parts parts = {.n = 0};
	struct xen_trace t;
	uint64_t writes;
	const char *why;

	if (size < 2)
		return 0;
	writes = data[1];
	if (data[1] == 0xff)
		writes = UINT64_MAX;
	parts.writes = &writes;
	parts.n = data[1] & 1;
	if (!xen_trace_parse(&t, data + 2, size - 2, data[0], &why))
		json_decref(xen_trace_json(&t, &parts));
	xen_trace_free(&t);
	return 0;
}
