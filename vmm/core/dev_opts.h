/* SPDX-License-Identifier: MIT */
/* A device's options as given on the command line: "mode=vhost,tap=t0,queues=2". A key that no one
 * asked for is an error (dev_opts_done), with the nearest known key in the message. */
#ifndef VMM_CORE_DEV_OPTS_H
#define VMM_CORE_DEV_OPTS_H

#include "base/util.h"

struct dev_opts;

int dev_opts_parse(struct dev_opts **out, const char *text); /* 0, -EINVAL (logged) */
void dev_opts_free(struct dev_opts *o);
const char *dev_opts_str(const struct dev_opts *o, const char *key, const char *fallback);
/* A value that does not parse is logged and returned as -EINVAL; absent leaves *out as it is. */
int dev_opts_u64(const struct dev_opts *o, const char *key, uint64_t *out, uint64_t min,
		 uint64_t max);
int dev_opts_bool(const struct dev_opts *o, const char *key, bool *out);
/* Index of the value in the NULL-terminated words. */
int dev_opts_word(const struct dev_opts *o, const char *key, const char *const *words, int *out);
/* 0, or -EINVAL after naming the first key that nobody read. */
int dev_opts_done(const struct dev_opts *o);

#endif
