// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>

#include "base/util.h"
#include "probes/hypercalls.h"
#include "probes/state.h"

struct call_names {
	const char *name;
	const char *const *which; /* of a family: by its first argument */
	size_t n;
};

static const char *const memory_ops[] = {
	"increase_reservation", "decrease_reservation", NULL, "populate_physmap", NULL, NULL, NULL,
	"add_to_physmap", NULL, "memory_map", NULL, "exchange", NULL, NULL, NULL, "remove_from_physmap",
};
static const char *const vcpu_ops[] = {
	"initialise", "up", "down", "is_up", "get_runstate_info", "register_runstate_memory_area",
	"set_periodic_timer", "stop_periodic_timer", "set_singleshot_timer", "stop_singleshot_timer",
	"register_vcpu_info", "send_nmi", "get_physid", "register_vcpu_time_memory_area",
};
static const char *const sched_ops[] = {
	"yield", "block", "shutdown", "poll", "remote_shutdown", "shutdown_code", "watchdog", "pin_override",
};
static const char *const event_channel_ops[] = {
	"bind_interdomain", "bind_virq", "bind_pirq", "close", "send", "status", "alloc_unbound", "bind_ipi",
	"bind_vcpu", "unmask", "reset", "init_control", "expand_array", "set_priority",
};
static const char *const grant_table_ops[] = {
	"map", "unmap", "setup_table", "dump_table", "transfer", "copy", "query_size", "unmap_and_replace",
	"set_version", "get_status_frames", "get_version", "swap_grant_ref", "cache_flush",
};
static const char *const hvm_ops[] = {
	[0] = "set_param", [1] = "get_param", [9] = "pagetable_dying", [23] = "set_evtchn_upcall_vector",
};

#define FAMILY(name, which) {name, which, ARRAY_SIZE(which)}

/* xen/include/public/xen.h, of those that a guest of this kind may call. */
static const struct call_names calls[] = {
	[0] = {"set_trap_table", NULL, 0},
	[1] = {"mmu_update", NULL, 0},
	[2] = {"set_gdt", NULL, 0},
	[3] = {"stack_switch", NULL, 0},
	[4] = {"set_callbacks", NULL, 0},
	[5] = {"fpu_taskswitch", NULL, 0},
	[8] = {"set_debugreg", NULL, 0},
	[10] = {"update_descriptor", NULL, 0},
	[12] = FAMILY("memory_op", memory_ops),
	[13] = {"multicall", NULL, 0},
	[14] = {"update_va_mapping", NULL, 0},
	[15] = {"set_timer_op", NULL, 0},
	[17] = {"xen_version", NULL, 0},
	[18] = {"console_io", NULL, 0},
	[20] = FAMILY("grant_table_op", grant_table_ops),
	[21] = {"vm_assist", NULL, 0},
	[23] = {"iret", NULL, 0},
	[24] = FAMILY("vcpu_op", vcpu_ops),
	[25] = {"set_segment_base", NULL, 0},
	[26] = {"mmuext_op", NULL, 0},
	[29] = FAMILY("sched_op", sched_ops),
	[32] = FAMILY("event_channel_op", event_channel_ops),
	[33] = {"physdev_op", NULL, 0},
	[34] = FAMILY("hvm_op", hvm_ops),
};

#define EVENT_CHANNEL_OP 32
#define EVTCHNOP_SEND	 4

static unsigned call_of(uint64_t key)
{
	return key & 0xffff;
}

static unsigned which_of(uint64_t key)
{
	return key >> 16 & 0xffff;
}

bool hypercall_is_send(uint64_t key)
{
	return key & KEY_XEN && call_of(key) == EVENT_CHANNEL_OP && which_of(key) == EVTCHNOP_SEND;
}

void hypercall_text(uint64_t key, char *buf, size_t size)
{
	unsigned nr = call_of(key), which = which_of(key);
	const struct call_names *c = &calls[MIN(nr, ARRAY_SIZE(calls) - 1)];

	if (!(key & KEY_XEN))
		snprintf(buf, size, "%" PRIu64, key);
	else if (nr >= ARRAY_SIZE(calls) || !c->name)
		snprintf(buf, size, "xen %u", nr);
	else if (!c->which || which == HYPERCALL_ANY)
		snprintf(buf, size, "%s", c->name);
	else if (which < c->n && c->which[which])
		snprintf(buf, size, "%s %s", c->name, c->which[which]);
	else
		snprintf(buf, size, "%s %u", c->name, which);
}
