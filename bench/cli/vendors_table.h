/* SPDX-License-Identifier: MIT */
/* `bench sweep hardware`: the exits of a Linux guest's boot on each processor, in one table. */
#ifndef BENCH_CLI_VENDORS_TABLE_H
#define BENCH_CLI_VENDORS_TABLE_H

#include <jansson.h>
#include <stddef.h>

/* Of the newest boot on each substrate and with each kind of paging; nothing when there is none. */
void vendors_table_print(json_t *const *rec, size_t n);

#endif
