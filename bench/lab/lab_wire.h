/* SPDX-License-Identifier: MIT */
/*
 * What bench and the lab's init say to each other over one virtio-serial port: frames of a header and a
 * payload.
 *
 *      bench -> init   CONFIG once, then STDIN (empty: end of file), SIGNAL, WINSIZE
 *      init  -> bench  READY once the command runs, STDOUT, STDERR, ALIVE when there is nothing to say for
 *                      LAB_ALIVE_MS, EXIT last
 *
 * A deterministic lab has its CONFIG in the initramfs, takes no input, and sends the files of its output
 * directory as FILE frames before EXIT.
 *
 * CONFIG is a run of NUL-terminated "key=value" strings:
 *      arg=WORD (one each, in order)   env=NAME=VALUE   cwd=DIR   rw=TAG:DIR (a 9p share to mount there)
 *                                      tty=1
 *      modules=DIR (of the lab's kernel, on the host)   out=DIR (for results)
 */
#ifndef BENCH_LAB_LAB_WIRE_H
#define BENCH_LAB_LAB_WIRE_H

#include <stdint.h>

#define LAB_PORT      "exitlab.ctl" /* name of the virtio-serial port */
#define LAB_FRAME_MAX 65536u
#define LAB_ALIVE_MS  5000

enum lab_frame_type {
	LAB_CONFIG = 'C',
	LAB_STDIN = 'i',
	LAB_SIGNAL = 's',  /* one int32 */
	LAB_WINSIZE = 'w', /* struct winsize */
	LAB_READY = 'R',
	LAB_STDOUT = 'o',
	LAB_STDERR = 'e',
	LAB_ALIVE = 'a',
	LAB_EXIT = 'X', /* one int32: exit status as in the shell */
	LAB_FILE = 'f', /* name, NUL, a piece of it; an empty piece ends the file */
	LAB_FAIL = 'F', /* text: why the command could not be started */
};

struct lab_frame {
	uint32_t type, len;
};

#endif
