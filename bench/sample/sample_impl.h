/* SPDX-License-Identifier: MIT */
/*
 * What the files of a sample share: one boot, from its wire (sample_setup.c) over its processes
 * (sample_start.c) and its conversation with the agent (sample_talk.c) to its metrics (sample.c).
 */
#ifndef BENCH_SAMPLE_SAMPLE_IMPL_H
#define BENCH_SAMPLE_SAMPLE_IMPL_H

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/proc.h"
#include "base/strbuf.h"
#include "bench/host/kvm_params.h"
#include "bench/host/pin.h"
#include "bench/host/peer_link.h"
#include "bench/modes/path.h"
#include "bench/sample/observer.h"
#include "bench/sample/sample.h"
#include "probes/probes.h"
#include "vmm/stats_page.h"

/* STAGE_SETUP: wire, image, probes; STAGE_END: the undoing. */
enum stage { STAGE_SETUP, STAGE_BOOT, STAGE_JOB, STAGE_OFF, STAGE_END, STAGES };

/*
 * What one sample may take, whatever its agent says and its guest writes: the guest is what is measured,
 * not what decides how long. Beyond any of it the sample has failed.
 */
struct talk_limits {
	uint64_t boot_ns;  /* to the agent's first word */
	/* for the job, beyond its own duration; again for each note, as many as its rounds */
	uint64_t slack_ns;
	uint64_t off_ns;   /* from its last word to the power-off */
	size_t bytes;      /* that the agent says */
	size_t line_bytes; /* a line of it */
	size_t names;      /* of metrics, and of histograms */
	uint64_t log_bytes; /* a log, the guest's console among them */
};
extern const struct talk_limits talk_limits;

/* Everything that the boot of one VM holds; boot_free undoes it in reverse. A sample of vms=N has N. */
struct vm_boot {
	const struct sample_want *want;
	unsigned vm;
	const struct vm_boot *first; /* VM 0, whose real wire the others share; NULL: this is it */
	char *log_dir;             /* of this VM */
	const struct cell *cell;
	struct workload_job job;
	struct pin pin;
	struct kvm_params kvm_params;
	struct device_path path;
	struct proc vmm, peer;
	struct peer_token token; /* for a peer on another machine */
	int remote_fd;           /* the session with it */
	struct observer observer;
	struct probes *probes;
	struct stats_page *stats;  /* a copy, taken at the end */
	int stats_fd, agent_fd[2]; /* [0] ours, [1] the VMM's */
	char *image;
	const struct talk_limits *limits;
	struct strbuf line;        /* unfinished line of the agent */
	size_t said;               /* bytes of the agent */
	FILE *agent_log;
	json_t *metrics, *hists, *probe_data, *placement;
	enum stage stage;
	uint64_t stage_ns[STAGES]; /* when it began; 0: not reached */
	uint64_t boot_ns, deadline_ns;
	uint64_t job_end_ns;       /* that no note puts off */
	uint64_t logs_ns;          /* when the logs were looked at */
	bool ready, open, done, over; /* the agent is; its line is; it has said all; the VMM has ended */
	char *error;
};

/* It has a card or a disk, with threads of its own. */
static inline bool boot_has_device(const struct vm_boot *b)
{
	return b->cell->mode->kind != MODE_NONE;
}

static inline bool boot_has_net(const struct vm_boot *b)
{
	return cell_has_net(b->cell);
}

/* Mode host: the agent runs on this machine itself. */
static inline bool boot_no_vm(const struct vm_boot *b)
{
	return !b->cell->vmm;
}

static inline bool boot_is_micro(const struct vm_boot *b)
{
	return !strcmp(b->cell->guest, "micro");
}

/* The guest has a function of a card of this host. */
static inline bool boot_is_vfio(const struct vm_boot *b)
{
	return b->cell->mode->front == FRONT_VFIO;
}

/* Why the sample is void: the first reason is kept. Returns err. */
int boot_fail(struct vm_boot *b, int err, const char *fmt, ...) PRINTF(3, 4);

/* Every step: 0, or -errno after boot_fail. In this order. */
int boot_make_path(struct vm_boot *b);
int boot_make_job(struct vm_boot *b);
int boot_make_image(struct vm_boot *b);
int boot_start_peer(struct vm_boot *b);
int boot_serve_path(struct vm_boot *b);
/* The VMM, or in mode host the agent. */
int boot_start(struct vm_boot *b);
/* Every thread to its CPU: once the vCPUs run, and again when the driver has started the queues. */
void boot_pin(struct vm_boot *b);
/* With all VMs, to their power-off, the first failure, a time-out or Ctrl-C. */
int boot_converse(struct vm_boot *boots, unsigned n);

extern volatile sig_atomic_t sample_interrupted;

#endif
