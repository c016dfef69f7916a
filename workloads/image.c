// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "workloads/elfdeps.h"
#include "workloads/image.h"

static int add_module(struct cpio *c, const char *moddir, const char *path, size_t index)
{
	char *base = module_name(path), *name = xasprintf("modules/%02zu-%s.ko", index, base);
	void *data;
	size_t len;
	int err = module_read(moddir, path, &data, &len);

	if (!err) {
		err = cpio_add_data(c, name, 0644, data, len);
		free(data);
	}
	free(name);
	free(base);
	return err;
}

/* Modules with their dependencies as /modules/NN-NAME.ko. */
static int image_add_modules(struct cpio *c, const char *moddir, const char *const *modules)
{
	struct strlist files = STRLIST_INIT;
	int err = modules_resolve(moddir, modules, &files);

	for (size_t i = 0; !err && i < files.n; i++)
		err = add_module(c, moddir, files.v[i], i);
	strlist_free(&files);
	return err;
}

/* The system's programs have one place everywhere, and some look for their files beside it. */
static bool is_systems(const char *path)
{
	static const char *const dirs[] = {"/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/"};

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (!strncmp(path, dirs[i], strlen(dirs[i])))
			return true;
	return false;
}

/* Where the guest has what lies here: what is in the tree as if that were its root. */
static const char *path_in_guest(const char *host_path, const char *tree)
{
	size_t len = strlen(text_or(tree, ""));

	if (tree && !strncmp(host_path, tree, len) && host_path[len] == '/')
		return host_path + len;
	return host_path;
}

int image_add_program(struct cpio *c, const char *host_path, const char *bin_dir, const char *tree)
{
	const char *at = path_in_guest(host_path, tree);
	bool moved = bin_dir && !is_systems(at);
	char *path = moved ? xasprintf("%s/%s", bin_dir, strrchr(at, '/') + 1) : xstrdup(at);
	struct strlist libs = STRLIST_INIT;
	int err = elf_deps(host_path, tree, &libs);

	if (!err)
		err = cpio_add_file(c, path, 0755, host_path);
	free(path);
	for (size_t i = 0; !err && i < libs.n; i++)
		err = cpio_add_file(c, path_in_guest(libs.v[i], tree), 0755, libs.v[i]);
	strlist_free(&libs);
	return err;
}

static int add_tree_file(struct cpio *c, const char *tree, const char *path)
{
	char *host_path = xasprintf("%s%s", tree, path);
	int err;

	if (is_systems(path))
		err = image_add_program(c, host_path, NULL, tree);
	else
		err = cpio_add_file(c, path, 0644, host_path);
	free(host_path);
	return err;
}

static int add_skeleton(struct cpio *c)
{
	static const char *const dirs[] = {"dev", "proc", "sys", "tmp"};
	int err = cpio_add_node(c, "dev/console", S_IFCHR | 0600, 5, 1);

	/* The marker comes before anything is mounted. */
	if (!err)
		err = cpio_add_node(c, "dev/port", S_IFCHR | 0600, 1, 4);

	for (size_t i = 0; !err && i < ARRAY_SIZE(dirs); i++)
		err = cpio_add_dir(c, dirs[i], 0755);
	return err;
}

static int image_cpio(const struct image_spec *spec, struct cpio **out)
{
	struct cpio *c = cpio_new();
	int err = add_skeleton(c);

	if (!err)
		err = cpio_add_file(c, "init", 0755, spec->agent);
	if (!err && spec->job) {
		char *line = xasprintf("%s\n", spec->job);

		err = cpio_add_data(c, "exitlab.job", 0644, line, strlen(line));
		free(line);
	}
	if (!err && spec->modules && spec->modules[0])
		err = image_add_modules(c, spec->moddir, spec->modules);
	for (const char *const *p = spec->programs; !err && p && *p; p++)
		err = image_add_program(c, *p, spec->bin_dir, NULL);
	for (const char *const *p = spec->tree_files; !err && spec->tree && p && *p; p++)
		err = add_tree_file(c, spec->tree, *p);
	for (size_t i = 0; !err && i < spec->n_files; i++)
		err = cpio_add_file(c, spec->files[i].path, spec->files[i].perm, spec->files[i].host_path);
	if (err)
		cpio_free(c);
	else
		*out = c;
	return err;
}

int image_write(const struct image_spec *spec, int fd)
{
	struct cpio *c;
	int err = image_cpio(spec, &c);

	if (err)
		return err;
	err = cpio_write(c, fd);
	if (err)
		log_error("the initramfs cannot be written: %s", strerror(-err));
	cpio_free(c);
	return err;
}

static int write_file(struct cpio *c, const char *path)
{
	char *tmp = xasprintf("%s.tmp.%d", path, getpid());
	int err, fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	err = fd < 0 ? -errno : cpio_write(c, fd);
	if (fd >= 0 && close(fd) && !err)
		err = -errno;
	if (!err && rename(tmp, path))
		err = -errno;
	if (err) {
		unlink(tmp);
		log_error("%s: the guest's image cannot be written: %s", path, strerror(-err));
	}
	free(tmp);
	return err;
}

int image_build_in(const struct image_spec *spec, const char *dir, char **path)
{
	struct cpio *c;
	char hex[65];
	int err = image_cpio(spec, &c);

	if (err)
		return err;
	err = dir_make_all(dir);
	if (err)
		log_error("%s: %s", dir, strerror(-err));
	cpio_sha256(c, hex);
	*path = xasprintf("%s/%.16s.cpio", dir, hex);
	if (!err && !file_exists(*path))
		err = write_file(c, *path);
	if (err) {
		free(*path);
		*path = NULL;
	}
	cpio_free(c);
	return err;
}
