// SPDX-License-Identifier: MIT
/* libFuzzer: what xentrace recorded of a domain that may be hostile, or a file that is none of its. */
#include <string.h>

#include "probes/xen_trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same bytes in two pieces, as they come while xentrace is at it. */
static void read_live(const uint8_t *data, size_t size, size_t cut)
{
	struct xen_reader *r = xen_reader_new(XEN_ALL_DOMAINS);
	struct xen_tally y = {.rows = NULL};
	size_t used;
	const char *why;

	for (size_t i = 0; i < 2; i++) {
		struct xen_trace t;
		size_t end = i ? size : cut;

		if (xen_reader_take(r, data, end, &used, &why))
			used = end;
		data += used;
		size -= used;
		xen_reader_give(r, &t, i);
		for (size_t e = 0; e < t.n; e++)
			xen_tally_add(&y, &t, &t.event[e]);
		xen_tally_grants(&y, &t);
		xen_trace_free(&t);
	}
	json_decref(xen_tally_rows(&y));
	xen_tally_free(&y);
	xen_reader_free(r);
}

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
	read_live(data + 2, size - 2, (size - 2) * data[1] / 256);
	return 0;
}
