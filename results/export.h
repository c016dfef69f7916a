/* SPDX-License-Identifier: MIT */
/* Records in the formats of others. */
#ifndef RESULTS_EXPORT_H
#define RESULTS_EXPORT_H

#include <stdio.h>
#include "results/record.h"

struct export_format {
	const char *name, *text;
	void (*write)(json_t *const *rec, size_t n, FILE *out);
};
/* json, csv, openmetrics, bmf, ktap, lava, kcidb; ends with a NULL name. */
extern const struct export_format export_formats[];
const struct export_format *export_find(const char *name);

void export_kcidb(json_t *const *rec, size_t n, FILE *out);

#endif
