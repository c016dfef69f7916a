// SPDX-License-Identifier: MIT
#include "probes/data.h"

#define READ(of, LIST, type, object)                                                              \
	static const struct member rows[] = {LIST(MEMBER_ROW, struct type)};                      \
	static const struct members of = {rows, ARRAY_SIZE(rows)};                                \
	struct type out;                                                                          \
											\
	members_read(&of, object, &out);                                                          \
	return out

struct probed probed_of(const json_t *read)
{
	READ(probed, PROBED_MEMBERS, probed, read);
}

struct probed_window probed_window_of(const json_t *read)
{
	READ(window, PROBED_WINDOW_MEMBERS, probed_window, probed_of(read).window);
}

struct probed_totals probed_totals_of(const json_t *read)
{
	READ(totals, PROBED_TOTALS_MEMBERS, probed_totals, probed_of(read).totals);
}

struct probed_notify probed_notify_of(const json_t *read)
{
	READ(notify, PROBED_NOTIFY_MEMBERS, probed_notify, probed_of(read).notify);
}

struct probed_grants probed_grants_of(const json_t *read)
{
	READ(grants, PROBED_GRANTS_MEMBERS, probed_grants, probed_of(read).grants);
}

bool probed_counter(const json_t *counters, size_t i, struct probed_counter *c)
{
	static const struct member rows[] = {PROBED_COUNTER_MEMBERS(MEMBER_ROW, struct probed_counter)};
	static const struct members counter = {rows, ARRAY_SIZE(rows)};

	members_read(&counter, json_array_get(counters, i), c);
	return i < json_array_size(counters);
}

bool probed_part(const json_t *parts, size_t i, struct probed_part *p)
{
	static const struct member rows[] = {PROBED_PART_MEMBERS(MEMBER_ROW, struct probed_part)};
	static const struct members part = {rows, ARRAY_SIZE(rows)};

	members_read(&part, json_array_get(parts, i), p);
	return i < json_array_size(parts);
}
