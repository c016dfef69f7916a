/* SPDX-License-Identifier: MIT */
/* What the scheduler's switches tell the notifications: notify.bpf.c */
#ifndef PROBES_NOTIFY_BPF_H
#define PROBES_NOTIFY_BPF_H

/* Kicks whose service has been woken and is not on a CPU yet. */
extern __u32 kicks_open;
/* This thread gets a CPU now. */
int kick_served(__u32 tid);

#endif
