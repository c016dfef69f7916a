/* SPDX-License-Identifier: MIT */
/*
 * Names of a QEMU's registers: its own memory map ("info mtree -f"), asked for over its QMP socket when its
 * command line has one that we can reach (-qmp unix:..., or -mon of a socket chardev). One that serves
 * another client already, or whose socket came as an open file, does not answer, and its registers stay
 * addresses.
 */
#ifndef PROBES_QEMU_NAMES_H
#define PROBES_QEMU_NAMES_H

#include <sys/types.h>
#include "base/util.h"
#include "vmm/stats_page.h"

struct qmp_socket {
	char path[108];
	bool abstract;
	pid_t tgid; /* who must be the one that listens; 0: whoever does */
};

/* By its program's name: qemu-system-x86_64, qemu-kvm. */
bool qemu_is(pid_t tgid);
/* The socket among a process's NUL-separated arguments (/proc/PID/cmdline); false: none. */
bool qemu_find_socket(const char *args, size_t len, struct qmp_socket *out);
/* The same for a process, its path as seen from here. */
bool qemu_socket_of(pid_t tgid, struct qmp_socket *out);
/*
 * Ask; takes 4 s and some MiB at most, whoever is there. How many regions, at most
 * max; 0 when there is no answer.
 */
size_t qemu_regions(const struct qmp_socket *s, struct stats_region *out, size_t max);
/* The devices' regions in the text of "info mtree -f": memory and I/O space as the CPUs see them. */
size_t qemu_parse_mtree(const char *text, struct stats_region *out, size_t max);

#endif
