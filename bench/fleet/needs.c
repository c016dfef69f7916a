// SPDX-License-Identifier: MIT
#include "bench/fleet/needs.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "bench/plan/plan.h"

static const struct {
	unsigned need;
	const char *feature;
} features[] = {
	{NEED_KVM | NEED_KVM_LINUX, "kvm"},
	{NEED_VHOST | NEED_VHOST_SCSI, "vhost"},
	{NEED_VFIO, "sriov"},
};

static bool is_in_lab(const struct run_args *args)
{
	if (args->lab || args->deterministic)
		return true;
	return args->on && !strncmp(args->on, "lab", 3);
}

char *needs_of(const struct job_experiment *e)
{
	static const struct command run = {.name = "run", .opts = run_opts};
	char **argv = xcalloc(e->args.n + 2, sizeof(*argv));
	struct strbuf sb = STRBUF_INIT;
	struct run_args args = {0};
	int argc = 0, err;
	struct plan plan;
	unsigned needs = 0;

	argv[argc++] = (char *)"run";
	for (size_t i = 0; i < e->args.n; i++)
		argv[argc++] = e->args.v[i];
	err = opts_parse("bench", &run, &argc, argv, &args);
	if (!err)
		err = plan_make(&plan, argv[1], &args);
	free(argv);
	if (err) {
		log_error("[%s] is not a plan (see above); nothing was run", e->name);
		return NULL;
	}
	if (!is_in_lab(&args))
		needs = plan_needs(&plan);
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		if (!(needs & features[i].need))
			continue;
		strbuf_sep(&sb, "&");
		strbuf_adds(&sb, features[i].feature);
	}
	plan_free(&plan);
	return xstrdup(strbuf_str(&sb));
}
