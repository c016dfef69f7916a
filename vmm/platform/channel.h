/* SPDX-License-Identifier: MIT */
/*
 * The host's end of a serial port: a terminal, a file, an inherited fd or a Unix socket. Output
 * never blocks a vCPU: it waits in 64 KiB of memory; what a reader that stands still does not take
 * is dropped and counted.
 */
#ifndef VMM_PLATFORM_CHANNEL_H
#define VMM_PLATFORM_CHANNEL_H

#include "vmm/core/evloop.h"

struct channel;

/* Bytes for the guest, on the loop's thread; returns how many it took. The rest comes again after
 * channel_resume. */
typedef size_t (*channel_input_fn)(void *arg, const uint8_t *buf, size_t n);
/* The user asked for the end (Ctrl-A x on a terminal). */
typedef void (*channel_quit_fn)(void *arg);

/* spec: "none", "stdio", "fd=N", "unix:PATH" (connects) or a file to write. 0 or -EINVAL (logged).
 */
int channel_open(struct channel **out, struct evloop *loop, const char *what, const char *spec);
/* Writes out what is left (waiting a second at most) and restores the terminal. */
/* What was put and is not written yet: written, or lost when the reader is too slow. */
void channel_flush(struct channel *ch);
void channel_close(struct channel *ch);
void channel_on_input(struct channel *ch, channel_input_fn fn, channel_quit_fn quit, void *arg);
/* The guest has room again. Any thread. */
void channel_resume(struct channel *ch);
/* Any thread; never blocks. */
void channel_put(struct channel *ch, uint8_t byte);

#endif
