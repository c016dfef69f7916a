// SPDX-License-Identifier: MIT
/* Numbers from text and to text, lists of strings, tables. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/number.h"
#include "base/strlist.h"
#include "base/table.h"
#include "base/util.h"

static void test_parse(void **state)
{
	static const struct {
		int (*parse)(const char *s, uint64_t *out);
		const char *text;
		int err;
		uint64_t value;
	} cases[] = {
		{parse_u64, "0", 0, 0},
		{parse_u64, "0x1f", 0, 31},
		{parse_u64, "18446744073709551615", 0, UINT64_MAX},
		{parse_u64, "18446744073709551616", -ERANGE, 0},
		{parse_u64, "", -EINVAL, 0},
		{parse_u64, "-1", -EINVAL, 0},
		{parse_u64, "1 ", -EINVAL, 0},
		{parse_size, "1500", 0, 1500},
		{parse_size, "64K", 0, 64 * KIB},
		{parse_size, "512M", 0, 512 * MIB},
		{parse_size, "2G", 0, 2 * GIB},
		{parse_size, "17179869184G", -ERANGE, 0},
		{parse_size, "1X", -EINVAL, 0},
		{parse_duration, "8s", 0, 8000000000},
		{parse_duration, "2", 0, 2000000000},
		{parse_duration, "250ms", 0, 250000000},
		{parse_duration, "3us", 0, 3000},
		{parse_duration, "7ns", 0, 7},
		{parse_duration, "2m", 0, 120000000000},
		{parse_duration, "soon", -EINVAL, 0},
		{parse_duration, "99999999999m", -ERANGE, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t value = 0;
		int err = cases[i].parse(cases[i].text, &value);

		if (err != cases[i].err || (!err && value != cases[i].value))
			fail_msg("\"%s\": %d, %llu", cases[i].text, err, (unsigned long long)value);
	}
}

static void test_ranges(void **state)
{
	static const struct {
		uint64_t off, len, size;
		bool ok;
	} cases[] = {
		{0, 0, 0, true},	   {0, 1, 0, false},	      {4, 4, 8, true},
		{4, 5, 8, false},	   {8, 0, 8, true},	      {9, 0, 8, false},
		{UINT64_MAX, 1, 8, false}, {4, UINT64_MAX, 8, false}, {0, UINT64_MAX, UINT64_MAX, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(range_ok(cases[i].off, cases[i].len, cases[i].size), cases[i].ok);
}

static void test_switches(void **state)
{
	bool on;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(parse_bool(on_off(i), &on), 0);
		assert_int_equal(on, i);
	}
}

static void test_usual_values(void **state)
{
	static const struct {
		const char *given, *usual, *text;
	} texts[] = {{"a", "b", "a"}, {"", "b", "b"}, {NULL, "b", "b"}, {NULL, "", ""}};
	static const struct {
		double part, whole, otherwise, ratio;
	} ratios[] = {{3, 4, 0, 0.75}, {3, 0, -1, -1}, {0, 4, -1, 0}, {3, -4, 0, -0.75}};
	static const struct {
		double value, finite;
	} values[] = {{2, 2}, {0, 0}, {NAN, 7}, {INFINITY, 7}, {-INFINITY, 7}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_string_equal(text_or(texts[i].given, texts[i].usual), texts[i].text);
	for (size_t i = 0; i < ARRAY_SIZE(ratios); i++)
		assert_true(ratio_or(ratios[i].part, ratios[i].whole, ratios[i].otherwise) ==
			    ratios[i].ratio);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		assert_true(finite_or(values[i].value, 7) == values[i].finite);
	errno = ENOENT;
	assert_int_equal(errno_if(false), 0);
	assert_int_equal(errno_if(true), -ENOENT);
}

static void test_formats(void **state)
{
	static const struct {
		const char *(*fmt)(double);
		double value;
		const char *text;
	} cases[] = {
		{fmt_si, 0, "0"},
		{fmt_si, 456, "456"},
		{fmt_si, 1.5, "1.50"},
		{fmt_si, 999.6, "1.00 k"},
		{fmt_si, 78900, "78.9 k"},
		{fmt_si, 1234567890, "1.23 G"},
		{fmt_si, 0.00384, "0.0038"},
		{fmt_si, -2500, "-2.50 k"},
		{fmt_ns, 0, "0 ns"},
		{fmt_ns, 999, "999 ns"},
		{fmt_ns, 999.7, "1.00 us"},
		{fmt_ns, 1234567, "1.23 ms"},
		{fmt_ns, 90e9, "90.0 s"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(cases[i].fmt(cases[i].value), cases[i].text);
}

static void test_printable(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"\033]0;x\007 \001a\tb\n\x7f\r é", "?]0;x? ?a\tb\n?? é"},
		{"\xc2\x9b" "31m", "??31m"}, /* CSI of C1 in UTF-8 */
		{"\x9b" "31m", "?31m"},      /* and alone */
		{"\xc2\xa0|\xe2\x82\xac|\xf0\x9f\x98\x80", "\xc2\xa0|\xe2\x82\xac|\xf0\x9f\x98\x80"},
		{"\xe2\x80\xae" "x", "???x"}, /* right to left from here on */
		{"\xe2\x81\xa6" "x\xd8\x9c", "???x??"}, /* the same, isolated; Arabic letter mark */
		{"\xc0\x9b|\xe0\x82\x9b|\xed\xa0\x80", "??|???|???"}, /* too long, a surrogate */
		{"\xf4\x90\x80\x80|\xff", "????|?"},
		{"cut \xe2\x82", "cut ??"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[64];

		snprintf(text, sizeof(text), "%s", cases[i].in);
		str_printable(text);
		assert_string_equal(text, cases[i].out);
		str_one_line(text);
		assert_null(strpbrk(text, "\n\t"));
	}
}

