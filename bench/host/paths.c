// SPDX-License-Identifier: MIT
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checkout.h"
#include "base/file.h"
#include "base/home.h"
#include "base/log.h"
#include "bench/host/paths.h"

const char *path_self(void)
{
	static char self[PATH_MAX];

	if (!self[0] && readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		BUG("/proc/self/exe");
	return self;
}

/* Directory of our executable, without the trailing slash. */
static const char *self_dir(void)
{
	static char dir[PATH_MAX];

	if (!dir[0]) {
		strcpy(dir, path_self());
		*strrchr(dir, '/') = '\0';
	}
	return dir;
}

const char *path_find(const char *name)
{
	static const char *const places[] = {"", "/../libexec/exitlab"};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		char *path = xasprintf("%s%s/%s", self_dir(), places[i], name);

		if (file_exists(path))
			return path;
		free(path);
	}
	return NULL;
}

const char *path_tool(const char *name)
{
	const char *path = path_find(name);

	if (!path)
		log_error("%s: not found beside %s; run make", name, path_self());
	return path;
}

const char *path_checkout(void)
{
	static char *root;
	static bool looked;

	if (!looked)
		root = checkout_of_program();
	looked = true;
	return root;
}

const char *path_setup(void)
{
	static const char *path;

	if (!path && !path_checkout())
		path = path_find("setup.sh");
	if (!path)
		path = "./setup.sh";
	return path;
}

const char *path_cache(void)
{
	static char *cache;
	const char *dir = getenv("EXITLAB_CACHE");

	if (cache)
		return cache;
	if (dir && *dir)
		cache = xstrdup(dir);
	else
		cache = home_path("XDG_CACHE_HOME", ".cache");
	if (!cache) /* anywhere else strangers could have put kernels and images first */
		die(EXIT_CANNOT, "there is no home directory for kernels and images; set HOME or EXITLAB_CACHE");
	return cache;
}

char *path_kernel(const char *which, const char *file)
{
	char *path = xasprintf("%s/kernels/%s/%s", path_cache(), which, file);
	char *real = realpath(path, NULL);

	if (!real)
		log_error("kernel %s: %s not found; run %s%s", which, path, path_setup(),
			  text_if(!strcmp(which, "newer"), " --newer"));
	free(path);
	return real;
}

char *path_program(const char *name)
{
	char *dirs = getenv("PATH"), *save, *found = NULL;

	if (strchr(name, '/') && access(name, X_OK))
		return NULL;
	if (strchr(name, '/'))
		return xstrdup(name);
	dirs = xstrdup(dirs ? dirs : "/usr/bin:/bin");
	for (char *d = strtok_r(dirs, ":", &save); d && !found; d = strtok_r(NULL, ":", &save)) {
		found = xasprintf("%s/%s", d, name);
		if (access(found, X_OK)) {
			free(found);
			found = NULL;
		}
	}
	free(dirs);
	return found;
}
