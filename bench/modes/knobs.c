// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/opts.h"
#include "base/strbuf.h"
#include "bench/modes/knobs.h"
#include "bench/modes/mode.h"
#include "workloads/job.h"

const struct knob_info knob_table[] = {
	{"ring", KNOB_DEVICE, "split|packed", "layout of the virtqueues"},
	{"event_idx", KNOB_DEVICE, "on|off",
	 "notifications suppressed by index instead of by flag"},
	{"indirect", KNOB_DEVICE, "on|off", "descriptor tables outside the ring"},
	{"in_order", KNOB_DEVICE, "on|off",
	 "buffers used in the order in which they were made available"},
	{"queues", KNOB_DEVICE, "1..8", "queue pairs (default 1)"},
	{"irq", KNOB_DEVICE, "intx|msix", "interrupt mechanism (default msix)"},
	{"ioeventfd", KNOB_DEVICE, "on|off", "doorbells answered in the kernel"},
	{"notify", KNOB_DEVICE, "pio|mmio", "doorbells are ports (default) or memory"},
	{"offload", KNOB_DEVICE, "on|off", "checksum and segmentation offloads"},
	{"mrg_rxbuf", KNOB_DEVICE, "on|off", "mergeable receive buffers"},
	{"poll_us", KNOB_DEVICE, "0..1000000",
	 "busy polling of the I/O thread before it sleeps (default 0)"},
	{"coalesce", KNOB_DEVICE, "on|off", "honour the interrupt throttling registers"},
	{"coalesce_us", KNOB_DEVICE, "0..1000000",
	 "e1000: least time between interrupts; virtio: how long that for sent frames waits (500)"},
	{"io", KNOB_DEVICE, "vcpu|thread",
	 "e1000: transmit in the vCPU's exit or in an I/O thread; ide: so with small requests (default: as the medium is quick)"},
	{"engine", KNOB_DEVICE, "io_uring|sync", "how a disk's requests reach the host's kernel"},
	{"cache", KNOB_DEVICE, "writeback|writethrough",
	 "whether a disk's writes wait for its flush (default writeback)"},
	{"backend", KNOB_DEVICE, "builtin|qemu",
	 "vhost-user-blk: who serves it, our program or qemu-storage-daemon (default builtin)"},
	{"shadow", KNOB_DEVICE, "on|off", "nvme: doorbells in memory, rung when the controller asks (default on)"},
	{"dma", KNOB_DEVICE, "on|off", "ide: the disk moves data itself, or the processor word by word (default on)"},
	{"posted", KNOB_DEVICE, "on|off",
	 "ide: KVM keeps writes that only a later access acts on until there is one (default on)"},
	{"medium_us", KNOB_MEDIUM, "0..1000000",
	 "medium null: a request ends so long after it came (default 0: as it is handed over)"},
	{"vlan", KNOB_CARD, "1..4094",
	 "VLAN that the card puts the virtual function into; its peer is in it too"},
	{"spoofchk", KNOB_CARD, "on|off",
	 "the card drops frames with a MAC address not the function's (default on)"},
	{"trust", KNOB_CARD, "on|off",
	 "the function may ask for promiscuous mode and its own MAC address"},
	{"irqchip", KNOB_MACHINE, "kernel|split",
	 "interrupt controllers in KVM, or IOAPIC and PIC in the VMM"},
	{"sandbox", KNOB_MACHINE, "on|off", "our VMM gives up what it does not need (default on)"},
	{"transport", KNOB_MACHINE, "mmio|pci|pci-legacy",
	 "how virtio devices are reached, of VMMs that have several (default: the first in bench list vmms)"},
	{"cpus", KNOB_MACHINE, "1..8", "virtual CPUs (default 1)"},
	{"mem", KNOB_MACHINE, "16M..64G", "guest memory (default 256M)"},
	{"vms", KNOB_HARNESS, "1..64",
	 "virtual machines that do the same at the same time (default 1)"},
	{"paging", KNOB_KVM, "nested|shadow",
	 "the processor walks KVM's tables (EPT, NPT), or KVM shadows those of the guest"},
	{"apicv", KNOB_KVM, "on|off", "interrupts are delivered and ended without an exit (Intel)"},
	{"avic", KNOB_KVM, "on|off", "interrupts are delivered and ended without an exit (AMD)"},
	{"vpid", KNOB_KVM, "on|off", "the TLB keeps a guest's entries over an exit (Intel)"},
	{"unrestricted", KNOB_KVM, "on|off",
	 "the guest may run without paging; off: KVM emulates its real mode (Intel)"},
	{"preemption_timer", KNOB_KVM, "on|off",
	 "the guest's timer is the processor's own; off: one of the host kernel (Intel)"},
	{"pml", KNOB_KVM, "on|off", "the processor logs the pages that the guest writes (Intel)"},
	{"vgif", KNOB_KVM, "on|off", "the guest's global interrupt flag costs no exit (AMD)"},
	{"vls", KNOB_KVM, "on|off", "VMLOAD and VMSAVE of the guest cost no exit (AMD)"},
	{"kernel", KNOB_MACHINE, "vmlinux|bzimage",
	 "image to boot (default: builtin vmlinux through PVH, qemu bzimage)"},
	{"observer", KNOB_HARNESS, "probes|off|detached|trace-cmd|perf|life",
	 "who looks at the guest (default probes); what it costs is the difference. life: every step, for bench life"},
	{NULL, 0, NULL, NULL},
};

