// SPDX-License-Identifier: MIT
/* What every machine is started with: the configuration of its init, its initramfs, its command line. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "bench/host/file_facts.h"
#include "bench/host/paths.h"
#include "bench/lab/lab_image.h"
#include "bench/lab/lab_impl.h"

extern char **environ;

void lab_config_add(struct strbuf *config, const char *key, const char *value)
{
	strbuf_addf(config, "%s=%s", key, value);
	strbuf_addc(config, '\0');
}

static bool env_wanted(const char *pair)
{
	static const char *const prefix[] = {"HOME=", "TERM=",	  "LANG=",     "LC_",
					     "XDG_",  "EXITLAB_", "NO_COLOR=", "USER="};

	for (size_t i = 0; i < ARRAY_SIZE(prefix); i++)
		if (!strncmp(pair, prefix[i], strlen(prefix[i])))
			return true;
	return false;
}

static void add_variable(void *config, const char *pair)
{
	lab_config_add(config, "env", pair);
}

/* Nothing of this host's goes into a deterministic lab: the configuration is part of the experiment. */
static void add_environment(const struct lab *lab, struct strbuf *config)
{
	struct outer tell = lab->spec->tell;

	for (char **e = environ; *e && !lab->spec->deterministic; e++)
		if (env_wanted(*e))
			lab_config_add(config, "env", *e);
	lab_config_add(config, "env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	if (lab->channel != LAB_TALKS)
		lab_config_add(config, "env", "EXITLAB_CACHE=" LAB_SEALED_CACHE);
	if (lab->spec->deterministic)
		lab_config_add(config, "env", "HOME=/");
	tell.lab = lab->machine->name;
	tell.virtual_time = lab->channel == LAB_SPEAKS || lab->spec->deterministic;
	outer_tell(&tell, add_variable, config);
}

static void make_config(const struct lab *lab, const char *modules, struct strbuf *config)
{
	const struct lab_spec *spec = lab->spec;
	char cwd[PATH_MAX];

	for (char *const *a = spec->argv; *a; a++)
		lab_config_add(config, "arg", *a);
	add_environment(lab, config);
	if (spec->cwd)
		lab_config_add(config, "cwd", spec->cwd);
	else if (getcwd(cwd, sizeof(cwd)))
		lab_config_add(config, "cwd", cwd);
	if (spec->terminal)
		lab_config_add(config, "tty", "1");
	if (lab->channel == LAB_SPEAKS)
		lab_config_add(config, "channel", "port");
	if (spec->out_dir)
		lab_config_add(config, "out", text_or(spec->sealed_out, spec->out_dir));
	lab_config_add(config, "modules", modules);
}

static int start_with(struct lab *lab, const char *vmlinux, const char *modules)
{
	const char *more = text_or(lab->spec->append, "");
	char *line = xasprintf("%s %s", lab->machine->kernel_args, more), *initrd = NULL;
	struct strbuf config = STRBUF_INIT;
	struct machine_boot boot = {.vmlinux = vmlinux, .command_line = line, .config = &config};
	int err;

	make_config(lab, modules, &config);
	err = lab_image(lab, modules, &config, &initrd);
	boot.initrd = initrd;
	if (!err)
		err = lab->machine->start(lab, &boot);
	close_fd(&lab->image_fd);
	strbuf_free(&config);
	free(initrd);
	free(line);
	return err;
}

int lab_start(struct lab *lab)
{
	const char *which = text_or(lab->spec->kernel, "default");
	char *vmlinux = path_kernel(which, "vmlinux"), *modules = NULL;
	struct file_facts facts;
	int err = -ENOENT;

	if (vmlinux)
		modules = path_kernel(which, "modules");
	/* Guests in the lab have this kernel too, and the cache is seen in there: its hash is found then. */
	if (modules && file_facts(vmlinux, path_cache(), &facts))
		log_debug("%s cannot be hashed", vmlinux);
	if (modules)
		err = start_with(lab, vmlinux, modules);
	free(vmlinux);
	free(modules);
	return err;
}
