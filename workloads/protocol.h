/* SPDX-License-Identifier: MIT */
/*
 * The contract between a guest and whoever measures it. Two parts:
 *
 * 1. The marker port. The guest writes one byte to a PIO port that no PC device uses; every VMM answers
 *    it with an exit to userspace and ignores it. The BPF probes see the write in the kvm_pio
 *    tracepoint, our VMM sees the exit. One byte, because /dev/port writes bytes; an I/O permission
 *    bitmap would allow more, but QEMU's emulation of a nested guest refuses it (it wants an idle TSS
 *    where VMRUN loads a busy one).
 *
 *        bits 7..4  MARKER_MAGIC
 *        bits 3..0  enum marker_op
 *
 * 2. The agent's line protocol on the second serial port (ttyS1; a micro guest writes to COM2):
 *
 *        exitlab hello PROTOCOL KERNEL     the agent runs; sent once, right after MARKER_BOOTED
 *        exitlab ready                     link up, peer reachable; the workload starts
 *        exitlab metric NAME VALUE         a number of the closed window (design names, unit in the name)
 *        exitlab hist NAME COUNT SUM MIN MAX SLOT:N,SLOT:N,...    a base/hist.h histogram
 *        exitlab region mmio|pio BASE LEN DEVICE
 *                                          where a device's registers are (hexadecimal), for a VMM that says
 *                                          nothing of it; DEVICE as virtio-net0, or virtio-net0-mmio where
 *                                          the registers are those of virtio-mmio
 *        exitlab note TEXT                 for the log
 *        exitlab fail TEXT                 the sample is void, and why
 *        exitlab done                      all said; the guest powers off next
 *
 *    A NAME is a letter and then letters, digits, '_' and '.', all small: [a-z][a-z0-9_.]*.
 *    Lines that do not begin with "exitlab " are not the agent's and are kept in the console log only.
 *
 * The job goes the other way: one line "key=value key=value ..." in the initramfs file /exitlab.job (micro
 * guest: its command line). Keys are those of struct workload_job's table in workloads/job.h.
 */
#ifndef WORKLOADS_PROTOCOL_H
#define WORKLOADS_PROTOCOL_H

#define PROTOCOL_VERSION 1

#define MARKER_PORT  0x0e10
#define MARKER_MAGIC 0xeu

enum marker_op {
	MARKER_BOOTED = 1, /* first act of the agent (or of the micro guest's ring-0 entry) */
	MARKER_OPEN = 2,   /* window opens: count from here */
	MARKER_CLOSE = 3,  /* window closes */
	/*
	 * An edge of a part of the window: two per part, before and behind it. Of each part the agent says
	 * "metric ops.NAME N", how many operations it was, in the order of the parts.
	 */
	MARKER_LAP = 4,
};

#define MARKER_VALUE(op) (MARKER_MAGIC << 4 | (op))

#endif
