// SPDX-License-Identifier: MIT
/* The table of metrics, and values of them as people read them. */
#include <stdio.h>
#include <string.h>

#include "base/table.h"
#include "results/record.h"

enum { HIGHER = 1, LOWER = -1, NEITHER = 0 };

const struct metric_info metric_table[] = {
	{"throughput_bps", "bit/s", HIGHER, "payload received by the far end, or moved by the disk"},
	{"packets_per_s", "1/s", HIGHER, "packets through the device, both directions"},
	{"transactions_per_s", "1/s", HIGHER, "request and response pairs completed"},
	{"latency_ns", "ns", LOWER, "median round trip or request, from the intended start"},
	{"latency_p90_ns", "ns", LOWER, "90th percentile of the same"},
	{"latency_p99_ns", "ns", LOWER, "99th percentile of the same"},
	{"latency_p999_ns", "ns", LOWER, "99.9th percentile of the same"},
	{"latency_max_ns", "ns", LOWER, "the longest of the same"},
	{"throughput_tx_bps", "bit/s", HIGHER,
	 "payload from guest to peer, when both directions run"},
	{"throughput_rx_bps", "bit/s", HIGHER,
	 "payload from peer to guest, when both directions run"},
	{"offered_per_s", "1/s", NEITHER, "datagrams sent per second, all senders"},
	{"delivered_per_s", "1/s", HIGHER, "datagrams received per second, all receivers"},
	{"lossfree_per_s", "1/s", HIGHER, "highest rate of datagrams found without loss"},
	{"reordered", "1", LOWER, "datagrams that came after a later one"},
	{"wire_packets", "1", NEITHER,
	 "packets as a wire of this MTU carries them, both directions"},
	{"tcp_window_bytes", "B", NEITHER, "congestion window of a sender in the guest, at the window's end"},
	{"tcp_retransmits", "1", NEITHER, "segments that the guest's senders sent again"},
	{"tcp_receiver_limited_pct", "%", NEITHER,
	 "time in which the receiver's window held the guest's senders back"},
	{"tcp_buffer_limited_pct", "%", NEITHER, "time in which their own send buffer did"},
	{"rx_packets", "1", NEITHER, "packets the guest's device received in the window"},
	{"tx_packets", "1", NEITHER, "packets the guest's device sent in the window"},
	{"packet_bytes", "B", NEITHER, "mean size of a packet at the guest's device"},
	{"checked_blocks", "1", NEITHER, "payload blocks of 64 KiB verified by the receivers; places of a disk read again and compared"},
	{"failed_requests", "1", NEITHER, "requests that were under way when the driver left, and failed"},
	{"peer_cpu_pct", "%", LOWER, "CPU of the peer's process; 100 is one core"},
	{"iops", "1/s", HIGHER, "operations completed per second"},
	{"ios", "1", NEITHER, "requests that the disk was given in the window, flushes included"},
	{"flushes", "1", NEITHER, "flushes among them"},
	{"io_bytes", "B", NEITHER, "mean size of a request at the disk"},
	{"exits_per_io", "1", LOWER, "VM exits per request of the disk"},
	{"userspace_exits_per_io", "1", LOWER, "exits that reached the VMM, per request of the disk"},
	{"kicks_per_io", "1", LOWER, "notifications from guest to disk, per request"},
	{"interrupts_per_io", "1", LOWER, "interrupts to the guest, per request of the disk"},
	{"cpu_ns_per_io", "ns", LOWER, "CPU time of all serving threads per request of the disk"},
	{"batch_ios", "1", HIGHER, "mean requests handled per wake-up of the disk"},
	{"queue_depth", "1", NEITHER, "mean requests in flight at the disk when one comes, itself included"},
	{"host_requests_per_io", "1", LOWER, "what our VMM asked the host's kernel for, per request"},
	{"packets", "1", NEITHER, "packets in the window, both directions"},
	{"bytes", "B", NEITHER, "payload bytes in the window"},
	{"loss_pct", "%", LOWER, "packets sent and never received"},
	{"exits", "1", LOWER, "VM exits in the window, halts included"},
	{"exits_per_s", "1/s", LOWER, "VM exits per second of the window"},
	{"exits_per_packet", "1", LOWER, "VM exits per packet"},
	{"userspace_exits", "1", LOWER, "exits that reached the VMM"},
	{"userspace_exits_per_packet", "1", LOWER, "exits that reached the VMM, per packet"},
	{"exits_per_op", "1", LOWER, "VM exits per operation of the workload; exits_per_op.KIND: of one kind"},
	{"hypercalls", "1", LOWER, "exits among them by which the guest called its hypervisor"},
	{"hypercalls_per_op", "1", LOWER, "hypercalls per operation; hypercalls_per_op.KIND: of one kind"},
	{"hypercalls_per_packet", "1", LOWER, "hypercalls per packet"},
	{"hypercalls_per_io", "1", LOWER, "hypercalls per request of the disk"},
	{"grant_maps", "1", LOWER, "pages that a Xen back end in the VMM mapped by their grants"},
	{"grant_maps_per_packet", "1", LOWER, "the same per packet"},
	{"grant_maps_per_io", "1", LOWER, "the same per request of the disk"},
	{"grant_copies", "1", LOWER, "parts of pages that it had copied by their grants"},
	{"grant_copies_per_packet", "1", LOWER, "the same per packet"},
	{"grant_copies_per_io", "1", LOWER, "the same per request of the disk"},
	{"kicks", "1", LOWER, "notifications from guest to device"},
	{"kicks_per_packet", "1", LOWER, "notifications from guest to device, per packet"},
	{"interrupts", "1", LOWER, "interrupts from device to guest"},
	{"interrupts_per_packet", "1", LOWER, "interrupts from device to guest, per packet"},
	{"guest_kicks", "1", NEITHER, "doorbells that the micro guest rang"},
	{"guest_kicks_per_packet", "1", LOWER, "the same per packet: where KVM shows no kicks as well"},
	{"guest_kicks_per_io", "1", LOWER, "the same per request of the disk"},
	{"vmm_kicks", "1", NEITHER, "kicks that the queues of our VMM were woken by"},
	{"vmm_spurious_kicks", "1", NEITHER, "kicks of them that found nothing to do"},
	{"vmm_interrupts", "1", NEITHER, "interrupts that its queues raised"},
	{"vmm_suppressed", "1", NEITHER, "interrupts that they did not raise, because the guest did not want them"},
	{"vmm_bad", "1", NEITHER, "requests of the guest that broke the rules"},
	{"batch_packets", "1", HIGHER, "mean packets handled per wake-up of the device"},
	{"cpu_ns_per_packet", "ns", LOWER, "CPU time of all serving threads per packet"},
	{"cpu_host_pct", "%", LOWER, "host CPU of all serving threads; 100 is one core"},
	{"cpu_guest_pct", "%", LOWER, "CPU in guest mode; 100 is one core"},
	{"waiting_pct", "%", NEITHER, "vCPUs ready to run that waited for a CPU; 100 is one vCPU all the time"},
	{"cpu_pct", "%", LOWER, "CPU of all serving threads, guest mode included"},
	{"cpu_guest_seen_pct", "%", LOWER, "CPU the guest saw as busy; 100 is one core"},
	{"boot_ns", "ns", LOWER, "from starting the VMM to the guest's init"},
	{"guest_boot_ns", "ns", LOWER, "the guest's own clock when its init begins"},
	{"boot_exits", "1", LOWER, "VM exits from start to the guest's init"},
	{"boot_cpu_ns", "ns", LOWER, "CPU time of the VMM from start to the guest's init"},
	{"vmm_overhead_bytes", "B", LOWER, "resident memory of the VMM without guest memory"},
	{"exit_cost_ns", "ns", LOWER, "round trip of one exit, seen from the guest"},
	{"exit_cost_cycles", "1", LOWER, "round trip of one exit in TSC ticks"},
	{"exit_cost_ns.cpuid", "ns", LOWER, "CPUID"},
	{"exit_cost_ns.pio_kernel", "ns", LOWER, "port read answered in KVM"},
	{"exit_cost_ns.pio_user", "ns", LOWER, "port read answered in the VMM"},
	{"exit_cost_ns.mmio_user", "ns", LOWER, "MMIO read answered in the VMM"},
	{"exit_cost_ns.mmio_write_user", "ns", LOWER, "MMIO write answered in the VMM"},
	{"exit_cost_ns.ioeventfd", "ns", LOWER, "doorbell write that KVM turns into an eventfd"},
	{"exit_cost_ns.msi_self", "ns", LOWER,
	 "register write until the handler of the MSI it raises has run"},
	{"exit_cost_ns.hypercall", "ns", LOWER, "hypercall that KVM does not know"},
	{"exit_cost_ns.hlt_wake", "ns", LOWER, "timer's due time until the guest runs after HLT"},
	{"exit_cost_ns.ipi", "ns", LOWER, "IPI sent until the other vCPU's handler has run"},
	{"exit_cost_full_ns.cpuid", "ns", LOWER,
	 "CPUID, and what a walk through 256 KiB that were warm takes longer after it"},
	{"exit_cost_full_ns.pio_kernel", "ns", LOWER, "port read answered in KVM, and the same"},
	{"exit_cost_full_ns.pio_user", "ns", LOWER, "port read answered in the VMM, and the same"},
	{"exit_cost_full_ns.mmio_user", "ns", LOWER, "MMIO read answered in the VMM, and the same"},
	{"exit_cost_control_ns", "ns", LOWER, "the empty loop that exit costs are net of"},
	{"ipi_ns", "ns", LOWER, "median time from sending an IPI to its handler's answer"},
	{"ipi_p99_ns", "ns", LOWER, "99th percentile of the same"},
	{"ipi_wake_ns", "ns", LOWER, "median hand-over to an idle vCPU and back"},
	{"timer_late_ns", "ns", LOWER, "median lateness of a timer interrupt"},
	{"timer_late_p99_ns", "ns", LOWER, "99th percentile lateness of a timer interrupt"},
	{"first_touch_ns", "ns", LOWER, "first write to a page the host has not backed yet"},
	{"tlb_miss_ns", "ns", LOWER, "load that misses the TLB, page walk included"},
	{"pt_update_ns", "ns", LOWER, "change of one guest page-table entry, flush included"},
	{"compute_ns", "ns", LOWER, "fixed CPU job from start to end"},
	{"selftests", "1", NEITHER, "self-tests of the driver that passed"},
	{"ops", "1", NEITHER, "operations of the workload in the window; ops.KIND: of one kind"},
	{"ops_per_s", "1/s", HIGHER, "operations of the workload per second"},
	{"op_ns", "ns", LOWER, "mean time of one operation of the workload"},
	{"op_ns.syscall", "ns", LOWER, "system call: getppid"},
	{"op_ns.page_fault", "ns", LOWER, "first write to an anonymous page"},
	{"op_ns.mmap", "ns", LOWER, "four pages mapped, written and unmapped"},
	{"op_ns.mprotect", "ns", LOWER, "a page made read-only, writable again and written"},
	{"op_ns.fork", "ns", LOWER, "a child that ends at once, waited for"},
	{"op_ns.exec", "ns", LOWER, "a program that ends at once, by vfork and exec, waited for"},
	{"op_ns.context_switch", "ns", LOWER, "a byte handed to a waiting process of the same CPU"},
	{"op_ns.pipe", "ns", LOWER, "a byte through a pipe, no switch"},
	{"op_ns.signal", "ns", LOWER, "a signal to oneself, handled and returned from"},
	{"op_ns.thread_wake", "ns", LOWER, "the turn handed to a waiting thread of the same CPU"},
	{"op_ns.port_write", "ns", LOWER, "a byte to the diagnostic port, by a system call"},
	{"op_ns.cpuid", "ns", LOWER, "CPUID"},
	{"guest_interrupts", "1", LOWER, "interrupts the guest's kernel counted in the window"},
	{"guest_switches", "1", NEITHER,
	 "context switches the guest's kernel counted in the window"},
	{"window_ns", "ns", NEITHER, "length of the measured window"},
	{"overhead_pct", "%", NEITHER, "CPU that the probes themselves took"},
	{NULL, NULL, 0, NULL},
};

const struct metric_info *metric_find_kind(const char *name)
{
	const struct metric_info *exact = metric_find(name);
	char base[64];

	if (exact)
		return exact;
	snprintf(base, sizeof(base), "%.*s", (int)strcspn(name, "."), name);
	return metric_find(base);
}

const struct metric_info *metric_find(const char *name)
{
	for (const struct metric_info *m = metric_table; m->name; m++)
		if (!strcmp(m->name, name))
			return m;
	return NULL;
}

const char *metric_text(const char *metric, double value)
{
	const struct metric_info *info = metric_find(metric);

	if (info && !strcmp(info->unit, "ns"))
		return fmt_ns(value);
	return fmt_si(value);
}