const struct knob_info *knob_find(const char *name)
{
	for (const struct knob_info *k = knob_table; k->name; k++)
		if (!strcmp(k->name, name))
			return k;
	return NULL;
}

void knob_translate(const char **name, const char **value)
{
	if (strcmp(*name, "npt"))
		return;
	*name = "paging";
	if (!strcmp(*value, "on"))
		*value = "nested";
	else if (!strcmp(*value, "off"))
		*value = "shadow";
}

const char *knobs_get(const struct knobs *ks, const char *name, const char *fallback)
{
	for (size_t i = 0; i < ks->n; i++)
		if (!strcmp(ks->k[i].name, name))
			return ks->k[i].value;
	return fallback;
}

bool knobs_on(const struct knobs *ks, const char *name, bool fallback)
{
	const char *v = knobs_get(ks, name, NULL);

	return v ? !strcmp(v, "on") : fallback;
}

uint64_t knobs_u64(const struct knobs *ks, const char *name, uint64_t fallback)
{
	const char *v = knobs_get(ks, name, NULL);
	uint64_t n;

	if (!v || parse_size(v, &n))
		return fallback;
	return n;
}

void knobs_set(struct knobs *ks, const char *name, const char *value)
{
	for (size_t i = 0; i < ks->n; i++) {
		if (!strcmp(ks->k[i].name, name)) {
			ks->k[i].value = value;
			return;
		}
	}
	ks->k = xgrow(ks->k, ks->n, sizeof(*ks->k));
	ks->k[ks->n++] = (struct knob){name, value};
}

bool knob_word_in(const char *words, char sep, const char *word)
{
	size_t len = strlen(word);

	while (*words) {
		const char *end = strchrnul(words, sep);

		if ((size_t)(end - words) == len && !memcmp(words, word, len))
			return true;
		words = end + (*end == sep);
	}
	return false;
}

static int unknown_knob(const char *name)
{
	const char *names[128], *near;
	size_t n = 0;

	for (const struct knob_info *k = knob_table; k->name; k++)
		names[n++] = k->name;
	for (const struct job_key *k = job_keys; k->name && n < ARRAY_SIZE(names) - 1; k++)
		names[n++] = k->name;
	names[n] = NULL;
	near = opts_nearest(name, names);
	if (near)
		log_error("--set %s: no such knob; did you mean %s; see bench list knobs", name, near);
	else
		log_error("--set %s: no such knob; see bench list knobs", name);
	return -EINVAL;
}

/* values is "split|packed", "1..8" or "16M..64G". */
static bool value_ok(const char *values, const char *value)
{
	char from[16], to[16];
	uint64_t n, low, high;

	if (sscanf(values, "%15[^.]..%15s", from, to) != 2 || parse_size(from, &low) || parse_size(to, &high))
		return knob_word_in(values, '|', value);
	return !parse_size(value, &n) && n >= low && n <= high;
}

/* Some modes have it, and others do not. */
static bool of_modes(const struct knob_info *k)
{
	return k->home == KNOB_DEVICE || k->home == KNOB_CARD || k->home == KNOB_MEDIUM;
}

static bool mode_has_knob(const struct mode *mode, const struct knob_info *k)
{
	if (k->home == KNOB_MEDIUM)
		return mode->kind == MODE_BLOCK;
	return !of_modes(k) || knob_word_in(mode->knobs, ' ', k->name);
}

char *knob_modes(const struct knob_info *k)
{
	struct strbuf sb = STRBUF_INIT;

	if (!of_modes(k))
		return xstrdup("");
	for (const struct mode *const *m = mode_table; *m; m++) {
		if (!mode_has_knob(*m, k))
			continue;
		strbuf_sep(&sb, " ");
		strbuf_adds(&sb, (*m)->name);
	}
	return strbuf_take(&sb);
}

static int refuse_knob(const struct mode *mode, const struct knob_info *k, const char *value)
{
	char *modes = knob_modes(k);

	log_error("--set %s=%s: mode %s has no such knob; it is one of: %s", k->name, value,
		  text_or(mode->name, "(none)"), modes);
	free(modes);
	return -EINVAL;
}

int knob_check(const char *name, const char *value, const struct mode *mode)
{
	const struct knob_info *k = knob_find(name);
	struct workload_job job;

	if (!k) {
		if (!job_key_find(name))
			return unknown_knob(name);
		job_defaults(&job);
		if (job_set_text(&job, name, value)) {
			log_error("--set %s=%s: not a valid value; see bench list knobs", name, value);
			return -EINVAL;
		}
		return 0;
	}
	if (!value_ok(k->values, value)) {
		log_error("--set %s=%s: expected %s (%s)", name, value, k->values, k->help);
		return -EINVAL;
	}
	if (!mode_has_knob(mode, k))
		return refuse_knob(mode, k, value);
	return 0;
}
