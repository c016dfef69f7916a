// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
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

int lab_image(const struct lab *lab, const char *modules_dir, const struct strbuf *config, char **path)
{
	const struct lab_spec *spec = lab->spec;
	struct image_spec image = {
		.agent = path_tool("lab-init"),
		.moddir = modules_dir,
		.modules = lab->machine->modules,
	};
	struct image_file *files = xcalloc(spec->n_files + 1, sizeof(*files));
	char *dir = xasprintf("%s/lab", path_cache());
	int err = -ENOENT;

	if (image.agent)
		err = dir_make_all(dir);
	if (err && image.agent)
		log_error("%s: %s", dir, strerror(-err));
	if (!err && lab->channel != LAB_TALKS) {
		for (size_t i = 0; i < spec->n_files; i++)
			files[i] = spec->files[i];
		image.files = files;
		image.n_files = spec->n_files + 1;
		image.programs = spec->programs;
		image.bin_dir = spec->bin_dir;
		err = add_config(dir, config, &files[spec->n_files]);
	}
	if (!err) {
		lab_cache_sweep(dir, LAB_IMAGE_AGE_S, LAB_OUT_AGE_S);
		err = image_build_in(&image, dir, path);
	}
	if (!err)
		lab_cache_used(*path);
	if (files[spec->n_files].host_path)
		unlink(files[spec->n_files].host_path);
	free((char *)files[spec->n_files].host_path);
	free(files);
	free(dir);
	return err;
}
