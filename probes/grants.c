// SPDX-License-Identifier: MIT
#include "probes/grants.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "probes/internal.h"

/* QEMU exports them for its modules: (device, refs, how many, ...), (device, to, segments, how many, ...). */
#define MAP_FUNCTION  "xen_device_map_grant_refs"
#define COPY_FUNCTION "xen_device_copy_grant_refs"

void grants_choose(struct probes *p)
{
	bpf_program__set_autoload(p->skel->progs.on_grant_map, p->opts.grants);
	bpf_program__set_autoload(p->skel->progs.on_grant_copy, p->opts.grants);
}

/* Of every process that runs the program: this one has yet to start it. */
static struct bpf_link *grants_hook(struct probes *p, struct bpf_program *prog, const char *function)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .func_name = function);
	struct bpf_link *link = bpf_program__attach_uprobe_opts(prog, -1, p->opts.grants, 0, &opts);

	if (!link)
		log_debug("probes: %s: %s: %s", p->opts.grants, function, strerror(errno));
	return link;
}

void grants_attach(struct probes *p)
{
	if (!p->opts.grants)
		return;
	p->skel->links.on_grant_map = grants_hook(p, p->skel->progs.on_grant_map, MAP_FUNCTION);
	p->skel->links.on_grant_copy = grants_hook(p, p->skel->progs.on_grant_copy, COPY_FUNCTION);
}

json_t *grants_to_json(struct probes *p)
{
	const struct grant_state *g = &p->skel->bss->grants;

	if (!p->skel->links.on_grant_map || !p->skel->links.on_grant_copy)
		return NULL;
	return json_pack("{s:I,s:I}", "maps", (json_int_t)g->maps, "copies", (json_int_t)g->copies);
}
