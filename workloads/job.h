/* SPDX-License-Identifier: MIT */
/*
 * The job: one line "key=value key=value ..." that the runner writes and a guest (or the host's own
 * agent and peer) reads. One table (job_keys, job.c) gives the parser, the writer, the defaults and
 * the documentation of the keys.
 *
 * job.c needs nothing but <string.h>'s functions, so the freestanding micro guest compiles it too.
 * Durations are written in nanoseconds and sizes in bytes; a value holds no blanks.
 */
#ifndef WORKLOADS_JOB_H
#define WORKLOADS_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOB_LINE_MAX 2048

/* As the guest sees it: tx leaves the guest, rx enters it. */
enum job_direction { JOB_TX, JOB_RX, JOB_BOTH };
enum job_tool { JOB_ENGINE, JOB_IPERF3, JOB_FIO };
/*
 * How much of the payload the receiver compares; the block headers are always checked except with
 * OFF.
 */
enum job_verify { JOB_VERIFY_OFF, JOB_VERIFY_SAMPLE, JOB_VERIFY_FULL };

struct workload_job {
	char workload[24];
	char op[64]; /* comma list for workloads that consist of several */
	uint64_t duration_ns, warmup_ns;
	uint64_t work; /* > 0: fixed work (bytes, transactions, iterations) instead of a duration */
	uint64_t seed;
	/* Network. */
	char ifname[16];   /* "" takes the first Ethernet interface */
	char addr[48];	   /* own address with prefix length, "10.77.0.2/24" or "fd77::2/64" */
	char peer[48];	   /* the other side, without prefix length */
	uint64_t port;	   /* control and data connections; iperf3 uses the next one */
	uint64_t mtu;	   /* 0: leave it */
	bool tso;	   /* off: the guest's stack hands over frames, not large segments */
	bool throttle;	   /* off: the interface's interrupts are not put off */
	int direction;	   /* enum job_direction */
	int tool;	   /* enum job_tool */
	int verify;	   /* enum job_verify */
	uint64_t msg_size; /* bytes per write, request or datagram; 0: the workload's own default */
	uint64_t streams;
	uint64_t rate;	   /* transactions or packets per second; 0: closed loop, or search */
	uint64_t loss_ppm; /* net-pps: loss that still counts as none */
	uint64_t rounds;   /* net-rebind */
	bool flood;	   /* net-pps: as fast as it goes, no search */
	/* Block. */
	char disk[64];	    /* without a VM; "" takes the first disk */
	uint64_t depth;	    /* requests in flight; 0: the workload's own default */
	uint64_t write_pct; /* of 100 requests so many write */
	uint64_t area;	    /* bytes of the disk in use; 0: all */
	/* CPU and memory workloads. */
	uint64_t mem_bytes; /* working set */
	uint64_t period_ns; /* timer */
	bool start_together; /* wait for the runner after ready: several guests start at once */
	bool corrupt;	    /* self-test: the sender flips one byte, the sample must fail */
};

enum job_type { JOB_STR, JOB_U64, JOB_BOOL, JOB_WORD };

struct job_key {
	const char *name;
	enum job_type type;
	size_t offset, size;
	const char *def;	  /* default as text */
	const char *const *words; /* JOB_WORD: NULL-terminated, the index is stored */
	const char *help;
};

/* Ends with a NULL name. */
extern const struct job_key job_keys[];
const struct job_key *job_key_find(const char *name);

void job_defaults(struct workload_job *job);
/* 0, -EINVAL (unknown key or bad value) or -ERANGE (too long). */
int job_set(struct workload_job *job, const char *key, const char *value);
/* The same for people: "8M", "250ms" (job_text.c; not for the micro guest). */
int job_set_text(struct workload_job *job, const char *key, const char *value);
/* Of a workload that consists of several parts: op is empty or names this one. */
bool job_wants(const struct workload_job *job, const char *part);
/*
 * Defaults, then every key of the line. On error bad (if not NULL, 64 bytes) holds the offending
 * word. Words without '=' are errors; blanks and a final newline separate.
 */
int job_parse(struct workload_job *job, const char *line, char *bad);
/* Every key that differs from its default, workload first, no newline. Length, or -ERANGE when it
 * does not fit. */
int job_write(const struct workload_job *job, char *buf, size_t size);

#endif