static void test_table_on_its_side(void **state)
{
	static const char *const head[] = {
		"path:", ":a_long_name_of_a_metric_01", ":a_long_name_of_a_metric_02",
		":a_long_name_of_a_metric_03", ":a_long_name_of_a_metric_04",
		":a_long_name_of_a_metric_05", ":a_long_name_of_a_metric_06", NULL,
	};
	char buf[512] = "";
	FILE *out = fmemopen(buf, sizeof(buf), "w");
	struct table *t = table_new_from(head);

	(void)state;
	table_cell(t, "vhost");
	for (int i = 1; head[i]; i++)
		table_cell(t, "%d", i);
	table_print_fit(t, out);
	fclose(out);
	assert_memory_equal(buf, "path                        vhost\n"
				 "a_long_name_of_a_metric_01      1\n", 68);
}

static void test_table(void **state)
{
	struct table *t = table_new(3, "name:", ":count", "note:");
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	table_cell(t, "é");
	table_cell(t, "%d", 1000);
	table_cell(t, "x");
	table_cell(t, "long name");
	table_print(t, out);
	fclose(out);
	assert_string_equal(text, "name       count  note\n"
				  "é           1000  x\n"
				  "long name         \n");
	free(text);
}

static void test_strlist(void **state)
{
	struct strlist l = STRLIST_INIT;

	(void)state;
	strlist_sort(&l);
	assert_false(strlist_has(&l, "7"));
	/* Past each power of two, where the list moves. */
	for (unsigned i = 0; i < 70; i++) {
		strlist_addf(&l, "%u", 69 - i);
		assert_int_equal(l.n, i + 1);
		assert_null(l.v[l.n]);
	}
	strlist_add_once(&l, "7");
	assert_int_equal(l.n, 70);
	assert_true(strlist_has(&l, "7"));
	strlist_add(&l, "7");
	assert_int_equal(l.n, 71);
	strlist_sort(&l);
	assert_string_equal(l.v[0], "0");
	assert_string_equal(l.v[1], "1");
	assert_string_equal(l.v[2], "10");
	assert_string_equal(l.v[70], "9");
	assert_null(l.v[71]);
	strlist_free(&l);
	assert_int_equal(l.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_switches),
		cmocka_unit_test(test_usual_values),
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_printable),
		cmocka_unit_test(test_strlist),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_table_on_its_side),
	};

	return cmocka_run_group_tests_name("base/text", tests, NULL, NULL);
}
