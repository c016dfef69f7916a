// SPDX-License-Identifier: MIT
/* libFuzzer: a record as someone else's file may have it: JSON of any kind, checked, read, exported. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "results/export.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const json_t *rec)
{
	for (const struct metric_info *m = metric_table; m->name; m++) {
		size_t n;

		free(record_values(rec, m->name, &n));
	}
	free(record_knobs(rec));
	free(record_series(rec));
}

static void histogram(const json_t *j)
{
	struct hist h;

	if (hist_from_json(j, &h) == 0) {
		json_t *back = hist_to_json(&h);

		json_decref(back);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *out;
	json_t *rec;

	if (!out) {
		log_init("fuzz", LOG_ERROR);
		out = fopen("/dev/null", "w");
	}
	rec = json_loadb((const char *)data, size, 0, NULL);
	if (!rec)
		return 0;
	histogram(rec);
	if (record_validate(rec, "fuzz") == 0) {
		read_all(rec);
		for (const struct export_format *f = export_formats; f->name; f++)
			f->write(&rec, 1, out);
	}
	json_decref(rec);
	return 0;
}
