/* SPDX-License-Identifier: MIT */
/*
 * What the files of the lab's process 1 share: init.c sets the machine up, wire.c talks with bench and keeps
 * the configuration, session.c runs the command.
 */
#ifndef BENCH_LAB_LABINIT_INIT_H
#define BENCH_LAB_LABINIT_INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench/lab/lab_wire.h"

/* init.c: a directory and those above it. */
void make_dirs(const char *path);

/*
 * wire.c: the way that the configuration says, a virtio-serial port without one. Failures end the lab:
 * there is nobody else to tell than bench, whom LAB_FAIL reaches.
 */
void wire_open(void);
void wire_send(uint32_t type, const void *data, size_t len);
/* The next frame; data has room for LAB_FRAME_MAX bytes. Powers off when bench has gone. */
struct lab_frame wire_read(char *data);
int wire_fd(void);
void write_all(int fd, const void *data, size_t len);
_Noreturn void power_off(void);
_Noreturn void fail(const char *what, const char *name);
/* True when the configuration came with the initramfs: a sealed lab, whose bench does not talk with us. */
bool config_load(void);
/* Reads the configuration that bench sends, when none came with the initramfs. */
void config_receive(void);
/* The next value of key after *at, which starts at 0; NULL at the end. */
const char *config_next(const char *key, size_t *at);
const char *config_get(const char *key);

/* dom0.c: where the machine is Xen's first domain, what administers others. */
void dom0_start(void);

/* session.c */
struct session {
	pid_t pid;
	int in, out, err; /* our ends of the command's streams; with a terminal in and out are one */
	/* Input that the command has not taken yet, which may wait for us to take its output. */
	const char *held;
	size_t n_held;
};
void session_start(struct session *s, bool terminal);
/*
 * Until the command has ended; its exit status as in the shell. listen: bench may send frames; alive: it
 * waits for signs of life.
 */
int32_t session_serve(struct session *s, bool listen, bool alive);
/* A deterministic lab shares no directory with the host: hand the files of dir out. */
void send_files(const char *dir, const char *below);

#endif
