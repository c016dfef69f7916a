/* SPDX-License-Identifier: MIT */
/*
 * What the files of the lab share: lab.c runs one, lab_qemu.c starts the machine, lab_session.c talks with
 * its init.
 */
#ifndef BENCH_LAB_LAB_IMPL_H
#define BENCH_LAB_LAB_IMPL_H

#include <signal.h>
#include <termios.h>

#include "base/proc.h"
#include "bench/lab/lab.h"

struct lab {
	const struct lab_spec *spec;
	struct proc qemu;
	int ctl_fd;              /* our end of the virtio-serial port; a memfd with a deterministic lab */
	int console_fd, qlog_fd; /* memfds: the lab kernel's console, QEMU's own messages */
	int signal_fd, stdin_fd;
	bool ready, done, timed_out, silent;
	int32_t status;
	unsigned interrupts;
	uint64_t deadline_ns, kill_ns, heard_ns;
	struct termios saved_termios;
	bool raw;
	sigset_t saved_signals;
};

/* Build the initramfs if need be, start QEMU and send the configuration. 0 or -errno, logged. */
int lab_start_qemu(struct lab *lab);

/* From here on Ctrl-C and its like are for the command; the mask that was is in saved_signals. */
void lab_catch_signals(struct lab *lab);
/* One frame to the lab's init. */
int lab_send_frame(struct lab *lab, uint32_t type, const void *data, size_t len);
/* Carry streams, signals and the terminal until the command has ended; -errno when the machine went first. */
int lab_session(struct lab *lab);

#endif
