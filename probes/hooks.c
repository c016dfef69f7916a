// SPDX-License-Identifier: MIT
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "probes/hooks.h"
#include "probes/kernel.h"

static int find_hook(struct bpf_program *prog, struct bpf_prog_load_opts *opts, long kernel)
{
	const char *target = strchr(bpf_program__section_name(prog), '/') + 1;
	struct kernel_hook hook;

	if (!kernel_hook((const struct kernel *)kernel, target,
			 bpf_program__expected_attach_type(prog) == BPF_TRACE_RAW_TP, &hook))
		return -ESRCH;
	opts->attach_btf_id = hook.type;
	opts->attach_btf_obj_fd = hook.types_fd;
	return 0;
}

static int attach_hook(const struct bpf_program *prog, long kernel, struct bpf_link **link)
{
	(void)kernel;
	*link = bpf_program__attach_trace(prog);
	return errno_if(!*link);
}

/*
 * libbpf (1.1 at least) frees its list of handlers with the last of them and goes on using it. So one more
 * begins each time, which matches no program and never ends: some bytes of libbpf's.
 */
static int keep_list(void)
{
	int id = libbpf_register_prog_handler("exitlab_none", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, NULL);

	return MIN(id, 0);
}

int hooks_begin(struct hooks *h, const struct kernel *k)
{
	static const struct {
		const char *sections;
		enum bpf_attach_type attach;
	} kinds[HOOK_KINDS] = {
		{"tp_btf+", BPF_TRACE_RAW_TP},
		{"fentry+", BPF_TRACE_FENTRY},
		{"fexit+", BPF_TRACE_FEXIT},
	};
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .cookie = (long)k, .prog_prepare_load_fn = find_hook,
		    .prog_attach_fn = attach_hook);
	int err = keep_list();

	for (h->n = 0; !err && h->n < HOOK_KINDS;) {
		h->handler[h->n] = libbpf_register_prog_handler(kinds[h->n].sections, BPF_PROG_TYPE_TRACING,
								kinds[h->n].attach, &opts);
		err = MIN(h->handler[h->n], 0);
		h->n += !err;
	}
	if (err)
		hooks_end(h);
	return err;
}

void hooks_end(struct hooks *h)
{
	while (h->n > 0)
		libbpf_unregister_prog_handler(h->handler[--h->n]);
}
