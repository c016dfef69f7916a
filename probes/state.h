/* SPDX-License-Identifier: MIT */
/*
 * What the BPF programs and the code that reads them share: plain data in mmap'able maps, no system call
 * per read.
 *
 *   hot.vcpu[slot]   one per vCPU, written only by the thread that runs it: no atomics, no locks
 *   row_numbers      (slot, reason, key) gives the number of a row
 *   rows[row]        one per (vCPU, reason, key): counts, times, histogram
 *
 * An exit touches two pages of this, the first of `hot` and the first of its row: a world switch leaves the
 * TLB cold (always so in nested and emulated machines), so the pages touched are most of what a probe costs
 * there.
 *
 * Rows come from one pool. The last ROWS_RESERVED that vCPUs may have are kept for (reason, KEY_OTHER), and
 * behind those ROWS_SHARED for rows that all vCPUs share, one for each reason: a guest that touches
 * thousands of addresses loses the addresses, a crowd of vCPUs loses which of them it was, never the counts.
 * When room gets short, what vCPUs that have ended hold is added to the rows of nobody, and their slots and
 * rows are given to new ones (recycle.h).
 */
#ifndef PROBES_STATE_H
#define PROBES_STATE_H

#include <linux/types.h>
#include "base/hist.h"

#define PROBE_VCPUS   1024 /* at once */
#define PROBE_THREADS 4096 /* at once, of those whose CPU time is counted */
#define CPU_SLOTS     512
#define TID_SLOTS     512
#define ROWS_DEFAULT  1280
#define RECENT_BITS   3
#define RECENT_ROWS   (1 << RECENT_BITS)
#define ROWS_RESERVED 128
#define ROWS_SHARED   256 /* more than there are reasons */
#define WINDOW_LAPS   64  /* a power of two */

/*
 * Numbers that are handed back: userspace puts them in, the programs take them out, and what a number stands
 * for is all zeroes by then. Larger than what can be handed back, so it never runs over.
 */
#define FREE_NUMBERS 2048
struct free_numbers {
	__u32 put, taken; /* so many in all, ever */
	__u16 number[FREE_NUMBERS];
};

/* Back ends; the order is that of backend_name(). */
enum probe_backend {
	BACKEND_SVM,
	BACKEND_VMX,
	BACKEND_OTHER, /* emits no kvm_exit: rows are KVM_RUN's exits to userspace */
};

#define HFLAGS_NONE (~0u)

/* These stand for addresses of the kernel's variables in a program that is not loaded yet. */
#define SVM_DATA_PLACE	    0x5f6d76735f65786cll
#define PREEMPT_COUNT_PLACE 0x5f6d7670745f786cll

#define REASON_NONE 0xfffffffeu /* of a vCPU that has not left the guest yet */

/*
 * Marks the exits of a guest's own guest. No processor's number has 01 as its highest bits: AMD's own end in
 * 0x403, software's begin at 0x80000000 and the host's at 0xf0000000.
 */
#define REASON_NESTED       (1u << 30)
#define REASON_IS_NESTED(r) ((r) >> 30 == 1)
#define REASON_PLAIN(r)     (REASON_IS_NESTED(r) ? (r) & ~REASON_NESTED : (r))

/* A key is what the reason makes of it (keys.h); these hold for every reason. */
#define KEY_NONE   0ull
#define KEY_OTHER  (~0ull)      /* too many keys */
#define KEY_IN     (1ull << 16) /* I/O: bits 0-15 the port */
#define KEY_WRITE  (1ull << 32) /* MSR: bits 0-31 the register; APIC: 0-11 */
#define KEY_XEN    (1ull << 62) /* a hypercall of Xen's: bits 0-15 its number, 16-31 its first argument */
#define KEY_SOME   (1ull << 33) /* what is keyed may be number 0: CR, DR, APIC's register */

/*
 * Where a vCPU is. WAS_OFF comes beside it when its thread has been off the CPU there: an exit then does not
 * find what it asks for, and only such an exit pays for taking its time apart.
 */
enum vcpu_where { AT_UNKNOWN, IN_GUEST, IN_EXIT, WAS_OFF = 4 };

struct exit_slot {
	__u64 key;
	__u32 reason;
	__u32 row; /* row number + 1; 0: free */
};

