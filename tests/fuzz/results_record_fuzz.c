// SPDX-License-Identifier: MIT
/* libFuzzer: a record as someone else's file may have it: JSON of any kind, checked, read, exported. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "results/export.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every part of it into its struct. */
static void read_parts(const json_t *rec)
{
	static struct hist h;
	struct record r = record_of(rec);
	struct record_sample s;
	struct record_exit e;
	struct record_check c;
	struct record_input in;
	struct record_thread t;
	struct interval iv;
	const char *text;
	char buf[16];

	for (size_t i = 0; record_sample(r.samples, i, &s); i++) {
		for (size_t k = 0; record_thread(s.threads, k, &t); k++)
			;
		for (size_t k = 0; record_text(s.tags, k, &text); k++)
			;
		record_bottleneck_of(&s);
		record_window_ns(rec, &s);
	}
	for (size_t i = 0; record_exit(r.exits, i, &e); i++)
		;
	for (size_t i = 0; record_check(r.checks, i, &c); i++)
		;
	for (size_t i = 0; record_input(r.inputs, i, &in); i++)
		;
	for (void *at = NULL; record_next_metric(rec, &at, &text, &iv);)
		record_hist(rec, text, &h);
	record_plan_of(rec);
	record_environment_of(rec);
	record_setting(rec, "work", &iv.point);
	record_setting_text(rec, "work", buf, sizeof(buf));
}

static void read_all(const json_t *rec)
{
	read_parts(rec);
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
