// SPDX-License-Identifier: MIT
#include <string.h>

#include "results/record.h"

enum { HIGHER = 1, LOWER = -1, NEITHER = 0 };

const struct metric_info metric_table[] = {
	{"throughput_bps", "bit/s", HIGHER, "payload received by the far end"},
	{"packets_per_s", "1/s", HIGHER, "packets through the device, both directions"},
	{"transactions_per_s", "1/s", HIGHER, "request and response pairs completed"},
	{"latency_ns", "ns", LOWER, "median round trip, from the intended start"},
	{"latency_p90_ns", "ns", LOWER, "90th percentile of the round trip"},
	{"latency_p99_ns", "ns", LOWER, "99th percentile of the round trip"},
	{"latency_p999_ns", "ns", LOWER, "99.9th percentile of the round trip"},
	{"latency_max_ns", "ns", LOWER, "longest round trip"},
	{"packets", "1", NEITHER, "packets in the window, both directions"},
	{"bytes", "B", NEITHER, "payload bytes in the window"},
	{"loss_pct", "%", LOWER, "packets sent and never received"},
	{"exits", "1", LOWER, "VM exits in the window, halts included"},
	{"exits_per_s", "1/s", LOWER, "VM exits per second of the window"},
	{"exits_per_packet", "1", LOWER, "VM exits per packet"},
	{"userspace_exits", "1", LOWER, "exits that reached the VMM"},
	{"userspace_exits_per_s", "1/s", LOWER, "exits that reached the VMM, per second"},
	{"userspace_exits_per_packet", "1", LOWER, "exits that reached the VMM, per packet"},
	{"exits_per_op", "1", LOWER, "VM exits per operation of the workload"},
	{"exits_per_byte", "1/B", LOWER, "VM exits per payload byte"},
	{"kicks", "1", LOWER, "notifications from guest to device"},
	{"kicks_per_packet", "1", LOWER, "notifications from guest to device, per packet"},
	{"spurious_kicks", "1", LOWER, "kicks that found nothing to do"},
	{"interrupts", "1", LOWER, "interrupts from device to guest"},
	{"interrupts_per_packet", "1", LOWER, "interrupts from device to guest, per packet"},
	{"batch_packets", "1", HIGHER, "mean packets handled per wake-up of the device"},
	{"kick_to_service_ns", "ns", LOWER, "median time from kick to the first descriptor read"},
	{"raise_to_inject_ns", "ns", LOWER, "median time from raised interrupt to its injection"},
	{"cpu_ns_per_packet", "ns", LOWER, "CPU time of all serving threads per packet"},
	{"cpu_ns_per_byte", "ns/B", LOWER, "CPU time of all serving threads per payload byte"},
	{"cpu_host_pct", "%", LOWER, "host CPU of all serving threads; 100 is one core"},
	{"cpu_guest_pct", "%", LOWER, "CPU in guest mode; 100 is one core"},
	{"cpu_pct", "%", LOWER, "CPU of all serving threads, guest mode included"},
	{"cpu_guest_seen_pct", "%", LOWER, "CPU the guest saw as busy; 100 is one core"},
	{"cycles_per_packet", "1", LOWER, "core cycles per packet, guest and host"},
	{"cycles_per_exit", "1", LOWER, "core cycles in the host per VM exit"},
	{"instructions_per_packet", "1", LOWER, "instructions per packet, guest and host"},
	{"boot_ns", "ns", LOWER, "from starting the VMM to the guest's init"},
	{"boot_vmm_ns", "ns", LOWER, "from starting the VMM to the first guest instruction"},
	{"boot_kernel_ns", "ns", LOWER, "from the first guest instruction to the guest's init"},
	{"boot_exits", "1", LOWER, "VM exits from start to the guest's init"},
	{"boot_cpu_ns", "ns", LOWER, "CPU time of the VMM from start to the guest's init"},
	{"vmm_overhead_bytes", "B", LOWER, "resident memory of the VMM without guest memory"},
	{"rss_bytes", "B", LOWER, "resident memory of the VMM"},
	{"exit_cost_ns", "ns", LOWER, "round trip of one exit, seen from the guest"},
	{"exit_cost_cycles", "1", LOWER, "round trip of one exit in TSC ticks"},
	{"cpuid_ns", "ns", LOWER, "round trip of cpuid, handled inside KVM"},
	{"pio_ns", "ns", LOWER, "round trip of a port access, handled in the VMM"},
	{"mmio_ns", "ns", LOWER, "round trip of an MMIO access, handled in the VMM"},
	{"ioeventfd_ns", "ns", LOWER, "round trip of a write that signals an ioeventfd"},
	{"hypercall_ns", "ns", LOWER, "round trip of a hypercall, handled inside KVM"},
	{"msr_ns", "ns", LOWER, "round trip of an MSR access, handled inside KVM"},
	{"ipi_ns", "ns", LOWER, "median time from sending an IPI to its handler's answer"},
	{"timer_late_ns", "ns", LOWER, "median lateness of a timer interrupt"},
	{"first_touch_ns", "ns", LOWER, "first write to a page the host has not backed yet"},
	{"tlb_miss_ns", "ns", LOWER, "load that misses the TLB, page walk included"},
	{"pt_update_ns", "ns", LOWER, "change of one guest page-table entry, flush included"},
	{"compute_ns", "ns", LOWER, "fixed CPU job from start to end"},
	{"ops_per_s", "1/s", HIGHER, "operations of the workload per second"},
	{"op_ns", "ns", LOWER, "mean time of one operation of the workload"},
	{"window_ns", "ns", NEITHER, "length of the measured window"},
	{"steal_pct", "%", LOWER, "CPU time taken from this machine by its own hypervisor"},
	{"jitter_ns", "ns", LOWER, "99th percentile lateness of the noise probe's sleeps"},
	{NULL, NULL, 0, NULL},
};

const struct metric_info *metric_find(const char *name)
{
	for (const struct metric_info *m = metric_table; m->name; m++)
		if (!strcmp(m->name, name))
			return m;
	return NULL;
}
