/* SPDX-License-Identifier: MIT */
/*
 * What an address or a port belongs to: "virtio-net0 txq0 kick", "e1000 TDT", "COM1", "local APIC".
 *
 * Our own VMM publishes its regions in its statistics page, a memfd that is found among the fds of the
 * process. A QEMU is asked (qemu_names.h). For any other VMM there is what the caller knows from its guest
 * (names_add), and the addresses that every PC has.
 */
#ifndef PROBES_NAMES_H
#define PROBES_NAMES_H

#include <sys/types.h>
#include "probes/state.h"
#include "vmm/stats_page.h"

struct names;

/* ask_early: a QEMU may be asked while it is measured, so that one that has ended has its names too. */
struct names *names_new(bool ask_early);
/*
 * Take down where the registers of this process are now: a VMM unmaps them before it ends, and then it is
 * gone.
 */
void names_poll(struct names *n, pid_t tgid);
/* A QEMU is asked now, since it may have ended when its names are wanted. */
void names_ask(struct names *n, pid_t tgid);
/* A region of a process that is neither ours nor a QEMU; of "...-mmio" the registers are virtio-mmio's. */
void names_add(struct names *n, pid_t tgid, const struct stats_region *region);
void names_free(struct names *n);
/* True with the name in buf. n may be NULL. Safe against names_poll in another thread. */
bool names_find(struct names *n, pid_t tgid, enum probe_backend backend, uint32_t reason, uint64_t key,
		char *buf, size_t size);

/*
 * Why addresses that were looked up have no names although their QEMU knows them; NULL: nothing is
 * missing.
 */
const char *names_missing(struct names *n);

/*
 * Notifications that our own VMMs did not send because the guest did not want them, over all their queues,
 * in the window or since their start. False: none of the processes has a statistics page.
 */
bool names_suppressed(struct names *n, bool window, uint64_t *suppressed);

#endif