struct vcpu_state {
	__u64 vcpu;    /* struct kvm_vcpu, 0 when the thread has ended */
	__u64 vmcb;    /* SVM: its control block, as long as hflags stays the same */
	__u64 gpa;     /* SVM: EXITINFO2 of the last nested page fault */
	__u32 tid, tgid;
	__s32 vcpu_id;
	__u32 where;
	__u64 exit_ns, user_ns, entry_ns; /* last of each; user_ns 0: this exit has not gone to userspace */
	__u64 guest_ns;                   /* length of the last stay in the guest, 0 when not known */
	__u64 last_tsc;                   /* vcpu->arch.last_guest_tsc at the last entry */
	__u64 key;
	__u32 reason;
	__u32 take_user; /* the next userspace exit counts (1) or does not (2), whatever the gate says */
	__u32 cached_cpu; /* the one CPU whose cpu_slot may be this one */
	__u32 slot;      /* own number */
	__u32 hflags;    /* KVM's, or HFLAGS_NONE: vmcb is not known yet */
	__u32 ended_tid; /* tid of a thread that has ended, when tid is 0 */
	__u64 kick_ns;   /* the last eventfd signalled by this vCPU */
	__u64 end_ns;       /* 0, or when it or its thread ended inside an exit */
	__u64 off_from_ns;  /* its thread is off the CPU since; 0: on one, or of no interest */
	__u64 off_ns;       /* was off for so long, not yet taken apart */
	__u64 delay_before; /* the thread's run_delay when that began */
	__u64 wait_ns, asleep_ns; /* this exit's so far */
	__u64 user_off_ns;        /* of both together: after user_ns */
	struct exit_slot recent[RECENT_ROWS]; /* a guest's exits take turns among a few */
	/* totals */
	__u64 exits;     /* seen by kvm_exit, or userspace exits where there is none */
	__u64 untraced;  /* fast-path exits that this kernel does not trace */
	__u64 user_exits;
	__u64 user_mmio;
	__u64 guest_total_ns;
	__u32 tdx;       /* its registers are hidden, but those that it hands over */
	__u32 serial;    /* of this vCPU, from 1 on: no other one's, as its slot may be */
};

struct hot_state {
	__u32 gate;  /* counting now: 1, which is IN_GUEST as well */
	__u32 flags; /* HOT_* */
	__u16 cpu_slot[CPU_SLOTS]; /* the slot of the vCPU whose thread is on this CPU; 0 is never a vCPU */
	/* The slot of the last thread found with these low bits of its number; 0: there never was one. */
	__u16 tid_slot[TID_SLOTS];
	struct vcpu_state vcpu[PROBE_VCPUS];
};

#define HOT_RIP    1 /* the key is the guest's instruction pointer */
#define HOT_TRACE  2 /* every exit goes to the ring */
#define HOT_MARKER 4 /* the guest's marker writes open and close the gate */
#define HOT_BOOT   8 /* it is open from the start, and MARKER_BOOTED closes it for good */
#define HOT_PAIRS  16 /* which exits follow which */

/*
 * The slots are turned so that the one for 512 ns comes first: the counters and the slots of 0.5 to 100 us,
 * where nearly every exit lands, then share a page.
 */
#define ROW_FIRST_SLOT  256
#define ROW_SLOT(slot)                                                                                       \
	((slot) >= ROW_FIRST_SLOT ? (slot)-ROW_FIRST_SLOT : (slot) + HIST_SLOTS - ROW_FIRST_SLOT)

/* count, sum, min and max are those of the whole time from exit to entry. */
struct exit_row {
	__u64 key;
	__u32 reason;
	__u16 vcpu;        /* slot */
	__u16 shift;       /* so many low bits of the last time counted do not choose its slot */
	__u64 untraced;    /* entries without an exit before them: no time known, not in count */
	__u64 fast_count, fast_ns;
	__u64 user_count, user_ns;
	__u64 guest_ns;
	__u64 wait_ns, asleep_ns; /* not in user_ns, nor in what is left for KVM */
	__u64 count, sum, min, max;
	__u64 slots[HIST_SLOTS];
} __attribute__((aligned(4096)));

/* What a row is found by. Slot 0 is nobody's: the rows that all vCPUs share. */
struct row_id {
	__u32 slot, reason;
	__u64 key;
};

/* Two exits of one vCPU, one after the other. */
#define PROBE_PAIRS 4096
struct pair_id {
	__u64 first_key, then_key;
	__u32 first, then; /* reasons */
};
struct pair_sum {
	__u64 count, guest_ns; /* in the guest between the two */
};
struct last_exit {
	__u64 key;
	__u32 reason, serial; /* serial: of the vCPU; 0: none, or another exit came between */
};

