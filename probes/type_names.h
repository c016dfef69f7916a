/* SPDX-License-Identifier: MIT */
/*
 * Types by name and kind. libbpf looks at each of a kernel's 130,000 types for every name; the probes ask for
 * some sixty, so that it took them most of their start.
 */
#ifndef PROBES_TYPE_NAMES_H
#define PROBES_TYPE_NAMES_H

#include <stdint.h>

struct btf;
struct type_names;

/* Of types, which outlives it. Functions and typedefs alone. NULL without memory. */
struct type_names *type_names_of(const struct btf *types);
void type_names_free(struct type_names *n);
/* BTF_KIND_FUNC or BTF_KIND_TYPEDEF; the first of them; 0: there is none. */
uint32_t type_names_find(const struct type_names *n, const char *name, uint32_t kind);

#endif
