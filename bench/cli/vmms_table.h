/* SPDX-License-Identifier: MIT */
/* `bench sweep vmms`: what the newest runs say of every VMM, of networks with boot and idle, and of disks. */
#ifndef BENCH_CLI_VMMS_TABLE_H
#define BENCH_CLI_VMMS_TABLE_H

/* From the store (NULL: the default one). Exit status. */
int vmms_table_print(const char *store_dir);

#endif
