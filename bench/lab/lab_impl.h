/* SPDX-License-Identifier: MIT */
/*
 * What the files of the lab share: lab.c runs one, lab_start.c prepares it, a machine's file (machine.h)
 * starts it, lab_session.c talks with its init.
 */
#ifndef BENCH_LAB_LAB_IMPL_H
#define BENCH_LAB_LAB_IMPL_H

#include <signal.h>
#include <termios.h>

#include "base/clock.h"
#include "base/proc.h"
#include "base/strbuf.h"
#include "bench/lab/lab.h"
#include "bench/lab/machine.h"

#define BOOT_TIMEOUT_NS (90 * NSEC_PER_SEC)
#define BUSY_TIMES      5u /* so many times the limit, and even a busy machine has failed */

struct lab {
	const struct lab_spec *spec;
	const struct machine *machine;
	enum lab_channel channel;
	uint64_t mem_mib;
	struct proc emulator;
	int ctl_fd;             /* our end of the channel */
	int image_fd;           /* a memfd: the initramfs of one that does not talk, until it is started */
	int console_fd, log_fd; /* memfds: the lab kernel's console, the emulator's own messages */
	int signal_fd, stdin_fd;
	struct strbuf inbox;    /* bytes that came and are no whole frame yet */
	struct strbuf outbox;   /* bytes of frames that the lab has not taken yet */
	bool in_step;           /* the first frame has been found among the emulator's own output */
	bool ready, done, timed_out, silent;
	int32_t status;
	unsigned interrupts;
	uint64_t deadline_ns, kill_ns, heard_ns;
	struct termios saved_termios;
	bool raw;
	sigset_t saved_signals;
};

/* Build the initramfs if need be, start the machine and tell it what to do. 0 or -errno, logged. */
int lab_start(struct lab *lab);
/* One more "key=value" of what its init is told (lab_wire.h). */
void lab_config_add(struct strbuf *config, const char *key, const char *value);

/* From here on Ctrl-C and its like are for the command; the mask that was is in saved_signals. */
void lab_catch_signals(struct lab *lab);
/* Sends one frame to the lab's init without waiting: what it does not take now, lab_flush sends later. */
int lab_send_frame(struct lab *lab, uint32_t type, const void *data, size_t len);
int lab_flush(struct lab *lab);
/* Carry streams, signals and the terminal until the command has ended; -errno when the machine went first. */
int lab_session(struct lab *lab);
/* Handles the whole frames of what came; 0, or -errno for what is no frame or cannot be stored. */
int lab_take_frames(struct lab *lab);

#endif
