// SPDX-License-Identifier: MIT
/* What strangers' words do to a terminal on their way through each of our printers: nothing. */
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/escape.h"
#include "base/json.h"
#include "base/table.h"

/* A title, a colour (in 7 bits, in C1 alone and in UTF-8), a line of its own, text that runs backwards. */
#define ATTACK "\033]0;x\a\033[31m\x9b" "31m\xc2\x9b" "31m\nok 2\r\xe2\x80\xae\xd8\x9c"
#define HARMLESS "?]0;x??[31m?31m??31m ok 2??????"

static void plain_text_is_one_line(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	print_plain(out, "\n\n%s: %d\n", ATTACK, 7);
	print_plain(out, "%s", ATTACK);
	print_plain(out, "%s\n", "");
	print_plain(out, "\n");
	print_plain(out, "\n%s %.2s|", "é", "\xe2\x82\xac");
	fclose(out);
	assert_string_equal(text, "\n\n" HARMLESS ": 7\n" HARMLESS "\n\n\né ??|");
	free(text);
}

static void cells_and_heads_of_a_table(void **state)
{
	const char *const head[] = {":x of " ATTACK, "b:", NULL};
	struct table *t = table_new_from(head);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	table_cell(t, "%s", ATTACK);
	table_cell(t, "c");
	table_print(t, out);
	fclose(out);
	assert_string_equal(text, "x of " HARMLESS "  b\n     " HARMLESS "  c\n");
	free(text);
}

/* JSON is for programs: as it is in a file, in ASCII on a terminal. */
static void json_on_a_terminal(void **state)
{
	json_t *v = json_pack("[s]", "\033\xc2\x9b" "31m");
	char got[64] = "", *text = NULL;
	int master, slave;
	size_t len;
	FILE *out;

	(void)state;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	out = fdopen(slave, "w");
	json_print(v, out, JSON_COMPACT);
	fflush(out);
	assert_true(read(master, got, sizeof(got) - 1) > 0);
	assert_string_equal(got, "[\"\\u001B\\u009B31m\"]\r\n");
	fclose(out);
	close(master);
	out = open_memstream(&text, &len);
	json_print(v, out, JSON_COMPACT);
	fclose(out);
	assert_string_equal(text, "[\"\\u001B\xc2\x9b" "31m\"]\n");
	free(text);
	json_decref(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_text_is_one_line),
		cmocka_unit_test(cells_and_heads_of_a_table),
		cmocka_unit_test(json_on_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
