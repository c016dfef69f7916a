/* SPDX-License-Identifier: MIT */
/*
 * Every member of a record, once (base/json.h says how a list is read). record.h makes the structs of them,
 * record.c what is refused, and a test holds SCHEMA.md to them and to what a run writes.
 */
#ifndef RESULTS_MEMBERS_H
#define RESULTS_MEMBERS_H

#include "base/json.h"

#define RECORD_MEMBERS(M, S)                                                                      \
	M(S, INT, schema, MUST)                                                                   \
	M(S, TEXT, id, MUST)                                                                      \
	M(S, TEXT, plan_id, MAY)                                                                  \
	M(S, INT, order, MAY)                                                                     \
	M(S, TEXT, started, MUST)                                                                 \
	M(S, TEXT, finished, MAY)                                                                 \
	M(S, LIST, argv, MAY)                                                                     \
	M(S, TEXT, workload, MUST)                                                                \
	M(S, TEXT, mode, MUST)                                                                    \
	M(S, TEXT, vmm, MUST)                                                                     \
	M(S, TEXT, guest, MUST)                                                                   \
	M(S, TEXT, substrate, MUST)                                                               \
	M(S, TEXT, time_base, MUST)                                                               \
	M(S, MAP, knobs, MAY)                                                                     \
	M(S, MAP, options, MAY)                                                                   \
	M(S, MAP, params, MAY)                                                                    \
	M(S, MAP, plan, MAY)                                                                      \
	M(S, MAP, environment, MAY)                                                               \
	M(S, LIST, inputs, MAY)                                                                   \
	M(S, LIST, samples, MUST)                                                                 \
	M(S, MAP, summary, MAY)                                                                   \
	M(S, LIST, exits, MAY)                                                                    \
	M(S, LIST, checks, MAY)                                                                   \
	M(S, OR_NAN, overhead_pct, MAY)                                                           \
	M(S, BOOL, ok, MAY)

/* ---- .params, .plan ---- */

#define PARAMS_MEMBERS(M, S)                                                                      \
	M(S, INT, duration_ns, MAY)                                                               \
	M(S, INT, work, MAY)                                                                      \
	M(S, INT, reps, MAY)                                                                      \
	M(S, INT, cpus, MAY)                                                                      \
	M(S, INT, mem_bytes, MAY)                                                                 \
	M(S, TEXT, tool, MAY)                                                                     \
	M(S, BOOL, ipv6, MAY)                                                                     \
	M(S, TEXT, topology, MAY)                                                                 \
	M(S, TEXT, pin, MAY)                                                                      \
	M(S, TEXT, kernel, MAY)                                                                   \
	M(S, TEXT, medium, MAY)                                                                   \
	M(S, TEXT, nic, MAY)                                                                      \
	M(S, TEXT, vf, MAY)                                                                       \
	M(S, TEXT, peer, MAY)                                                                     \
	M(S, TEXT, condition, MAY)                                                                \
	M(S, FLAG, tune, MAY)                                                                     \
	M(S, FLAG, no_probes, MAY)                                                                \
	M(S, FLAG, unsafe_interrupts, MAY)

#define PLAN_MEMBERS(M, S)                                                                        \
	M(S, INT, seed, MAY)                                                                      \
	M(S, LIST, order, MAY)                                                                    \
	M(S, INT, reps, MAY)                                                                      \
	M(S, INT, warmup, MAY)                                                                    \
	M(S, TEXT, cell, MAY)

/* ---- .environment ---- */

#define ENVIRONMENT_MEMBERS(M, S)                                                                 \
	M(S, TEXT, machine, MAY)                                                                  \
	M(S, TEXT, kernel, MAY)                                                                   \
	M(S, TEXT, cpu, MAY)                                                                      \
	M(S, TEXT, microcode, MAY)                                                                \
	M(S, INT, cpus, MAY)                                                                      \
	M(S, INT, mem_bytes, MAY)                                                                 \
	M(S, TEXT, governor, MAY)                                                                 \
	M(S, TEXT, smt, MAY)                                                                      \
	M(S, TEXT, no_turbo, MAY)                                                                 \
	M(S, TEXT, command_line, MAY)                                                             \
	M(S, TEXT, clocksource, MAY)                                                              \
	M(S, TEXT, qemu, MAY)                                                                     \
	M(S, TEXT, exitlab, MAY)                                                                  \
	M(S, INT, calibration_ns, MAY)                                                            \
	M(S, MAP, tune, MAY)                                                                      \
	M(S, MAP, lab, MAY)

#define LAB_MEMBERS(M, S)                                                                         \
	M(S, TEXT, emulator, MAY)                                                                 \
	M(S, TEXT, qemu, MAY)                                                                     \
	M(S, BOOL, mended, MAY)                                                                   \
	M(S, TEXT, host_machine, MAY)                                                             \
	M(S, TEXT, host_kernel, MAY)                                                              \
	M(S, TEXT, host_cpu, MAY)                                                                 \
	M(S, INT, host_calibration_ns, MAY)                                                       \
	M(S, COUNT, lost, MAY)

#define INPUT_MEMBERS(M, S)                                                                       \
	M(S, TEXT, name, MUST)                                                                    \
	M(S, TEXT, path, MAY)                                                                     \
	M(S, TEXT, sha256, MUST)                                                                  \
	M(S, TEXT, version, MAY)                                                                  \
	M(S, TEXT, build, MAY)

/* ---- .samples[] ---- */

