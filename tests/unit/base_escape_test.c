// SPDX-License-Identifier: MIT
/* Texts of strangers in the languages that we write: none of them may mean anything there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/escape.h"

#define ALL_OF_THEM "a\"b<c>&d|e%f\\g`h@i\nj\tk"

static void test_escapes(void **state)
{
	static const struct {
		enum language language;
		const char *text, *escaped;
	} cases[] = {
		{LANGUAGE_HTML, ALL_OF_THEM, "a&quot;b&lt;c&gt;&amp;d|e%f\\g`h@i j k"},
		{LANGUAGE_MD, ALL_OF_THEM, "a\"b&lt;c&gt;&amp;d\\|e%f\\\\g\\`h@i j k"},
		{LANGUAGE_TEX, ALL_OF_THEM,
		 "a\"b\\textless{}c\\textgreater{}\\&d|e\\%f\\textbackslash{}g`h@i j k"},
		{LANGUAGE_CSV, ALL_OF_THEM, "\"a\"\"b<c>&d|e%f\\g`h@i j k\""},
		{LANGUAGE_OPENMETRICS, ALL_OF_THEM, "a\\\"b<c>&d|e%f\\\\g`h@i\\nj\tk"},
		{LANGUAGE_GNUPLOT, ALL_OF_THEM, "a\\042b<c>&d|e%f\\134g\\140h\\100i\\nj k"},
		{LANGUAGE_GNUPLOT_TIC, ALL_OF_THEM, "a\\042b<c>&d|e%%f\\134g\\140h\\100i\\nj k"},
		/* CSV: quotes only where they are needed */
		{LANGUAGE_CSV, "", ""},
		{LANGUAGE_CSV, "virtio", "virtio"},
		{LANGUAGE_CSV, "a,b", "\"a,b\""},
		{LANGUAGE_CSV, "say \"no\"", "\"say \"\"no\"\"\""},
		{LANGUAGE_CSV, "a\r\nb", "a? b"},
		/* and what a spreadsheet would compute is a text */
		{LANGUAGE_CSV, "=1+1", "'=1+1"},
		{LANGUAGE_CSV, "=HYPERLINK(\"http://x\",1)", "\"'=HYPERLINK(\"\"http://x\"\",1)\""},
		{LANGUAGE_CSV, "+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"},
		{LANGUAGE_CSV, "@SUM(1)", "'@SUM(1)"},
		{LANGUAGE_CSV, "-2+3", "'-2+3"},
		{LANGUAGE_CSV, "-2.5e3", "-2.5e3"},
		{LANGUAGE_CSV, "+7", "+7"},
		{LANGUAGE_CSV, "a=1", "a=1"},
		/* nowhere what commands a terminal: ESC, C1 as a byte and in UTF-8, what turns text round */
		{LANGUAGE_CSV, "\033[31mred", "?[31mred"},
		{LANGUAGE_CSV, "\xc2\x9b" "31m", "?" "?31m"},
		{LANGUAGE_HTML, "\x9b" "31m", "?31m"},
		{LANGUAGE_OPENMETRICS, "\033]0;title\a", "?]0;title?"},
		{LANGUAGE_OPENMETRICS, "\xe2\x80\xae" "abc", "???abc"},
		{LANGUAGE_GNUPLOT, "\xc2\x85" "x\x7f", "??x?"},
		{LANGUAGE_GNUPLOT, "\xff", "?"},
		/* but letters of others stay, except for TeX's beyond Latin 1 */
		{LANGUAGE_CSV, "1.2×", "1.2×"},
		{LANGUAGE_GNUPLOT, "µs, Ω", "µs, Ω"},
		{LANGUAGE_TEX, "Ω-", "?-{}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct strbuf sb = STRBUF_INIT;

		escape_text(&sb, cases[i].language, cases[i].text);
		if (strcmp(strbuf_str(&sb), cases[i].escaped))
			fail_msg("case %zu: \"%s\" became \"%s\", not \"%s\"", i, cases[i].text,
				 strbuf_str(&sb), cases[i].escaped);
		strbuf_free(&sb);
	}
}

static void test_printed(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	assert_non_null(f);
	print_escaped(f, LANGUAGE_CSV, "a,b");
	print_escaped(f, LANGUAGE_CSV, "");
	fclose(f);
	assert_string_equal(text, "\"a,b\"");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
