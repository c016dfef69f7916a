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
#include "bench/sample/starter.h"
#include "probes/probes.h"
#include "vmm/stats_page.h"

/* STAGE_SETUP: wire, image, probes; STAGE_END: the undoing. */
enum stage { STAGE_SETUP, STAGE_BOOT, STAGE_JOB, STAGE_OFF, STAGE_END, STAGES };

/*
 * What one sample may take, whatever its agent says and its guest writes: a guest is measured and does not
 * decide how long that takes. A sample that goes beyond one of these limits has failed.
 */
struct talk_limits {
	uint64_t boot_ns;  /* from power-on to the agent's first word */
	/* beyond the job's own duration; each note grants it anew, as many of them as the job has rounds */
	uint64_t slack_ns;
	uint64_t off_ns;   /* from the agent's last word to the power-off */
	size_t bytes;      /* what the agent may say in all */
	size_t line_bytes; /* the longest line of the agent */
	size_t names;      /* of metrics, and as many of histograms */
	uint64_t log_bytes; /* of each log file; the guest's console is one */
};
extern const struct talk_limits talk_limits;

/* Everything that the boot of one VM holds; boot_free undoes it in reverse. A sample of vms=N has N. */
struct vm_boot {
	const struct sample_want *want;
	unsigned vm;
	const struct vm_boot *first; /* VM 0, whose real wire the others share; NULL in VM 0 itself */
	char *log_dir;             /* holds the logs of this VM */
	const struct cell *cell;
	struct workload_job job;
	struct pin pin;
	struct kvm_params kvm_params;
	struct device_path path;
	struct proc vmm, peer;
	struct starter starter; /* when vmm is a program that has made the VMM */
	struct peer_token token; /* for a peer on another machine */
	int remote_fd;           /* the session with a peer on another machine; -1: none */
	struct observer observer;
	struct probes *probes;
	char *trace; /* where a hypervisor that is not KVM is to record what it does; NULL */
	struct stats_page *stats;  /* a copy of the VMM's page, taken at the end */
	int stats_fd, agent_fd[2]; /* agent_fd[0] is our end, [1] the VMM's */
	char *image;
	const struct talk_limits *limits;
	struct strbuf line;        /* what the agent said since its last new line */
	size_t said;               /* bytes that the agent has said */
	FILE *agent_log;
	json_t *metrics, *hists, *probe_data, *placement;
	enum stage stage;
	uint64_t stage_ns[STAGES]; /* when each stage began; 0: not reached */
	uint64_t boot_ns, deadline_ns;
	uint64_t job_end_ns;       /* the deadline of the job, which notes do not put off */
	uint64_t logs_ns;          /* when the sizes of the logs were last checked */
	uint64_t commands[2];      /* that the kernel's target had before the window and behind it */
	unsigned n_commands;       /* of these two, that are known */
	bool ready; /* the agent has said that its device and its peer are there */
	bool open;  /* the agent can still be heard */
	bool done;  /* the agent has said all that it has to say */
	bool over;  /* the VMM has ended */
	char *error;
};

/* The cell has a card or a disk, which threads of the VMM or the host serve. */
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

/* The process that runs the guest. */
static inline pid_t boot_vmm_pid(const struct vm_boot *b)
{
	if (b->starter.pid)
		return b->starter.pid;
	return b->vmm.pid;
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
/* Starts the VMM, or in mode host the agent. */
int boot_start(struct vm_boot *b);
/* Moves every thread to its CPU: once the vCPUs run, and again when the driver has started the queues. */
void boot_pin(struct vm_boot *b);
/* Talks with all VMs until they power off, one fails, a time-out passes or Ctrl-C is pressed. */
int boot_converse(struct vm_boot *boots, unsigned n);

extern volatile sig_atomic_t sample_interrupted;

#endif
