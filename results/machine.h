/* SPDX-License-Identifier: MIT */
/*
 * What is known of the machines that a store has records from, beside the records: what bench doctor
 * found there. STORE/machines/NAME-HASH.json: {machine, at, findings: {TOPIC: {verdict, found, todo}}}.
 */
#ifndef RESULTS_MACHINE_H
#define RESULTS_MACHINE_H

#include "results/store.h"

/* Whether it is what is described above; at is the moment in ISO 8601. */
bool machine_valid(const json_t *about);
/* In place of what was known of that machine. 0 or -errno (logged), -EINVAL for what is not valid. */
int machine_keep(struct store *s, const json_t *about);
/* Of this machine, or NULL. Caller frees. */
json_t *machine_load(struct store *s, const char *machine);
/* Those of another store that are newer than ours; what is no such file is passed over. How many. */
size_t machines_import(struct store *s, const char *from_store);

#endif
