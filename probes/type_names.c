// SPDX-License-Identifier: MIT
#include <bpf/btf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "probes/type_names.h"

/* A table with open addressing; it has more slots than there are types, so that one is always free. */
struct type_names {
	const struct btf *types;
	uint32_t mask;
	uint32_t slot[];
};

static uint32_t name_hash(const char *name)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return h;
}

static bool is_named(const struct type_names *n, uint32_t id, const char *name, uint32_t kind)
{
	const struct btf_type *t = btf__type_by_id(n->types, id);

	return btf_kind(t) == kind && !strcmp(btf__name_by_offset(n->types, t->name_off), name);
}

/* Its slot, or the free one where it belongs. */
static uint32_t find_slot(const struct type_names *n, const char *name, uint32_t kind)
{
	uint32_t at = name_hash(name) & n->mask;

	while (n->slot[at] && !is_named(n, n->slot[at], name, kind))
		at = (at + 1) & n->mask;
	return at;
}

static void add_name(struct type_names *n, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(n->types, id);
	uint32_t at;

	if (btf_kind(t) != BTF_KIND_FUNC && btf_kind(t) != BTF_KIND_TYPEDEF)
		return;
	at = find_slot(n, btf__name_by_offset(n->types, t->name_off), btf_kind(t));
	if (!n->slot[at])
		n->slot[at] = id;
}

struct type_names *type_names_of(const struct btf *types)
{
	uint32_t count = btf__type_cnt(types), slots = 2;
	struct type_names *n;

	while (slots <= count)
		slots *= 2;
	n = calloc(1, sizeof(*n) + slots * sizeof(n->slot[0]));
	if (!n)
		return NULL;
	n->types = types;
	n->mask = slots - 1;
	for (uint32_t id = 1; id < count; id++)
		add_name(n, id);
	return n;
}

void type_names_free(struct type_names *n)
{
	free(n);
}

uint32_t type_names_find(const struct type_names *n, const char *name, uint32_t kind)
{
	return n->slot[find_slot(n, name, kind)];
}
