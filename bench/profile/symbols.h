/* SPDX-License-Identifier: MIT */
/* Guest addresses to function names, from a System.map or an unstripped vmlinux. */
#ifndef BENCH_PROFILE_SYMBOLS_H
#define BENCH_PROFILE_SYMBOLS_H

#include "base/util.h"

struct symbols;

/* NULL with one logged line when the file cannot be used. */
struct symbols *symbols_load(const char *path);
void symbols_free(struct symbols *s);
/* "schedule+0x1c" into buf; false when nothing is near. */
bool symbols_find(const struct symbols *s, uint64_t addr, char *buf, size_t size);

#endif
