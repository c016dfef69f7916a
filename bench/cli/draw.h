/* SPDX-License-Identifier: MIT */
/* Figures as a command line asks for them: files where it says, in the form that it says. */
#ifndef BENCH_CLI_DRAW_H
#define BENCH_CLI_DRAW_H

#include "analysis/figure.h"

/* --format, --width, --out, --force; NULL: not given. */
struct draw_args {
	const char *format, *width, *out;
	bool force;
};

/* What they say of format and width. 0, or -EINVAL (logged). */
int draw_target(const struct draw_args *a, struct fig_target *to);
/* Each of these figures of the set; those that lack data are said. Exit status. */
int draw_all(const struct draw_args *a, const struct fig_set *set, struct fig_target *to,
	     const struct figure **list, size_t n);

#endif
