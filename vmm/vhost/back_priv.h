/* SPDX-License-Identifier: MIT */
/*
 * The back-end between its files:
 *
 *      user_back.c      connecting, one message and its answer, callbacks
 *      back_requests.c  what each request does
 *      back_device.c    when rings run, on which memory, from where
 */
#ifndef VMM_VHOST_BACK_PRIV_H
#define VMM_VHOST_BACK_PRIV_H

#include "vmm/vhost/back.h"

/* All rings, their bases kept. */
void vu_device_stop(struct vu_back *b);
/* Start all that can run. Rings that run already are stopped for it: rare, and one path instead of two. */
int vu_device_update(struct vu_back *b);
/* As before the front-end spoke of it; it must not run. */
void vu_ring_reset(struct vu_back_ring *r);

/* 0 with the answer in *m, if it has one; -errno: refused. */
int vu_back_handle(struct vu_back *b, struct vu_msg *m);

#endif
