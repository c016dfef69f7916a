/* SPDX-License-Identifier: MIT */
/*
 * What bench and the lab's init say to each other: frames of a header and a payload, over a virtio-serial
 * port.
 *
 *      bench -> init   CONFIG once, then STDIN (empty: end of file), SIGNAL, WINSIZE
 *      init  -> bench  READY once the command runs, STDOUT, STDERR, ALIVE when there is nothing to say for
 *                      LAB_ALIVE_MS, EXIT last
 *
 * A lab that does not talk (enum lab_channel) has its CONFIG in the initramfs, takes no input, and sends
 * the files of its output directory as FILE frames before EXIT. One that speaks does so by an I/O port,
 * byte by byte, and what its emulator prints comes first: LAB_MAGIC, with its NUL, ends that.
 *
 * CONFIG is a run of NUL-terminated "key=value" strings:
 *      arg=WORD (one each, in order)   env=NAME=VALUE   cwd=DIR   rw=TAG:DIR (a 9p share to mount there)
 *                                      tty=1   channel=port
 *      modules=DIR (of the lab's kernel, on the host)   out=DIR (for results)
 */
#ifndef BENCH_LAB_LAB_WIRE_H
#define BENCH_LAB_LAB_WIRE_H

#include <stdint.h>

#define LAB_PORT      "exitlab.ctl" /* name of the virtio-serial port */
#define LAB_IO_PORT   0xe9          /* of a lab that speaks */
#define LAB_MAGIC     "\nexitlab's lab speaks\n"
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
