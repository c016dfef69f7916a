/* SPDX-License-Identifier: MIT */
/* `bench sweep evolution`: what the newest runs say of every step of the evolution, in one table. */
#ifndef BENCH_CLI_EVOLUTION_TABLE_H
#define BENCH_CLI_EVOLUTION_TABLE_H

/* From the store (NULL: the default one). Exit status. */
int evolution_table_print(const char *store_dir);

#endif
