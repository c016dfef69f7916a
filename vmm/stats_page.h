/* SPDX-License-Identifier: MIT */
/*
 * The VMM's statistics page: shared memory (a memfd given with --stats fd=N) that the VMM writes and anyone
 * may read at any time; sealed, where it is a memfd, so that whoever holds it cannot cut it under the VMM.
 * One writer per counter, plain aligned 64-bit stores, so a reader never sees a torn value; there is no
 * lock. Counters only grow; snapshots at the window's edges are taken by the VMM itself (struct
 * stats_window) when it sees the marker write, so that a reader needs no timing of its own.
 */
#ifndef VMM_STATS_PAGE_H
#define VMM_STATS_PAGE_H

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define STATS_MAGIC   0x4c54584545475053ull
#define STATS_VERSION 2
#define STATS_VCPUS   8
#define STATS_QUEUES  64 /* queue slots over all devices */
#define STATS_REGIONS 64 /* named address ranges */
#define STATS_BATCH   16 /* log2 buckets */
#define STATS_NAME    32

/* Userspace exits by KVM exit reason; index is KVM_EXIT_*, larger ones land in the last slot. */
#define STATS_REASONS 48

struct stats_vcpu {
	uint64_t exits[STATS_REASONS];      /* returns of KVM_RUN */
	uint64_t handler_ns[STATS_REASONS]; /* time from return to the next KVM_RUN */
	int32_t tid, pad;
};

struct stats_queue {
	char name[STATS_NAME];   /* "virtio-net0 txq0" */
	uint64_t kicks;          /* notifications received (eventfd reads count what they held) */
	uint64_t spurious_kicks; /* found nothing to do */
	uint64_t interrupts;     /* raised */
	uint64_t suppressed;     /* not raised because the guest did not ask */
	uint64_t descs;          /* buffers completed */
	uint64_t bytes;
	uint64_t stops;          /* ran out of buffers, or peer full */
	uint64_t bad;            /* malformed rings or descriptors */
	uint64_t batch[STATS_BATCH]; /* buffers per service run, log2 buckets */
	/* Of a disk's queue; descs are its requests. */
	uint64_t flushes;
	uint64_t errors;        /* requests that failed */
	uint64_t host_requests; /* what the host's kernel was asked for */
	uint64_t depth_sum;     /* over all requests: those in flight when it came, itself included */
};

/* A BAR, a register or a port with a name: what a probe shows instead of an address. Narrower entries win. */
struct stats_region {
	char name[STATS_NAME]; /* "e1000 TDT", "virtio-net0 txq0 kick", "COM1" */
	uint64_t base, len;    /* current address; changes when the guest moves a BAR; len 0 = unmapped */
	uint32_t is_pio, pad;
};

struct stats_counters {
	struct stats_vcpu vcpu[STATS_VCPUS];
	struct stats_queue queue[STATS_QUEUES];
};

struct stats_page {
	uint64_t magic;
	uint32_t version, size;
	uint32_t n_vcpus, n_queues, n_regions, pad;
	uint64_t start_ns;  /* CLOCK_MONOTONIC of main() */
	uint64_t run_ns;    /* of the first KVM_RUN */
	uint64_t booted_ns; /* of MARKER_BOOTED, 0 before */
	uint64_t open_ns, close_ns;
	struct stats_region region[STATS_REGIONS];
	struct stats_counters now;      /* live */
	struct stats_counters at_open;  /* copies taken at the marker writes */
	struct stats_counters at_close;
	/*
	 * KVM's own binary statistics as text "name value\n" (VM, then "vcpuN/name value"), read at the
	 * same moments.
	 */
	char kvm_open[32768], kvm_close[32768], kvm_exit[32768];
	uint64_t closed_ns; /* all of the close is read; the other vCPUs ran on until then */
};

/*
 * A copy of the first len bytes, for a reader who does not trust the writer: the file may be cut or change at
 * any time, and holds what its owner likes. Counts are within their arrays, texts and names end. 0 or
 * -EBADMSG.
 */
static inline int stats_page_copy(int fd, struct stats_page *out, size_t len)
{
	memset(out, 0, sizeof(*out));
	if (pread(fd, out, len, 0) != (ssize_t)len || out->magic != STATS_MAGIC ||
	    out->version != STATS_VERSION)
		return -EBADMSG;
	if (out->n_vcpus > STATS_VCPUS)
		out->n_vcpus = STATS_VCPUS;
	if (out->n_queues > STATS_QUEUES)
		out->n_queues = STATS_QUEUES;
	if (out->n_regions > STATS_REGIONS)
		out->n_regions = STATS_REGIONS;
	for (uint32_t i = 0; i < STATS_REGIONS; i++)
		out->region[i].name[STATS_NAME - 1] = '\0';
	out->kvm_open[sizeof(out->kvm_open) - 1] = '\0';
	out->kvm_close[sizeof(out->kvm_close) - 1] = '\0';
	out->kvm_exit[sizeof(out->kvm_exit) - 1] = '\0';
	return 0;
}

#endif
