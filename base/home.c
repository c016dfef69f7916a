// SPDX-License-Identifier: MIT
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/home.h"

static bool is_absolute(const char *path)
{
	return path && *path == '/';
}

/* The user's in the password database where nobody says another. */
static const char *home_dir(void)
{
	const char *home = getenv("HOME");
	const struct passwd *user;

	if (is_absolute(home))
		return home;
	user = getpwuid(geteuid());
	if (user && is_absolute(user->pw_dir))
		return user->pw_dir;
	return NULL;
}

char *home_path(const char *xdg, const char *below)
{
	const char *dir = getenv(xdg), *home;

	if (is_absolute(dir))
		return xasprintf("%s/exitlab", dir);
	home = home_dir();
	if (home)
		return xasprintf("%s/%s/exitlab", home, below);
	return NULL;
}
