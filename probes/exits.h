/* SPDX-License-Identifier: MIT */
/* How sums of exits are put together, inside of probes/. */
#ifndef PROBES_EXITS_H
#define PROBES_EXITS_H

#include "probes/exit.h"

/* One more sum like this one, without bins yet; NULL: no memory. Its address holds until the next one. */
struct exit_sum *exits_add(struct exits *e, const struct exit_sum *like);
/* A bin of the sum that was added last, above those that it has. 0 or -ENOMEM. */
int exits_add_bin(struct exits *e, uint32_t slot, uint64_t n);
/*
 * The exit that a vCPU sits in (a halted one, most often) and that has not reached its row yet: it happened
 * and took its time, until then or until the vCPU ended. What its thread is off the CPU for is known when it
 * is back; before that it sleeps.
 */
void exit_sum_add_open(struct exit_sum *s, const struct vcpu_state *v, uint64_t until);
/* By vCPU, reason and key: < 0, 0, > 0. */
int exit_sum_compare(const struct exit_sum *a, const struct exit_sum *b);
void exits_sort(struct exits *e);

#endif
