// SPDX-License-Identifier: MIT
#include "bench/lab/cargo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "bench/host/paths.h"

void cargo_add_file(struct cargo *c, const char *path, const char *host_path, mode_t perm)
{
	c->files = xgrow(c->files, c->n_files, sizeof(*c->files));
	c->files[c->n_files++] = (struct image_file){xstrdup(path), xstrdup(host_path), perm};
}

void cargo_add_program(struct cargo *c, const char *path)
{
	if (path && file_exists(path))
		strlist_add_once(&c->programs, path);
}

static void add_kernel_file(struct cargo *c, const char *kernel_dir, const char *as, const char *name)
{
	char *host = xasprintf("%s/%s", kernel_dir, name);
	char *path = xasprintf(LAB_SEALED_CACHE "/kernels/%s/%s", as, name);

	if (file_exists(host))
		cargo_add_file(c, path, host, 0644);
	free(host);
	free(path);
}

void cargo_add_kernel_file(struct cargo *c, const char *kernel_dir, const char *name)
{
	add_kernel_file(c, kernel_dir, "default", name);
}

static int add_modules(struct cargo *c, const char *kernel_dir, const char *as, const struct strlist *names)
{
	static const char *const indexes[] = {"modules/modules.dep", "modules/modules.alias",
					      "modules/modules.builtin", "modules/modules.softdep"};
	char *moddir = xasprintf("%s/modules", kernel_dir);
	struct strlist all = STRLIST_INIT;
	int err = 0;

	if (names->n)
		err = modules_resolve(moddir, (const char *const *)names->v, &all);
	for (size_t i = 0; i < ARRAY_SIZE(indexes); i++)
		add_kernel_file(c, kernel_dir, as, indexes[i]);
	for (size_t i = 0; i < all.n; i++) {
		char *name = xasprintf("modules/%s", all.v[i]);

		add_kernel_file(c, kernel_dir, as, name);
		free(name);
	}
	strlist_free(&all);
	free(moddir);
	return err;
}

int cargo_add_modules(struct cargo *c, const char *kernel_dir, const struct strlist *names)
{
	return add_modules(c, kernel_dir, "default", names);
}

int cargo_add_lab_modules(struct cargo *c, const char *kernel, const struct strlist *names)
{
	char *dir;
	int err = -ENOENT;

	if (!names->n)
		return 0;
	dir = path_kernel(text_or(kernel, "default"), "");
	if (dir)
		err = add_modules(c, dir, strrchr(dir, '/') + 1, names);
	free(dir);
	return err;
}

static void add_helper(struct cargo *c, const char *dir, const char *name)
{
	char *path;

	if (!dir) {
		cargo_add_program(c, path_find(name));
		return;
	}
	path = xasprintf("%s/%s", dir, name); /* a build from before there was the program has none */
	cargo_add_program(c, path);
	free(path);
}

void cargo_add_ours(struct cargo *c, const char *bin_dir, const char *vmm, const char *helper_dir)
{
	static const char *const helpers[] = {"vhost-user-net", "vhost-user-blk"};
	const char *micro = path_find("micro.elf");
	char *path;

	cargo_add_program(c, path_self());
	cargo_add_program(c, text_or(vmm, path_find("vmm")));
	cargo_add_program(c, path_find("agent"));
	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++)
		add_helper(c, helper_dir, helpers[i]);
	if (micro && !bin_dir)
		cargo_add_file(c, micro, micro, 0644);
	if (micro && bin_dir) {
		path = xasprintf("%s/micro.elf", bin_dir);
		cargo_add_file(c, path, micro, 0644);
		free(path);
	}
}

void cargo_add_shell(struct cargo *c)
{
	char *busybox = path_program("busybox"), *shell = path_program("sh");

	if (busybox) {
		cargo_add_program(c, busybox);
		cargo_add_file(c, "/bin/sh", busybox, 0755);
	} else {
		cargo_add_program(c, shell);
	}
	free(busybox);
	free(shell);
}

static bool is_elf(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char magic[4] = "";
	bool elf = fd >= 0 && read(fd, magic, 4) == 4 && !memcmp(magic, "\177ELF", 4);

	close_fd(&fd);
	return elf;
}

/* The name by which the lab will know it, which is its name here. */
static char *absolute_path(const char *path)
{
	char cwd[PATH_MAX];

	if (path[0] == '/' || !getcwd(cwd, sizeof(cwd)))
		return xstrdup(path);
	return xasprintf("%s/%s", cwd, path);
}

static int add_directory(struct cargo *c, const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int err = errno_if(!d);

	while (!err && (e = readdir(d))) {
		char *path = xasprintf("%s/%s", dir, e->d_name);

		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			err = cargo_add_path(c, path);
		free(path);
	}
	if (d)
		closedir(d);
	return err;
}

int cargo_add_path(struct cargo *c, const char *path)
{
	char *full = absolute_path(path);
	struct stat st;
	int err = errno_if(stat(full, &st));

	if (err)
		log_error("lab: %s: %s", path, strerror(-err));
	else if (S_ISDIR(st.st_mode))
		err = add_directory(c, full);
	else if (st.st_mode & 0111 && is_elf(full))
		cargo_add_program(c, full);
	else if (S_ISREG(st.st_mode))
		cargo_add_file(c, full, full, st.st_mode & 0777);
	free(full);
	return err;
}

/* A command that is not found here is left to the lab, which says so when it does not find it either. */
int cargo_add_command(struct cargo *c, const char *name)
{
	char *path = NULL;
	int err = 0;

	if (strcmp(name, "sh") != 0)
		path = path_program(name);
	if (path)
		err = cargo_add_path(c, path);
	free(path);
	return err;
}

void cargo_into(const struct cargo *c, struct lab_spec *spec)
{
	spec->programs = (const char *const *)c->programs.v;
	spec->files = c->files;
	spec->n_files = c->n_files;
}

void cargo_free(struct cargo *c)
{
	for (size_t i = 0; i < c->n_files; i++) {
		free((char *)c->files[i].path);
		free((char *)c->files[i].host_path);
	}
	free(c->files);
	strlist_free(&c->programs);
	*c = (struct cargo){.n_files = 0};
}
