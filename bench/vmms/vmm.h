/* SPDX-License-Identifier: MIT */
/*
 * A VMM under test. An adapter turns what a sample wants into a command line; everything else (image,
 * marker window, probes, traffic) is the same for all. A new VMM: one file NAME.c and one row in rows.h.
 */
#ifndef BENCH_VMMS_VMM_H
#define BENCH_VMMS_VMM_H

#include "base/strbuf.h"
#include "base/strlist.h"
#include "bench/modes/path.h"

struct vmm_want {
	const char *program;     /* what the adapter said */
	bool micro;              /* the guest is the micro guest: kernel only */
	const char *kernel;      /* directory of the unpacked kernel, or the micro guest's image */
	const char *initrd, *cmdline;
	unsigned cpus;
	uint64_t mem_bytes;
	const struct device_path *path; /* as its mode has made it */
	const struct knobs *knobs;
	bool unsafe_interrupts;
	const char *console_path;
	const char *log_dir;     /* for files that the VMM reads; NULL: only asked whether it could */
	int agent_fd;            /* one end of a socket pair */
	int stats_fd;            /* builtin: the statistics page */
	const char *trace;       /* a file for what its hypervisor records of it (traces below), or NULL */
	const char *variant;     /* "accel=tcg" of --vmm=qemu:accel=tcg, or "" */
};

/* How a VMM calls one of our switches of the device. */
struct knob_spelling {
	const char *knob;
	const char *name; /* a property with the same values; NULL: the adapter says it in its own way */
};

/* Where the guest's agent speaks to us. */
enum agent_channel {
	AGENT_PORT, /* the guest's second serial port: want->agent_fd, which the command line names */
	/*
	 * The VMM has one port, which is its standard input and output: the agent speaks over the console,
	 * and what does not begin as its lines do is the kernel's or the VMM's.
	 */
	AGENT_STDIO,
	/* The same of one that wants them to be a terminal. */
	AGENT_TTY,
};

/* The agent has the console's port. */
static inline bool agent_is_on_console(enum agent_channel channel)
{
	return channel == AGENT_STDIO || channel == AGENT_TTY;
}

/*
 * A program that makes the VMM and answers for it, told by its standard input: virsh. It is process 1
 * of namespaces of its own, which end with it and with all that it has started, and has the sample's
 * directory of logs as /mnt. The VMM's second serial port is a socket that it connects to,
 * STARTER_AGENT in the program's directory there.
 */
struct vmm_starter {
	const char *dir;   /* below the directory of logs; gone when the sample is over */
	const char *make;  /* what it is told, so that there is a VMM which waits */
	const char *go;    /* ... so that it waits no longer */
	const char *wrong; /* a line of it that begins so says why there will be none */
};
#define STARTER_MNT   "/mnt"
#define STARTER_AGENT "agent"

/* Of programs that no release of Debian has. */
#define VMM_GET(env, name) "build it, and say where it is: $" env " or --vmm=" name ":PATH"

/* Kernel parameters for the agent, as process 1: only a reset ends this VMM; it has one port. */
#define VMM_RESET "exitlab_end=reset"
#define VMM_ONE_PORT "exitlab_port=console"
/* Nobody but the guest says where its devices have their registers. */
#define VMM_GUEST_NAMES "exitlab_names=guest"

