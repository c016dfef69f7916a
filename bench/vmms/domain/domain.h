/* SPDX-License-Identifier: MIT */
/* What is said to Xen's tools of a domain, and what they answer. */
#ifndef BENCH_VMMS_DOMAIN_DOMAIN_H
#define BENCH_VMMS_DOMAIN_DOMAIN_H

#include "base/strbuf.h"

struct domain_want {
	const char *name, *type; /* type: pv, pvh or hvm */
	const char *uuid;	 /* which it has from its first moment, before it has a name; may be NULL */
	const char *kernel, *ramdisk, *cmdline; /* files, and words for the kernel; ramdisk may be NULL */
	/* hvm: kernel is its first part, and the PC's QEMU puts this file, of which it is one, there. */
	const char *image;
	uint64_t image_at;
	uint64_t cpus, mem_mib;
	bool shadow; /* pvh, hvm: Xen shadows its page tables */
	const char *mac;    /* of its network card; NULL: it has none */
	const char *disk;   /* the block device of dom0 that is its disk; NULL: it has none */
	const char *script; /* what xl is to run when the card's or the disk's back end is there */
};

/* How a domain came to its end, as Xen numbers it (SHUTDOWN_* of its sched.h). */
enum domain_end { DOMAIN_POWEROFF, DOMAIN_REBOOT, DOMAIN_SUSPEND, DOMAIN_CRASH, DOMAIN_UNKNOWN = 255 };

/* Its configuration for xl. 0, or -EINVAL (logged) for a text that cannot stand in one. */
int domain_config(const struct domain_want *w, struct strbuf *out);
/* The number that `xl domid` printed: 0, or -EINVAL for what is none. */
int domain_parse_id(const char *text, unsigned *id);
/* The number of the domain with that UUID in what `xl vm-list` printed: 0, or -ENOENT. */
int domain_find_uuid(const char *text, const char *uuid, unsigned *id);
/* The terminal that xenstore has for its console into path: 0, or -EINVAL for what is none. */
int domain_parse_tty(const char *text, char *path, size_t size);
/* What the log of xl, which waits for the domain, says last. */
enum domain_end domain_parse_end(const char *log);

/*
 * Carries bytes between the domain's console and ours until the console hangs up, which is when the domain is
 * gone, or signal_fd is readable. in at its end, or -1, is not read; what out does not take is an end too.
 * 0, or -errno: -EINTR for a signal.
 */
int domain_relay(int tty, int in, int out, int signal_fd);

#endif
