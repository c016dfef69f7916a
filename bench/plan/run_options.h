/* SPDX-License-Identifier: MIT */
/*
 * The options of bench run, each written once: X(FIELD, NAME, LETTER, TYPE, ROLES, VALUE, HELP). Included
 * with X defined. Of this list are made struct run_args, the command line with its help and completion, the
 * keys of job files, options{} of a record, the command of bench rerun, and what the bench inside a lab is
 * told. Its order is that of the help text and of every command line that is made.
 */
X(modes, "mode", 'm', STR, 0, "M[,M...]",
  "device paths; see bench list modes")
X(vmms, "vmm", 0, STR, 0, "V[,V...]",
  "VMMs: builtin (default) and those of bench list vmms, NAME:PATH for a build of one; all: that are here; none: mode host")
X(guest, "guest", 'g', STR, 0, "linux|micro",
  "guest (default: the workload's first)")
X(on, "on", 0, STR, RUN_OUTER, "auto|host|lab",
  "substrate (default auto: the host when it can, else the lab)")
X(lab, "lab", 0, STR, RUN_OUTER, "amd|intel|xen",
  "which lab: QEMU with SVM, IOMMU and SR-IOV (default), Bochs with VT-x, always deterministic, or dom0 of Xen")
X(set, "set", 's', LIST, 0, "K=V[,V...]",
  "a knob (bench list knobs) or a key of the job; several values make a matrix")
X(reps, "reps", 'n', COUNT, RUN_OUTER, "N",
  "boots per cell (default 10; in the lab 7; deterministic 2)")
X(quick, "quick", 'q', FLAG, RUN_REPLAY, NULL,
  "a look: three boots per cell and windows of half a second, unless told otherwise; too few for an interval")
X(warmup, "warmup", 0, U64, RUN_REPLAY, "N",
  "boots per cell before those, not counted (default 0)")
X(duration_ns, "duration", 'd', DURATION, RUN_REPLAY, "TIME",
  "length of the window")
X(work, "work", 'w', SIZE, RUN_REPLAY, "N",
  "fixed work instead: bytes, transactions, iterations")
X(tool, "tool", 0, STR, RUN_REPLAY, "engine|iperf3|fio",
  "what makes the load: ours, or Debian's iperf3 (network) or fio (disk)")
X(ipv6, "ipv6", '6', FLAG, RUN_REPLAY, NULL,
  "IPv6 instead of IPv4")
X(topology, "topology", 0, STR, RUN_REPLAY, "local|wire",
  "TAP to the peer, or every mode through the same card (default with sriov)")
X(medium, "medium", 0, STR, RUN_REPLAY, "MEDIUM",
  "what a block workload's disk lies on: null (default: keeps nothing), ram, file, disk (an NVMe controller's, default with "
  "nvme-vf), or the path of a block device or an image")
X(overwrite, "overwrite", 0, FLAG, RUN_REPLAY, NULL,
  "--medium=PATH although something is on it: it is lost")
X(nic, "nic", 0, STR, RUN_REPLAY, "NIC",
  "the card of --topology=wire, which gives the virtual function of mode sriov (default auto)")
X(vf, "vf", 0, STR, RUN_REPLAY, "ADDR",
  "mode sriov: a virtual function that is there already, instead of making one")
X(unsafe_interrupts, "allow-unsafe-interrupts", 0, FLAG, RUN_REPLAY, NULL,
  "modes sriov and nvme-vf also where interrupts are not remapped")
X(peer, "peer", 0, STR, RUN_REPLAY, "ADDR",
  "the other end of the wire is `bench peer` on that machine; see bench peer --help")
X(token, "token", 0, STR, RUN_REPLAY, "FILE",
  "with --peer: what both machines know")
X(kernel, "kernel", 0, STR, RUN_REPLAY, "NAME",
  "guest kernel: default, newer, or a release in the cache")
X(pin, "pin", 0, STR, RUN_REPLAY, "WHERE",
  "auto (default: a core for each vCPU, the rest for the others), none, or CPUs: for vCPUs, I/O, peer")
X(tune, "tune", 0, FLAG, RUN_REPLAY, NULL,
  "governor performance, no turbo, no SMT for as long as it runs; put back afterwards")
X(condition, "condition", 0, STR, RUN_REPLAY, "free|slow|busy|one-core",
  "a machine made worse on purpose: half of the CPU time, one CPU shared with a busy process, or one CPU alone")
X(seed, "seed", 0, COUNT, RUN_OUTER, "N",
  "of the order of boots (default: the clock)")
X(no_probes, "no-probes", 0, FLAG, RUN_REPLAY, NULL,
  "attach no eBPF: throughput and latency only")
X(overhead, "overhead", 0, FLAG, RUN_OUTER, NULL,
  "what observing costs: nobody, the probes, trace-cmd and perf kvm stat, interleaved")
X(timeout_ns, "timeout", 't', DURATION, RUN_OUTER | RUN_REPLAY, "TIME",
  "of the whole plan in the lab")
X(store, "store", 0, STR, RUN_OUTER, "DIR",
  "where records are kept")
X(deterministic, "deterministic", 0, FLAG, RUN_OUTER, NULL,
  "in a lab under instruction counting: equal to the last digit")
X(dry_run, "dry-run", 0, FLAG, RUN_OUTER, NULL,
  "show the plan and stop")
X(json, "json", 'j', FLAG, RUN_OUTER, NULL,
  "the record alone on stdout")
