// SPDX-License-Identifier: MIT
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#include "base/hist_json.h"
#include "probes/exit.h"
#include "probes/hypercalls.h"
#include "probes/internal.h"
#include "probes/kernel.h"
#include "probes/names.h"
#include "probes/reasons.h"
#include "probes/notify.h"

static void choose_kick(struct probes *p)
{
	struct probes_bpf *s = p->skel;
	bool mask = false, plain = false;

	/* A kick is recognised by the exit that it happens in. */
	if (p->opts.notify && p->opts.exits && p->backend != BACKEND_OTHER) {
		plain = kernel_can_hook(p->kernel, "eventfd_signal");
		mask = !plain && kernel_can_hook(p->kernel, "eventfd_signal_mask");
	}
	p->kicks_seen = mask || plain;
	bpf_program__set_autoload(s->progs.on_kick, plain);
	bpf_program__set_autoload(s->progs.on_kick_end, plain);
	bpf_program__set_autoload(s->progs.on_kick_mask, mask);
	bpf_program__set_autoload(s->progs.on_kick_mask_end, mask);
	bpf_program__set_autoload(s->progs.on_waking, p->kicks_seen);
}

void notify_choose(struct probes *p)
{
	struct probes_bpf *s = p->skel;
	struct bpf_program *const programs[] = {
		s->progs.on_msi, s->progs.on_set_irq, s->progs.on_accept, s->progs.on_inject, s->progs.on_eoi,
		s->progs.on_pv_eoi, s->progs.on_ipi, s->progs.on_wakeup, s->progs.on_timer_wait,
	};

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		bpf_program__set_autoload(programs[i], p->opts.notify);
	/* Where every process is watched it says for which vCPU an interrupt is; without, none is timed. */
	bpf_program__set_autoload(s->progs.on_raise, p->opts.notify && !p->opts.pid &&
							     kernel_can_hook(p->kernel, "__apic_accept_irq"));
	choose_kick(p);
}

static json_t *plain_hist_to_json(const struct plain_hist *h)
{
	static struct hist out;

	hist_init(&out);
	if (h->count) {
		out.count = h->count;
		out.sum = h->sum;
		out.min = h->min;
		out.max = h->max;
		memcpy(out.slots, h->slots, sizeof(out.slots));
	}
	return hist_to_json(&out);
}

/* Doorbells that went to userspace: known by the name of the register. */
static bool is_doorbell(struct probes *p, const struct exit_sum *s)
{
	char name[64];

	if (reason_kind(p->backend, s->reason) == KIND_HYPERCALL)
		return hypercall_is_send(s->key);
	if (reason_kind(p->backend, s->reason) == KIND_PIO && s->key & KEY_IN)
		return false; /* IDE's command is its status when it is read */
	return names_find(p->names, s->tgid, p->backend, s->reason, s->key, name, sizeof(name)) &&
	       (strstr(name, "kick") || strstr(name, "notify") || strstr(name, " TDT") ||
		strstr(name, " tail") || strstr(name, " command"));
}

uint64_t notify_kicks_of(struct probes *p, const struct exit_row *row)
{
	const struct exit_sum s = {
		.tgid = (pid_t)probes_hot(p)->vcpu[row->vcpu].tgid,
		.reason = row->reason,
		.key = row->key,
	};

	return row->user_count && is_doorbell(p, &s) ? row->user_count : 0;
}

/* An event channel of Xen's may be KVM's to signal; what it signals it with is no doorbell's eventfd. */
static uint64_t rings_of(struct probes *p, const struct exit_sum *s)
{
	if (reason_kind(p->backend, s->reason) == KIND_HYPERCALL)
		return s->count;
	return s->user_count;
}

static uint64_t kicks_userspace(struct probes *p)
{
	uint64_t kicks = p->ended.kicks;
	struct exits exits;

	if (!p->opts.exits || probes_exits(p, &exits))
		return 0;
	for (size_t i = 0; i < exits.n; i++)
		if (rings_of(p, &exits.sum[i]) && is_doorbell(p, &exits.sum[i]))
			kicks += rings_of(p, &exits.sum[i]);
	exits_free(&exits);
	return kicks;
}

json_t *notify_to_json(struct probes *p)
{
	const struct notify_state *n = &p->skel->bss->notify;
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {
		{"kicks_userspace", kicks_userspace(p)}, {"msi", n->msi}, {"set_irq", n->set_irq},
		{"unattributed", n->unattributed}, {"accepted", n->accepted}, {"injected", n->injected},
		{"eoi", n->eoi}, {"pv_eoi", n->pv_eoi}, {"ipi", n->ipi}, {"wakeups", n->wakeups},
		{"untimed", probes_untimed(p)}, {"block_ns", n->block_ns},
		{"halt_polls_ok", n->halt_polls_ok},
		{"halt_poll_ok_ns", n->halt_poll_ok_ns}, {"timer_waits", n->timer_waits},
	};
	json_t *j = json_object();
	uint64_t suppressed;

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		json_object_set_new(j, counts[i].name, json_integer((json_int_t)counts[i].value));
	if (names_suppressed(p->names, p->opts.span == PROBE_WINDOW, &suppressed))
		json_object_set_new(j, "suppressed", json_integer((json_int_t)suppressed));
	/* Absent, not zero, where kicks cannot be seen. */
	if (p->kicks_seen) {
		json_object_set_new(j, "kicks_ioeventfd", json_integer((json_int_t)n->kicks_ioeventfd));
		json_object_set_new(j, "kick_wakeups", json_integer((json_int_t)n->kick_wakeups));
		json_object_set_new(j, "kick_to_service", plain_hist_to_json(&n->kick_to_service));
	}
	json_object_set_new(j, "raise_to_injection", plain_hist_to_json(&n->raise_to_injection));
	return j;
}
