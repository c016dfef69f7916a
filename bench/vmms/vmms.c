// SPDX-License-Identifier: MIT
/* The table of VMMs, and what is the same for all of them. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "bench/host/paths.h"
#include "bench/host/substrate.h"
#include "bench/vmms/vmm.h"

#define VERSION_WAIT_NS (20 * NSEC_PER_SEC)

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

/* cloud-hypervisor is $EXITLAB_CLOUD_HYPERVISOR. */
static const char *own_program(const char *name)
{
	struct strbuf sb = STRBUF_INIT;
	const char *program;

	strbuf_adds(&sb, "EXITLAB_");
	for (; *name; name++)
		strbuf_addc(&sb, (char)(*name == '-' ? '_' : toupper((unsigned char)*name)));
	program = getenv(strbuf_str(&sb));
	strbuf_free(&sb);
	return text_or(program, NULL);
}

static bool is_path(const char *given)
{
	return strchr(given, '/');
}

const char *vmm_variant(const char *given)
{
	return text_if(!is_path(given), given);
}

const char *vmm_program(const struct vmm_adapter *vmm, const char *given)
{
	const char *own = own_program(vmm->name);

	if (is_path(given))
		return given;
	if (own)
		return own;
	return vmm->program();
}

/*
 * The first word that begins as a number does: "Firecracker v1.15.1", "QEMU emulator version 10.0.2"; else
 * the last of the first line, which is a commit: "kvm tool b48735e".
 */
static char *version_in(const char *text)
{
	static const char between[] = " \n,()";
	size_t line = strcspn(text, "\n"), len = line;

	for (const char *s = text + strspn(text, between); *s; s += strspn(s, between)) {
		const char *word = s + (*s == 'v');

		s += strcspn(s, between);
		if (isdigit((unsigned char)*word))
			return xasprintf("%.*s", (int)(s - word), word);
	}
	while (len && text[len - 1] != ' ')
		len--;
	if (line == len)
		return NULL;
	return xasprintf("%.*s", (int)(line - len), text + len);
}

char *vmm_version(const struct vmm_adapter *vmm, const char *given)
{
	const char *program = vmm_program(vmm, given);
	char *argv[] = {(char *)program, (char *)vmm->version_word, NULL}, *version = NULL;
	struct strbuf out = STRBUF_INIT;

	if (program && vmm->version_word && !proc_run(argv, &out, VERSION_WAIT_NS))
		version = version_in(strbuf_str(&out));
	strbuf_free(&out);
	return version;
}

char *vmm_unusable(const struct vmm_adapter *vmm, const char *given)
{
	const char *program = vmm_program(vmm, given);
	char *path = NULL;

	if (program)
		path = path_program(program);
	if (!path)
		return xasprintf("%s is not there; %s", text_or(program, vmm->name), vmm->get);
	free(path);
	if (!file_exists("/dev/kvm") && (!vmm->uses_kvm || vmm->uses_kvm(vmm_variant(given))))
		return xstrdup("no /dev/kvm; load kvm_intel or kvm_amd, or use --on=lab");
	if (!vmm->unusable)
		return NULL;
	return vmm->unusable();
}

const struct knob_spelling vmm_no_spellings[] = {{NULL, NULL}};

static const struct knob_spelling *spelling_of(const struct vmm_adapter *vmm, const char *knob)
{
	for (const struct knob_spelling *s = vmm->spellings; s && s->knob; s++)
		if (!strcmp(s->knob, knob))
			return s;
	return NULL;
}

static const char *transports(const struct vmm_adapter *vmm)
{
	return text_or(vmm->transports, "pci");
}

bool vmm_uses_mmio(const struct vmm_adapter *vmm, const struct knobs *ks)
{
	return !strncmp(knobs_get(ks, "transport", transports(vmm)), "mmio", 4);
}

const char *vmm_guest_module(const struct vmm_adapter *vmm, const struct knobs *ks, const char *module)
{
	if (vmm_uses_mmio(vmm, ks) && !strcmp(module, "virtio_pci"))
		return "virtio_mmio";
	return module;
}

static int check_transport(const struct vmm_adapter *vmm, const struct knobs *ks)
{
	const char *want = knobs_get(ks, "transport", NULL), *irq = knobs_get(ks, "irq", NULL);

	if (want && !knob_word_in(transports(vmm), '|', want)) {
		log_error("--set transport=%s: %s has %s", want, vmm->name, transports(vmm));
		return -ENOTSUP;
	}
	if (irq && vmm_uses_mmio(vmm, ks)) {
		log_error("--set irq=%s: a device without a bus has an interrupt line of its own; add --set transport=pci", irq);
		return -ENOTSUP;
	}
	return 0;
}

