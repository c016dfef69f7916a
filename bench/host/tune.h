/* SPDX-License-Identifier: MIT */
/*
 * What of this machine makes times unsteady: reported always, changed only with --tune, through the
 * journal.
 */
#ifndef BENCH_HOST_TUNE_H
#define BENCH_HOST_TUNE_H

#include <jansson.h>
#include "base/util.h"

struct tune;

/* One line for what is not as it should be (governor, turbo, SMT); silent when all is well. */
void tune_warn(void);
/*
 * Set all that this machine has; what it lacks or refuses is said. 0, or -errno when no journal can be
 * kept (logged).
 */
int tune_apply(struct tune **out);
/* Puts everything back. Does nothing for NULL. */
void tune_undo(struct tune *t);
/*
 * {"governor": "powersave -> performance", ...}: what was changed, or an empty object; for
 * .environment.tune.
 */
json_t *tune_json(const struct tune *t);

#endif
