// SPDX-License-Identifier: MIT
/*
 * libFuzzer: text for people. After it was made printable no terminal obeys it, and it is UTF-8, which a
 * JSON library holds.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text)
{
	json_t *v = json_string(text); /* NULL for what is no UTF-8 */

	if (!v)
		abort();
	json_decref(v);
	for (const unsigned char *s = (const unsigned char *)text; *s; s++)
		if (*s < ' ' || *s == 0x7f || (*s == 0xc2 && s[1] < 0xa0) ||
		    (*s == 0xe2 && s[1] == 0x80 && s[2] == 0xae))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *printed = NULL;
	struct table *t = table_new(1, "x:");
	size_t len;
	FILE *out = open_memstream(&printed, &len);

	memcpy(text, data, size);
	text[size] = '\0';
	print_plain(out, "%s", text);
	fflush(out);
	check(printed);
	table_cell(t, "%s", text);
	table_print(t, out);
	fclose(out);
	free(printed);
	str_one_line(text);
	check(text);
	free(text);
	return 0;
}
