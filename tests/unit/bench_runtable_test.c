// SPDX-License-Identifier: MIT
/* What a run's table says of rows whose boots differ more than a median tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/strbuf.h"
#include "bench/run/run.h"

static json_t *record_with(const char *cell, const double *x, size_t n)
{
	json_t *samples = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			samples, json_pack("{s:b, s:{s:f}}", "ok", 1, "metrics", "throughput_bps", x[i]));
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:{s:s}}", "id", "20260101-000000-abcdef", "workload",
			 "net-throughput", "substrate", "host", "time_base", "real", "samples", samples,
			 "plan", "cell", cell);
}

/* What run_print_table says about two rows: steady ones of 100, 101, ... and x. */
static void table_of(const double *x, size_t n, char *text, size_t size)
{
	static const double steady[] = {100, 101, 99, 100, 102, 98, 100};
	json_t *records = json_array();
	int out = dup(STDOUT_FILENO);
	FILE *f = tmpfile();
	size_t got;

	json_array_append_new(records, record_with("virtio/qemu", steady, n));
	json_array_append_new(records, record_with("virtio/builtin", x, n));
	fflush(stdout);
	dup2(fileno(f), STDOUT_FILENO);
	run_print_table(records, workload_find("net-throughput"));
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
	rewind(f);
	got = fread(text, 1, size - 1, f);
	text[got] = '\0';
	fclose(f);
	json_decref(records);
}

static void boots_that_scatter_are_said(void **state)
{
	static const struct {
		double x[7];
		size_t n;
		const char *says; /* NULL: neither */
	} cases[] = {
		{{113, 184, 242, 250, 551}, 5, "UNSTEADY virtio/builtin"},
		{{100, 101, 102, 100, 500, 501, 499}, 7, "TWO MODES virtio/builtin"},
		{{200, 201, 199, 202, 198}, 5, NULL},
		{{100, 150, 200}, 3, NULL}, /* too few to say so */
		{{200, 201, 199, 202, 9000}, 5, NULL}, /* one boot is no spread */
	};
	char text[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		table_of(cases[i].x, cases[i].n, text, sizeof(text));
		if (cases[i].says)
			assert_non_null(strstr(text, cases[i].says));
		else
			assert_true(!strstr(text, "UNSTEADY") && !strstr(text, "TWO MODES"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boots_that_scatter_are_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
