// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/strbuf.h"
#include "bench/host/build_type.h"

static const char *find_after(const char *from, const char *end, const char *what)
{
	if (!from)
		return NULL;
	return memmem(from, (size_t)(end - from), what, strlen(what));
}

/* What gcc writes into its debug information and, with -frecord-gcc-switches, beside the code:
 * "GNU C11 12.2.0 -mtune=generic -g -O2 ...", without -O when it was not given. */
static bool is_optimised(const char *producer, size_t len)
{
	for (const char *s = producer; (s = memmem(s, len - (size_t)(s - producer), " -O", 3)); s += 3)
		if (s + 3 < producer + len && s[3] != '0')
			return true;
	return false;
}

const char *build_type_of(const char *data, size_t len)
{
	const char *end = data + len, *type = "unknown";
	char asan[16];

	snprintf(asan, sizeof(asan), "__%s_init", "asan"); /* not in one piece: bench is such a binary too */
	if (find_after(data, end, asan))
		return "asan";
	for (const char *s = data; (s = find_after(s, end, "GNU C")); s += 5) {
		size_t n = strnlen(s, (size_t)(end - s));

		/* The string is also in programs that look for it, such as this one: then without options. */
		if (!memmem(s, n, " -m", 3))
			continue;
		if (!is_optimised(s, n))
			return "debug";
		type = "release";
	}
	return type;
}

const char *build_type(const char *path)
{
	struct strbuf sb = STRBUF_INIT;
	const char *type = "unknown";

	if (!file_read(path, &sb))
		type = build_type_of(strbuf_str(&sb), sb.len);
	strbuf_free(&sb);
	return type;
}
