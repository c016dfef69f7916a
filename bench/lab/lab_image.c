// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "bench/lab/lab_cache.h"
#include "bench/lab/lab_image.h"
#include "bench/lab/lab_impl.h"
#include "bench/host/paths.h"
#include "workloads/image.h"

/* The configuration of a lab that does not talk travels in its initramfs, as one more file. */
static int add_config(const char *dir, const struct strbuf *config, struct image_file *file)
{
	char *path = xasprintf("%s/config.%d", dir, getpid());
	int err = file_write_atomic(path, config->buf, config->len);

	*file = (struct image_file){"/lab.cfg", path, 0644};
	if (err)
		log_error("%s: %s", path, strerror(-err));
	return err;
}

static int sealed_image(struct lab *lab, struct image_spec *image, const char *dir,
			const struct strbuf *config, char **path)
{
	char *tree = machine_tree(lab->machine);
	const struct lab_spec *spec = lab->spec;
	struct image_file *files = xcalloc(spec->n_files + 1, sizeof(*files)), *own = &files[spec->n_files];
	int err = add_config(dir, config, own);

	for (size_t i = 0; i < spec->n_files; i++)
		files[i] = spec->files[i];
	image->files = files;
	image->n_files = spec->n_files + 1;
	image->programs = spec->programs;
	image->bin_dir = spec->bin_dir;
	image->tree = tree;
	image->tree_files = lab->machine->files;
	if (!err) {
		lab->image_fd = memfd_create("lab-image", MFD_CLOEXEC);
		err = errno_if(lab->image_fd < 0);
	}
	if (!err)
		err = image_write(image, lab->image_fd);
	if (!err)
		*path = xasprintf("/proc/self/fd/%d", lab->image_fd);
	unlink(own->host_path);
	free((char *)own->host_path);
	free(files);
	free(tree);
	return err;
}

static int cached_image(const struct image_spec *image, const char *dir, char **path)
{
	int err = image_build_in(image, dir, path);

	if (!err)
		lab_cache_used(*path);
	return err;
}

int lab_image(struct lab *lab, const char *modules_dir, const struct strbuf *config, char **path)
{
	struct image_spec image = {
		.agent = path_tool("lab-init"),
		.moddir = modules_dir,
		.modules = lab->machine->modules,
	};
	char *dir = xasprintf("%s/lab", path_cache());
	int err = -ENOENT;

	if (image.agent)
		err = dir_make_all(dir);
	if (err && image.agent)
		log_error("%s: %s", dir, strerror(-err));
	if (!err)
		lab_cache_sweep(dir, LAB_IMAGE_AGE_S, LAB_OUT_AGE_S);
	if (!err && lab->channel == LAB_TALKS)
		err = cached_image(&image, dir, path);
	else if (!err)
		err = sealed_image(lab, &image, dir, config, path);
	free(dir);
	return err;
}