#define SAMPLE_MEMBERS(M, S)                                                                      \
	M(S, INT, index, MAY)                                                                     \
	M(S, INT, boot, MAY)                                                                      \
	M(S, BOOL, ok, MUST)                                                                      \
	M(S, TEXT, error, MAY)                                                                    \
	M(S, FLAG, lost, MAY)                                                                     \
	M(S, FLAG, repeated, MAY)                                                                 \
	M(S, LIST, tags, MAY)                                                                     \
	M(S, MAP, metrics, MAY)                                                                   \
	M(S, LIST, vms, MAY)                                                                      \
	M(S, LIST, exits, MAY)                                                                    \
	M(S, LIST, ops, MAY)                                                                      \
	M(S, MAP, hists, MAY)                                                                     \
	M(S, LIST, threads, MAY)                                                                  \
	M(S, MAP, bottleneck, MAY)                                                                \
	M(S, MAP, life, MAY)                                                                      \
	M(S, LIST, checks, MAY)                                                                   \
	M(S, MAP, stage_ns, MAY)                                                                  \
	M(S, MAP, placement, MAY)                                                                 \
	M(S, MAP, noise, MAY)

#define VM_MEMBERS(M, S) M(S, MAP, metrics, MUST)

#define OP_MEMBERS(M, S) M(S, TEXT, name, MUST) M(S, LIST, exits, MUST)

#define THREAD_MEMBERS(M, S)                                                                      \
	M(S, INT, tid, MAY)                                                                       \
	M(S, TEXT, name, MAY)                                                                     \
	M(S, TEXT, role, MAY)                                                                     \
	M(S, OR_ZERO, cpu_ns, MAY)                                                                \
	M(S, OR_ZERO, softirq_ns, MAY)                                                            \
	M(S, OR_ZERO, runq_ns, MAY)                                                               \
	M(S, OR_ZERO, switches, MAY)                                                              \
	M(S, OR_NAN, guest_ns, MAY)                                                               \
	M(S, INT, vcpu, MAY)                                                                      \
	M(S, INT, vm, MAY)

#define BOTTLENECK_MEMBERS(M, S)                                                                  \
	M(S, TEXT, role, MAY)                                                                     \
	M(S, TEXT, name, MAY)                                                                     \
	M(S, NUMBER, busy_pct, MAY)                                                               \
	M(S, BOOL, saturated, MAY)

#define LIFE_MEMBERS(M, S)                                                                        \
	M(S, INT, trips, MAY)                                                                     \
	M(S, INT, unclear, MAY)                                                                   \
	M(S, INT, ns, MAY)                                                                        \
	M(S, LIST, steps, MAY)                                                                    \
	M(S, TEXT, missing, MAY)                                                                  \
	M(S, INT, events, MAY)                                                                    \
	M(S, INT, dropped, MAY)

#define STEP_MEMBERS(M, S)                                                                        \
	M(S, TEXT, part, MUST)                                                                    \
	M(S, TEXT, lane, MUST)                                                                    \
	M(S, TEXT, who, MUST)                                                                     \
	M(S, INT, cpu, MUST)                                                                      \
	M(S, TEXT, what, MUST)                                                                    \
	M(S, NUMBER, ns, MUST)                                                                    \
	M(S, NUMBER, at_ns, MUST)                                                                 \
	M(S, FLAG, waits, MAY)

#define STAGES_MEMBERS(M, S)                                                                      \
	M(S, INT, setup, MAY)                                                                     \
	M(S, INT, boot, MAY)                                                                      \
	M(S, INT, job, MAY)                                                                       \
	M(S, INT, off, MAY)                                                                       \
	M(S, INT, end, MAY)                                                                       \
	M(S, INT, overhead, MAY)

#define NOISE_MEMBERS(M, S) M(S, NUMBER, steal_pct, MAY) M(S, INT, jitter_ns, MAY)

/* ---- .summary.METRIC, .exits[], .checks[] ---- */

#define SUMMARY_MEMBERS(M, S)                                                                     \
	M(S, NUMBER, median, MUST)                                                                \
	M(S, OR_NAN, ci_low, MUST)                                                                \
	M(S, OR_NAN, ci_high, MUST)                                                               \
	M(S, INT, n, MUST)                                                                        \
	M(S, TEXT, unit, MAY)

/* What adds up over vCPUs, VMs and samples. */
#define EXIT_SUMS(M, S)                                                                           \
	M(S, NUMBER, count, MUST)                                                                 \
	M(S, OR_ZERO, total_ns, MAY)                                                              \
	M(S, OR_ZERO, guest_ns, MAY)                                                              \
	M(S, OR_ZERO, kvm_fast_ns, MAY)                                                           \
	M(S, OR_ZERO, kvm_ns, MAY)                                                                \
	M(S, OR_ZERO, user_ns, MAY)                                                               \
	M(S, OR_ZERO, wait_ns, MAY)                                                               \
	M(S, OR_ZERO, asleep_ns, MAY)                                                             \
	M(S, OR_ZERO, fast_count, MAY)                                                            \
	M(S, OR_ZERO, user_count, MAY)                                                            \
	M(S, OR_ZERO, untraced, MAY)

#define EXIT_MEMBERS(M, S)                                                                        \
	M(S, TEXT, reason, MUST)                                                                  \
	M(S, INT, code, MAY)                                                                      \
	M(S, TEXT, key, MUST)                                                                     \
	M(S, TEXT, device, MAY)                                                                   \
	EXIT_SUMS(M, S)                                                                           \
	M(S, OR_ZERO, p50_ns, MAY)                                                                \
	M(S, OR_ZERO, p99_ns, MAY)                                                                \
	M(S, BOOL, hlt, MAY)                                                                      \
	M(S, MAP, hist, MAY)

#define CHECK_MEMBERS(M, S) M(S, TEXT, name, MUST) M(S, BOOL, ok, MUST) M(S, TEXT, detail, MAY)

#endif
