// SPDX-License-Identifier: MIT
#include "base/checkout.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define MARKER "results/SCHEMA.md"

bool checkout_is(const char *dir)
{
	char *marker = xasprintf("%s/%s", dir, MARKER);
	bool is = file_exists(marker);

	free(marker);
	return is;
}

char *checkout_of_program(void)
{
	char dir[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	char *slash;

	dir[MAX(n, 0)] = '\0';
	/* The program's name, then what it was built in. */
	for (int up = 0; up < 3; up++) {
		slash = strrchr(dir, '/');
		if (!slash)
			return NULL;
		*slash = '\0';
		if (up && checkout_is(dir))
			return xstrdup(dir);
	}
	return NULL;
}
