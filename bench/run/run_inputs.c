// SPDX-License-Identifier: MIT
/* .inputs of a record: what was run, by hash. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "bench/host/file_facts.h"
#include "bench/host/paths.h"
#include "bench/run/run.h"
#include "version.h"

/* version: of ours, or what a VMM says of itself; the hash says it of all. */
static void add_input(json_t *inputs, const char *name, const char *path, const char *version)
{
	struct file_facts facts;
	struct record_input in;
	char *real = NULL;

	if (path)
		real = realpath(path, NULL);
	if (real && !file_facts(real, path_cache(), &facts)) {
		if (!strcmp(facts.build, "debug") || !strcmp(facts.build, "asan"))
			log_warn("%s: a build of type %s; its times are not those of a release", real, facts.build);
		in = (struct record_input){
			.name = name, .path = real, .sha256 = facts.sha256, .build = facts.build,
			.version = text_or(version, "")};
		json_array_append_new(inputs, members_write(&input_members, &in));
	}
	free(real);
}

static void add_vmm(json_t *inputs, const struct cell *c)
{
	bool ours = c->vmm->ours && !c->programs.vmm;
	const char *program = cell_vmm_program(c);
	char *path = NULL, *version = NULL;

	if (program)
		path = path_program(program);
	if (!c->vmm->ours)
		version = vmm_version(c->vmm, cell_vmm_given(c));
	add_input(inputs, c->vmm->name, path, text_or(version, text_if(ours, EXITLAB_VERSION)));
	free(version);
	free(path);
}

json_t *run_inputs(const struct cell *c, const char *kernel_dir)
{
	json_t *inputs = json_array();
	char *path;

	add_input(inputs, "bench", path_self(), EXITLAB_VERSION);
	if (c->vmm)
		add_vmm(inputs, c);
	if (!strcmp(c->guest, "micro")) {
		add_input(inputs, "micro", path_tool("micro.elf"), EXITLAB_VERSION);
		return inputs;
	}
	add_input(inputs, "agent", path_tool("agent"), EXITLAB_VERSION);
	if (c->vmm) {
		path = xasprintf("%s/vmlinux", kernel_dir);
		add_input(inputs, "kernel", path, NULL);
		free(path);
	}
	return inputs;
}
