/* SPDX-License-Identifier: MIT */
/*
 * CACHE/lab: images of labs by their hash, and out.XXXXXX, the results of a lab on their way into a store.
 * What a killed run left there, and images that nobody has used for a day (a build makes new ones), are
 * removed.
 */
#ifndef BENCH_LAB_LAB_CACHE_H
#define BENCH_LAB_LAB_CACHE_H

#include "base/util.h"

struct lab_out {
	char *path;
	int fd; /* holds a lock on the directory for as long as its owner lives */
};

/* A new directory for results: 0 or -errno (logged). */
int lab_out_make(struct lab_out *out);
void lab_out_remove(struct lab_out *out);

/* Marks an image as used now, so that the sweep keeps it for another day. */
void lab_cache_used(const char *image);
#define LAB_IMAGE_AGE_S (24 * 3600)
#define LAB_OUT_AGE_S   60 /* younger directories are kept: they may not be locked by their owner yet */

/* The sweep of one directory: old images, results without an owner, files that a killed writer left. */
void lab_cache_sweep(const char *dir, uint64_t image_age_s, uint64_t out_age_s);

#endif