/* The measured window. All times CLOCK_MONOTONIC. */
struct window_state {
	__u32 opened, closed;
	__u64 open_ns, close_ns; /* first opening, last closing */
	__u64 total_ns;          /* sum of the closed windows */
	__u64 last_open_ns;
	__u64 lost;              /* exits of vCPUs beyond PROBE_VCPUS, or without any row */
	__u32 laps;              /* edges that the guest has marked; those beyond WINDOW_LAPS are lost */
	__u64 lap[WINDOW_LAPS];  /* at each: the exits so far of the vCPU that marked it, its own included */
};

/* A histogram of the other probes, in the order of base/hist.h. */
struct plain_hist {
	__u64 count, sum, min, max;
	__u64 slots[HIST_SLOTS];
};

/* Notifications: counted over all vCPUs, with atomics; none of these is per exit. */
struct notify_state {
	__u64 kicks_ioeventfd; /* eventfds signalled by a vCPU inside an exit */
	__u64 kick_wakeups;    /* of those: woke the thread that serves */
	/* raised for this VM: by its threads, its vhost workers, or the kernel for it */
	__u64 msi, set_irq;
	/* raised while another process ran (interrupt context): for which VM is not known */
	__u64 unattributed;
	__u64 accepted, injected, eoi, pv_eoi, ipi;
	__u64 halt_polls_ok, halt_poll_ok_ns; /* wake-ups found by polling */
	__u64 wakeups, block_ns;              /* wake-ups after sleeping */
	__u64 timer_waits;
	struct plain_hist kick_to_service, raise_to_injection;
};

/* What a Xen back end in the VMM did with pages of its guest. */
struct grant_state {
	__u64 maps, copies;
};

/* One thread that serves the VM. */
struct thread_state {
	__u64 cpu_ns, runq_ns;
	__u64 softirq_ns; /* part of cpu_ns */
	__u64 on_ns;      /* on a CPU since; 0: not */
	__u64 last_delay; /* sched_info.run_delay last seen */
	__u64 last_sum;   /* se.sum_exec_runtime at the last switch off a CPU */
	__u64 switches;
	__u32 tgid, kernel;
	char comm[16];
};

enum mmu_count {
	MMU_FAULT, MMU_FAULT_NOT_PRESENT, MMU_FAULT_WRITE_PROTECTED, MMU_FAULT_EXEC, MMU_FAULT_MMIO,
	MMU_FAULT_FAST, MMU_MAP_4K, MMU_MAP_2M, MMU_MAP_1G, MMU_PAGE_ALLOC, MMU_PAGE_ZAP, MMU_SYNC,
	MMU_UNSYNC, MMU_SPLIT, MMU_ZAP_ALL,
	MMU_ASYNC_PF, MMU_DIRTY_RING, MMU_UNMAP_RANGE, MMU_COUNTS
};

/* One exit for --trace and `bench life`. */
struct exit_event {
	__u64 exit_ns, user_ns, entry_ns, key;
	__u64 guest_ns; /* in the guest before, 0: not known */
	__u32 vcpu, reason;
	__u32 cpu, tid; /* at the entry */
};

/* What else happens on the way of a packet: steps.bpf.c. What arg is stands beside each. */
enum step_kind {
	STEP_SWITCH,      /* tid leaves the CPU; the thread that gets it */
	STEP_WAKE,        /* the thread that is woken */
	STEP_SIGNAL,      /* an eventfd: a kick, or an interrupt on its way to KVM; 1: by an interrupt */
	STEP_SYSCALL,     /* its number */
	STEP_SYSRET,      /* the same */
	STEP_XMIT,        /* a frame is given to a device of the peer's namespace; its length */
	STEP_RECV,        /* a frame comes up from one; its length */
	STEP_COPY,        /* a frame's bytes are copied to where they were waited for; their number */
	STEP_SOFTIRQ,     /* which one */
	STEP_SOFTIRQ_END,
	STEP_IRQ,         /* the first 8 bytes of its name */
	STEP_IRQ_END,
	STEP_RAISE,       /* in a virtual local APIC; STEP_IRQ_OF its vCPU and vector */
	STEP_INJECT,      /* the same */
	STEP_EOI,
};

#define STEP_IRQ_OF(vcpu, vector) ((__u64)(vcpu) << 8 | (vector))
#define STEP_VECTOR(arg)	  ((unsigned)((arg) & 0xff))
#define STEP_VCPU(arg)		  ((unsigned)((arg) >> 8))

struct step_event {
	__u64 ns, arg;
	__u32 tid; /* of the thread that runs, or below the interrupt that does; 0: idle */
	__u16 cpu, kind;
};

#endif
