/* SPDX-License-Identifier: MIT */
/*
 * The figures, in the order of bench list: X(SYMBOL, NAME, ASPECT, HOW, HAS, TITLE, NEEDS, SUPPLY), the
 * members of struct figure; fig_SYMBOL draws it. Included with X defined.
 */
X(throughput, "throughput", 0.66, FIG_ALL, fig_has_throughput,
  "Throughput per mode",
  "throughput_bps, packets_per_s or transactions_per_s",
  "bench run net-throughput --mode=e1000,virtio,vhost")
X(exits, "exits", 0.80, FIG_ALL, fig_has_exits,
  "VM exits per second by reason",
  "exits[] with reason and count",
  "bench run net-throughput --mode=e1000,virtio,vhost")
X(packet_events, "packet-events", 0.74, FIG_ALL, fig_has_events,
  "Exits, kicks and interrupts per packet",
  "exits_per_packet, kicks_per_packet or interrupts_per_packet",
  "bench run net-throughput --mode=e1000,virtio,vhost")
X(batch, "batch", 0.62, FIG_ALL, fig_has_batch,
  "Packets served per notification",
  "batch_packets",
  "bench run net-throughput --mode=virtio,vhost")
X(cpu, "cpu", 0.80, FIG_ALL, fig_has_threads,
  "CPU time by thread, guest and host apart",
  "samples[].threads[] and the window's length",
  "bench run net-throughput --mode=e1000,virtio,vhost")
X(message_size, "message-size", 1.15, FIG_ALL, NULL,
  "Throughput and exits against message size",
  "two or more records that differ in msg_size, with throughput_bps",
  "bench run net-throughput --mode=virtio,vhost --set msg_size=64,256,1024,4096,16384,65536")
X(latency_cdf, "latency-cdf", 0.74, FIG_ALL, fig_has_latency,
  "Distribution of latency",
  "samples[].hists.latency_ns",
  "bench run net-latency --mode=e1000,virtio,vhost")
X(latency_percentiles, "latency-percentiles", 0.74, FIG_ALL, fig_has_latency,
  "Latency percentiles per mode",
  "samples[].hists.latency_ns",
  "bench run net-latency --mode=e1000,virtio,vhost")
X(load, "load", 0.74, FIG_ALL, NULL,
  "99th percentile of latency against load",
  "two or more records that differ in rate, with samples[].hists.latency_ns",
  "bench run net-latency --mode=virtio,vhost --set rate=1000,2000,4000,8000")
X(depth, "depth", 0.74, FIG_ALL, NULL,
  "Requests per second against depth",
  "two or more records that differ in depth, with iops",
  "bench run blk-iops --mode=host,virtio-blk,nvme --set depth=1,4,16,64")
X(io_exits, "io-exits", 0.80, FIG_ALL, fig_has_requests,
  "VM exits per request of a disk, by register",
  "exits[] and ios",
  "bench run blk-iops --mode=virtio-blk,nvme --vmm=builtin,qemu")
X(exit_cost, "exit-cost", 0.80, FIG_EACH, fig_has_exits,
  "Handling time of an exit by reason",
  "exits[] with p50_ns and p99_ns",
  "bench run net-throughput --mode=virtio")
X(exit_breakdown, "exit-breakdown", 0.80, FIG_EACH, fig_has_exits,
  "Where the time of one exit goes",
  "exits[] with total_ns, kvm_ns and user_ns",
  "bench run net-throughput --mode=virtio")
X(exit_kinds, "exit-kinds", 0.80, FIG_EACH, NULL,
  "Round trip of each kind of exit, seen from the guest",
  "samples[].hists.exit_cost_ns.KIND",
  "bench run exit-cost --guest=micro")
X(assistance, "assistance", 0.80, FIG_ALL, fig_has_exits,
  "What each extension of the processor removed",
  "exits[] of two records that differ in paging, apicv, vpid or another switch of KVM's, and in nothing else",
  "bench run boot --lab=intel --set paging=nested,shadow")
X(scaling_vms, "scaling-vms", 0.74, FIG_ALL, NULL,
  "Scaling in virtual machines",
  "two or more records that differ in vms, with throughput_bps",
  "bench run net-throughput --mode=virtio,vhost --set vms=1,2,4")
X(scaling_queues, "scaling-queues", 0.74, FIG_ALL, NULL,
  "Scaling in queue pairs",
  "two or more records that differ in queues, with throughput_bps",
  "bench run net-throughput --mode=virtio,vhost --set queues=1,2,4")
X(life, "life", 1.3, FIG_EACH, fig_has_life,
  "The life of one packet",
  "samples[].life",
  "bench run net-latency --mode=virtio --set observer=life --deterministic --reps=1")
X(timeline, "timeline", 0.62, FIG_ALL, NULL,
  "Samples in the order in which they ran",
  "samples[] with metrics",
  "bench run net-throughput --mode=e1000,virtio,vhost")
X(operations, "operations", 0.66, FIG_MIXED, fig_has_operations,
  "What an operation costs, from bare metal to nested paging",
  "two or more records of kernel-ops, bare metal (--mode=host) among them",
  "bench run kernel-ops --mode=host,container")
X(operation_exits, "operation-exits", 0.66, FIG_MIXED, fig_has_operation_exits,
  "How often an operation leaves for the hypervisor",
  "two or more records of kernel-ops with exits_per_op.KIND",
  "bench run kernel-ops --set op=fork,exec,cpuid")
