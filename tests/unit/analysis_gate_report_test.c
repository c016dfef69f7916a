// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include <stdlib.h>

#include "analysis/gate_report.h"

static struct gate_row rows[] = {
	{.metric = "throughput_bps",
	 .better = 1,
	 .base = 1e9,
	 .screen_value = 0.95e9,
	 .screen = {0.95, 0.93, 0.97, 10},
	 .confirm = {0.951, 0.94, 0.96, 20},
	 .floor = {NULL, 0.02, 1e6},
	 .between = {0.021, 20},
	 .detectable = 1.25,
	 .result = GATE_TRIPPED},
	{.metric = "latency_ns",
	 .better = -1,
	 .base = 50000,
	 .screen_value = 50100,
	 .screen = {1.002, 0.98, 1.03, 10},
	 .confirm = {NAN, NAN, NAN, 0},
	 .floor = {NULL, 0.01, 0},
	 .between = {NAN, 2},
	 .detectable = INFINITY,
	 .result = GATE_PASS},
};
static const struct gate tripped = {rows, 2, false, true, false};
static const struct gate_names names = {"b", "s", "c", (char *)"net/<&>\"x\""};

static char *written(void (*write)(const struct gate *, const struct gate_names *, FILE *),
		     const struct gate *g)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	write(g, &names, f);
	fclose(f);
	return text;
}

static void markdown(void **state)
{
	char *text = written(gate_write_markdown, &tripped);

	(void)state;
	assert_string_equal(
		text,
		"### bench gate: TRIPPED\n\n`net/<&>\"x\"`: baseline `b`, screening `s`, "
		"confirmation `c`\n\n"
		"| metric | baseline | now | screening | confirmation | floor | between runs | detectable | result "
		"|\n|---|--:|--:|--:|--:|--:|--:|--:|---|\n"
		"| `throughput_bps` | 1.00 G | 950 M | -5.0 % (-7.0 to -3.0) | -4.9 % (-6.0 to "
		"-4.0) | 2 %, 1.00 M | 2.1 % (20) | -20.0 % | **TRIPPED** |\n"
		"| `latency_ns` | 50.0 us | 50.1 us | +0.2 % (-2.0 to +3.0) | - | 1 % | - | none | pass |\n"
		"\nChanges are Hodges-Lehmann ratios with 95 % intervals; detectable: the worsening that 4 of 5 "
		"such gates of 2 metrics trip on.\n"
		"Between runs: standard deviation of runs of the same programs, from as many A/A pairs of the "
		"store; the intervals include it.\n");
	free(text);
}

static void names_stay_in_their_cell(void **state)
{
	struct gate_row row = rows[0];
	struct gate g = {&row, 1, false, true, false};
	char *md, *xml;

	(void)state;
	row.metric = "a`b|c\n# \x1b[2J";
	md = written(gate_write_markdown, &g);
	xml = written(gate_write_junit, &g);
	assert_non_null(strstr(md, "\n| `a'b\\|c # ?[2J` | 1.00 G"));
	assert_non_null(strstr(xml, "name=\"a`b|c # ?[2J\""));
	free(md);
	free(xml);
}

static void junit(void **state)
{
	char *text = written(gate_write_junit, &tripped);

	(void)state;
	assert_string_equal(
		text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"bench gate\" "
		      "tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\">\n"
		      " <testcase classname=\"net/&lt;&amp;&gt;&quot;x&quot;\" "
		      "name=\"throughput_bps\"><failure message=\"1.00 G to 950 M: "
		      "-5.0 % (-7.0 to -3.0); confirmed -4.9 % (-6.0 to -4.0); floor 2 %, 1.00 "
		      "M\"/></testcase>\n"
		      " <testcase classname=\"net/&lt;&amp;&gt;&quot;x&quot;\" "
		      "name=\"latency_ns\"></testcase>\n</testsuite>\n");
	free(text);
}

/* Exact counts show their last digit; what is equal is counted, not listed. */
static void exact(void **state)
{
	struct gate_row row[] = {{.metric = "exits",
				  .better = -1,
				  .base = 123456789,
				  .screen_value = 123456790,
				  .screen = {123456790.0 / 123456789, NAN, NAN, 1},
				  .confirm = {NAN, NAN, NAN, 0},
				  .result = GATE_TRIPPED},
				 {.metric = "kicks",
				  .better = -1,
				  .base = 7,
				  .screen_value = 7,
				  .screen = {1, NAN, NAN, 1},
				  .confirm = {NAN, NAN, NAN, 0},
				  .result = GATE_PASS}};
	struct gate g = {row, 2, true, true, false};
	char *text = written(gate_write_text, &g);

	(void)state;
	assert_non_null(strstr(text, "123456789  123456790"));
	assert_non_null(strstr(text, "gate TRIPPED\n"));
	assert_null(strstr(text, "kicks"));
	assert_non_null(strstr(text, "\n1 metric is equal in every digit.\n"));
	free(text);
	g = (struct gate){row + 1, 1, true, false, false};
	text = written(gate_write_text, &g);
	assert_non_null(strstr(text, "\n1 metric is equal in every digit.\n\ngate passed\n"));
	free(text);
}

static void every_result_has_its_word(void **state)
{
	(void)state;
	assert_string_equal(gate_result_text(GATE_PASS), "pass");
	assert_string_equal(gate_result_text(GATE_TRIPPED), "TRIPPED");
	assert_string_equal(gate_result_text(GATE_NOT_JUDGED), "not judged");
	assert_string_equal(gate_result_text(GATE_TOO_FEW), "too few boots");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(markdown), cmocka_unit_test(junit),
		cmocka_unit_test(names_stay_in_their_cell),
					   cmocka_unit_test(exact),
					   cmocka_unit_test(every_result_has_its_word)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
