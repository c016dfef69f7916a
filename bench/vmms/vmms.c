// SPDX-License-Identifier: MIT
/* The table of VMMs, and what is the same for all of them. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "bench/vmms/vmm.h"

#define X(symbol) &adapter_##symbol,
const struct vmm_adapter *const vmm_adapters[] = {
#include "bench/vmms/rows.h"
	NULL,
};
#undef X

const struct vmm_adapter *vmm_adapter_find(const char *name, size_t len)
{
	for (size_t i = 0; vmm_adapters[i]; i++)
		if (strlen(vmm_adapters[i]->name) == len && !memcmp(vmm_adapters[i]->name, name, len))
			return vmm_adapters[i];
	return NULL;
}

static const struct knob_spelling *spelling_of(const struct vmm_adapter *vmm, const char *knob)
{
	const struct knob_spelling *s = vmm->spellings;

	while (s && s->knob && strcmp(s->knob, knob))
		s++;
	return s && s->knob ? s : NULL;
}

int vmm_spell_knobs(const struct vmm_adapter *vmm, const struct knobs *ks, struct strbuf *sb)
{
	for (size_t i = 0; i < ks->n; i++) {
		const struct knob_info *k = knob_find(ks->k[i].name);
		const struct knob_spelling *s;
		const char *name = ks->k[i].name;

		if (!k || k->home != KNOB_DEVICE)
			continue;
		s = spelling_of(vmm, name);
		if (vmm->spellings && !s) {
			log_error("--set %s=%s: %s has no such switch; leave it out or use --vmm=builtin", name,
				  ks->k[i].value, vmm->name);
			return -ENOTSUP;
		}
		if (s)
			name = s->name;
		if (name)
			strbuf_addf(sb, ",%s=%s", name, ks->k[i].value);
	}
	return 0;
}

int vmm_check(const struct vmm_adapter *vmm, const char *variant, const struct mode *mode,
	      const struct knobs *ks)
{
	char nothing[] = "";
	struct device_path path;
	struct vmm_want w = {
		.program = "",
		.kernel = "",
		.cmdline = "",
		.console_path = "",
		.cpus = 1,
		.mem_bytes = MIB,
		.path = &path,
		.knobs = ks,
		.variant = variant,
	};
	struct strlist args = STRLIST_INIT;
	int err;

	path_init(&path, mode);
	path.socket = nothing;
	path.sriov.vf_addr = nothing;
	path.medium.path = nothing;
	err = vmm->command(&w, &args);
	strlist_free(&args);
	return err;
}

int vmm_refuse_mode(const struct vmm_adapter *vmm, const struct mode *mode)
{
	log_error("--mode=%s: %s has no such device; use another --vmm", mode->name, vmm->name);
	return -ENOTSUP;
}
