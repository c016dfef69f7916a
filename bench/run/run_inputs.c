// SPDX-License-Identifier: MIT
/* .inputs of a record: what was run, by hash. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "bench/host/build_type.h"
#include "bench/host/paths.h"
#include "bench/run/run.h"
#include "version.h"

/* Our version says nothing about a program that is not ours; its hash does. */
static void add_input(json_t *inputs, const char *name, const char *path, bool ours)
{
	char hex[65], *real = NULL;
	struct record_input in;
	const char *build;

	if (path)
		real = realpath(path, NULL);
	if (real && !file_sha256(real, hex)) {
		build = build_type(real);
		if (!strcmp(build, "debug") || !strcmp(build, "asan"))
			log_warn("%s: a build of type %s; its times are not those of a release", real, build);
		in = (struct record_input){
			.name = name, .path = real, .sha256 = hex, .build = build,
			.version = text_if(ours, EXITLAB_VERSION)};
		json_array_append_new(inputs, members_write(&input_members, &in));
	}
	free(real);
}

json_t *run_inputs(const struct cell *c, const char *kernel_dir)
{
	json_t *inputs = json_array();
	char *path;

	add_input(inputs, "bench", path_self(), true);
	if (c->vmm) {
		const char *program = cell_vmm_program(c);

		path = NULL;
		if (program)
			path = path_program(program);
		add_input(inputs, c->vmm->name, path, c->vmm->ours && !c->programs.vmm);
		free(path);
	}
	if (!strcmp(c->guest, "micro")) {
		add_input(inputs, "micro", path_tool("micro.elf"), true);
		return inputs;
	}
	add_input(inputs, "agent", path_tool("agent"), true);
	if (c->vmm) {
		path = xasprintf("%s/vmlinux", kernel_dir);
		add_input(inputs, "kernel", path, false);
		free(path);
	}
	return inputs;
}
