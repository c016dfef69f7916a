/* SPDX-License-Identifier: MIT */
/* Names of the hypercalls of Xen's guests. */
#ifndef PROBES_HYPERCALLS_H
#define PROBES_HYPERCALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HYPERCALL_ANY 0xffffu /* in the place of the first argument: it is not known */

/* "event_channel_op send", "event_channel_op", "xen 77" of a key with KEY_XEN; "5" of one without. */
void hypercall_text(uint64_t key, char *buf, size_t size);
/* The guest's notification of a back end: what a kick is to virtio. */
bool hypercall_is_send(uint64_t key);

#endif
