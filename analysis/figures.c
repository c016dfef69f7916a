// SPDX-License-Identifier: MIT
/* The table of figures. */
#include <string.h>

#include "analysis/figure.h"

const struct figure figure_table[] = {
	{"throughput", "Throughput per mode", "throughput_bps, packets_per_s or transactions_per_s",
	 "bench run net-throughput --mode=e1000,virtio,vhost", 0.66, false, fig_throughput,
	 fig_has_throughput},
	{"exits", "VM exits per second by reason", "exits[] with reason and count",
	 "bench run net-throughput --mode=e1000,virtio,vhost", 0.80, false, fig_exits,
	 fig_has_exits},
	{"packet-events", "Exits, kicks and interrupts per packet",
	 "exits_per_packet, kicks_per_packet or interrupts_per_packet",
	 "bench run net-throughput --mode=e1000,virtio,vhost", 0.74, false, fig_packet_events,
	 fig_has_events},
	{"batch", "Packets served per notification", "batch_packets",
	 "bench run net-throughput --mode=virtio,vhost", 0.62, false, fig_batch, fig_has_batch},
	{"cpu", "CPU time by thread, guest and host apart",
	 "samples[].threads[] and the window's length",
	 "bench run net-throughput --mode=e1000,virtio,vhost", 0.80, false, fig_cpu,
	 fig_has_threads},
	{"message-size", "Throughput and exits against message size",
	 "two or more records that differ in msg_size, with throughput_bps",
	 "bench run net-throughput --mode=virtio,vhost --set msg_size=64,256,1024,4096,16384,65536",
	 1.15, false, fig_message_size, NULL},
	{"latency-cdf", "Distribution of latency", "samples[].hists.latency_ns",
	 "bench run net-latency --mode=e1000,virtio,vhost", 0.74, false, fig_latency_cdf,
	 fig_has_latency},
	{"latency-percentiles", "Latency percentiles per mode", "samples[].hists.latency_ns",
	 "bench run net-latency --mode=e1000,virtio,vhost", 0.74, false, fig_latency_percentiles,
	 fig_has_latency},
	{"load", "99th percentile of latency against load",
	 "two or more records that differ in rate, with samples[].hists.latency_ns",
	 "bench run net-latency --mode=virtio,vhost --set rate=1000,2000,4000,8000", 0.74, false,
	 fig_load, NULL},
	{"exit-cost", "Handling time of an exit by reason", "exits[] with p50_ns and p99_ns",
	 "bench run net-throughput --mode=virtio", 0.80, true, fig_exit_cost, fig_has_exits},
	{"exit-breakdown", "Where the time of one exit goes",
	 "exits[] with total_ns, kvm_ns and user_ns", "bench run net-throughput --mode=virtio",
	 0.80, true, fig_exit_breakdown, fig_has_exits},
	{"exit-kinds", "Round trip of each kind of exit, seen from the guest",
	 "samples[].hists.exit_cost_ns.KIND", "bench run exit-cost --guest=micro", 0.80, true,
	 fig_exit_kinds, NULL},
	{"scaling-vms", "Scaling in virtual machines",
	 "two or more records that differ in vms, with throughput_bps",
	 "bench run net-throughput --mode=virtio,vhost --set vms=1,2,4", 0.74, false,
	 fig_scaling_vms, NULL},
	{"scaling-queues", "Scaling in queue pairs",
	 "two or more records that differ in queues, with throughput_bps",
	 "bench run net-throughput --mode=virtio,vhost --set queues=1,2,4", 0.74, false,
	 fig_scaling_queues, NULL},
	{"timeline", "Samples in the order in which they ran", "samples[] with metrics",
	 "bench run net-throughput --mode=e1000,virtio,vhost", 0.62, false, fig_timeline, NULL},
	{NULL, NULL, NULL, NULL, 0, false, NULL, NULL},
};

const struct figure *figure_find(const char *name)
{
	for (const struct figure *f = figure_table; f->name; f++)
		if (!strcmp(f->name, name))
			return f;
	return NULL;
}