static int check_sandbox(const struct vmm_adapter *vmm, const struct knobs *ks)
{
	const char *want = knobs_get(ks, "sandbox", NULL);

	if (!want || vmm->ours)
		return 0;
	log_error("--set sandbox=%s: %s has no such switch here; use --vmm=builtin", want, vmm->name);
	return -ENOTSUP;
}

int vmm_spell_knobs(const struct vmm_adapter *vmm, const struct vmm_want *w, struct strbuf *sb)
{
	const char *helper = text_or(w->path->mode->helper_knobs, "");
	const struct knobs *ks = w->knobs;

	for (size_t i = 0; i < ks->n; i++) {
		const struct knob_info *k = knob_find(ks->k[i].name);
		const struct knob_spelling *s;
		const char *name = ks->k[i].name;

		if (!k || k->home != KNOB_DEVICE || knob_word_in(helper, ' ', name))
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
		.variant = vmm_variant(variant),
	};
	struct strlist args = STRLIST_INIT;
	int err = check_transport(vmm, ks);

	if (!err)
		err = check_sandbox(vmm, ks);
	if (err)
		return err;
	path_init(&path, mode);
	path.socket = nothing;
	path.sriov.vf_addr = nothing;
	path.medium.path = nothing;
	path.target.wwpn = nothing;
	path.vdpa = nothing;
	err = vmm->command(&w, &args);
	strlist_free(&args);
	return err;
}

bool vmm_can(const struct vmm_adapter *vmm, const struct mode *mode)
{
	enum log_level level = log_level();
	struct knobs none = {NULL, 0};
	int err;

	log_set_level(LOG_SILENT);
	err = vmm_check(vmm, "", mode, &none);
	log_set_level(level);
	return !err;
}

char *vmm_modes(const struct vmm_adapter *vmm)
{
	struct strbuf sb = STRBUF_INIT;

	for (const struct mode *const *m = mode_table; *m; m++) {
		if (!mode_has_vm(*m) || !*(*m)->name || !vmm_can(vmm, *m))
			continue;
		strbuf_sep(&sb, ", ");
		strbuf_adds(&sb, (*m)->name);
	}
	return strbuf_take(&sb);
}

static int add_option(const struct vmm_adapter *vmm, const struct vmm_want *w, struct strlist *a,
		      const char *option, int (*text)(const struct vmm_want *w, struct strbuf *sb))
{
	struct strbuf sb = STRBUF_INIT;
	int err;

	if (!text)
		return vmm_refuse_mode(vmm, w->path->mode);
	err = text(w, &sb);
	if (!err)
		err = vmm_spell_knobs(vmm, w, &sb);
	strlist_add(a, option);
	strlist_add(a, strbuf_str(&sb));
	strbuf_free(&sb);
	return err;
}

int vmm_add_device(const struct vmm_adapter *vmm, const struct vmm_want *w, struct strlist *a,
		   const struct vmm_devices *d)
{
	switch (w->path->mode->front) {
	case FRONT_NONE:
		return 0;
	case FRONT_VIRTIO_NET:
		return add_option(vmm, w, a, d->net_option, d->net);
	case FRONT_VIRTIO_BLK:
		return add_option(vmm, w, a, d->disk_option, d->disk);
	case FRONT_VFIO:
		if (!d->vfio_option)
			break;
		strlist_add(a, d->vfio_option);
		strlist_addf(a, "%s/sys/bus/pci/devices/%s", d->vfio_text, w->path->sriov.vf_addr);
		return 0;
	default:
		break;
	}
	return vmm_refuse_mode(vmm, w->path->mode);
}

bool vmm_is_here(const struct vmm_adapter *vmm)
{
	const char *program = vmm_program(vmm, "");
	char *path = NULL;
	bool here;

	if (program)
		path = path_program(program);
	here = path && !host_lacks(vmm->needs, NULL);
	free(path);
	return here;
}

int vmm_refuse_variant(const struct vmm_adapter *vmm, const struct vmm_want *want)
{
	if (!*want->variant)
		return 0;
	log_error("--vmm=%s:%s: %s has no variants; a path to its program has a slash in it", vmm->name,
		  want->variant, vmm->name);
	return -ENOTSUP;
}

int vmm_refuse_mode(const struct vmm_adapter *vmm, const struct mode *mode)
{
	log_error("--mode=%s: %s has no such device; use another --vmm", mode->name, vmm->name);
	return -ENOTSUP;
}
