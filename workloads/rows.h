/* SPDX-License-Identifier: MIT */
/*
 * The workloads, in the order of bench list: X(SYMBOL, NAME, NET, JOB). Included with X defined. The
 * runner's half is workload_SYMBOL of SYMBOL.c; the Linux guest's is run_JOB of agent/, which with NET has
 * the interface up before it begins. "elsewhere": only the micro guest has such a job.
 */
X(net_throughput, "net-throughput", true, throughput)
X(net_latency, "net-latency", true, latency)
X(net_pps, "net-pps", true, pps)
X(net_rebind, "net-rebind", true, throughput)
X(net_selftest, "net-selftest", true, selftest)
X(blk_latency, "blk-latency", false, blk)
X(blk_iops, "blk-iops", false, blk)
X(blk_throughput, "blk-throughput", false, blk)
X(blk_sync, "blk-sync", false, blk)
X(blk_discard, "blk-discard", false, blk)
X(blk_rebind, "blk-rebind", false, blk)
X(boot, "boot", false, null)
X(exit_cost, "exit-cost", false, elsewhere)
X(idle, "idle", false, idle)
X(timer, "timer", false, timer)
X(ipi, "ipi", false, ipi)
X(memory, "memory", false, memory)
X(kernel_ops, "kernel-ops", false, kernel_ops)
X(compute, "compute", false, compute)
X(null, "null", false, null)