struct vmm_adapter {
	const char *name, *summary;
	bool ours; /* built here: it has our statistics page and our version */
	enum agent_channel channel;
	const struct vmm_starter *starter; /* NULL: what is started is the VMM */
	const char *vcpu_thread; /* a vCPU's thread is named so, with its number behind it */
	unsigned guests;  /* enum workload_guest; 0: all */
	unsigned needs;   /* of the machine (enum workload_need), beside KVM */
	/* Its hypervisor is not KVM, and records what it does; probes/xen_trace.h reads that. */
	bool traces;
	/* What the Linux guest's kernel is told, beside what all are; NULL: nothing. */
	const char *cmdline;
	/* It opens the TAP by its name (wire.tap), in the network namespace that it is started in. */
	bool opens_tap;
	/* How its virtio devices are reached, as the knob has it, what it does unasked first; NULL: "pci". */
	const char *transports;
	/* Of paths that others have: what it has not, and why where that is not plain. */
	const char *lacks;
	/* The device's switches that it has, ending with a NULL knob; NULL: all, under our names. */
	const struct knob_spelling *spellings;
	/* What the sealed lab holds for it, of what is there: programs with their libraries, other files. */
	const char *const *carry;
	/* A variant for which it holds too little (the rest is not of this machine), or NULL. */
	const char *unsealed;
	/* The program that is run: a path, or a name in PATH. NULL when it is not there (logged). */
	const char *(*program)(void);
	/* How one comes by it, for who has not. */
	const char *get;
	/* The argument that has it print its version. NULL: it is ours. */
	const char *version_word;
	/*
	 * Of a program that is there and a KVM that is: NULL when it can be used here, else why not and what
	 * to do (caller frees). NULL: it always can.
	 */
	char *(*unusable)(void);
	/* False for a variant that does not need the host's KVM; NULL: all do. */
	bool (*uses_kvm)(const char *variant);
	/* Append program and arguments. -ENOTSUP with a logged line for what this VMM cannot do. */
	int (*command)(const struct vmm_want *want, struct strlist *args);
};

/*
 * --vmm=NAME:GIVEN: a GIVEN with a slash in it is the program's path, else it is a variant. The program is
 * that path, else $EXITLAB_NAME, else what the adapter says.
 */
const char *vmm_program(const struct vmm_adapter *vmm, const char *given);
const char *vmm_variant(const char *given);
/* What its program says of its version, or NULL (silent) when it says none. Caller frees. */
char *vmm_version(const struct vmm_adapter *vmm, const char *given);
/* NULL when it can be used here, else why not and what to do. Caller frees. */
char *vmm_unusable(const struct vmm_adapter *vmm, const char *given);

/* The cell's virtio devices have no bus: registers in memory, one interrupt line each. */
bool vmm_uses_mmio(const struct vmm_adapter *vmm, const struct knobs *ks);
/* A driver of a mode, or in its place the one for the transport that the cell has. */
const char *vmm_guest_module(const struct vmm_adapter *vmm, const struct knobs *ks, const char *module);
/* The cell's switches of the device as ",NAME=VALUE" each. -ENOTSUP (logged) for one that the VMM has not. */
int vmm_spell_knobs(const struct vmm_adapter *vmm, const struct vmm_want *w, struct strbuf *sb);
/* Its program is on this machine. */
bool vmm_is_here(const struct vmm_adapter *vmm);
/* It has the mode's device, or there is none. */
bool vmm_can(const struct vmm_adapter *vmm, const struct mode *mode);
/* The modes that it has, ", " between them. Caller frees. */
char *vmm_modes(const struct vmm_adapter *vmm);
/*
 * How a VMM is told of its devices, an option and a text each; the text is written but for the knobs, or
 * -ENOTSUP (logged) is returned. NULL for what it has not.
 */
struct vmm_devices {
	int (*net)(const struct vmm_want *w, struct strbuf *sb),
		(*disk)(const struct vmm_want *w, struct strbuf *sb);
	const char *net_option, *disk_option, *vfio_option;
	const char *vfio_text; /* what stands before the directory of a real card's function */
};
/* The path's device as the VMM is told. 0, or -ENOTSUP (logged). */
int vmm_add_device(const struct vmm_adapter *vmm, const struct vmm_want *w, struct strlist *a,
		   const struct vmm_devices *d);
/* Of a VMM that has none of the device's switches. */
extern const struct knob_spelling vmm_no_spellings[];
/* 0, or -ENOTSUP (logged) for a variant: this VMM has none. */
int vmm_refuse_variant(const struct vmm_adapter *vmm, const struct vmm_want *want);
/* What the command line will be asked for, before there is a path: 0, or what command returns. */
int vmm_check(const struct vmm_adapter *vmm, const char *variant, const struct mode *mode,
	      const struct knobs *ks);
/* Logged: this VMM does not know the mode's device, or who is to serve it. -ENOTSUP. */
int vmm_refuse_mode(const struct vmm_adapter *vmm, const struct mode *mode);

#define X(symbol) extern const struct vmm_adapter adapter_##symbol;
#include "bench/vmms/rows.h"
#undef X

/* The table ends with NULL. */
extern const struct vmm_adapter *const vmm_adapters[];
const struct vmm_adapter *vmm_adapter_find(const char *name, size_t len);

#endif
