/* SPDX-License-Identifier: MIT */
/*
 * The last rates of each row of a live view, as sparklines. A row is known by its texts, and forgotten once
 * unseen.
 */
#ifndef BENCH_PROFILE_RATES_H
#define BENCH_PROFILE_RATES_H

#include "bench/profile/exit_view.h"

#define RATES_KEPT 16 /* intervals in a sparkline */
#define RATES_ROWS 128

struct rates {
	struct {
		char id[160];
		double rate[RATES_KEPT];
		unsigned idle; /* intervals without an exit */
	} row[RATES_ROWS];
};

/* One interval of so many seconds has ended. */
void rates_add(struct rates *r, const struct view *v, double seconds);
/* "▁▃█": as high as the row's highest; empty for a row not known. buf wants RATES_KEPT * 4 + 1 bytes. */
void rates_sparkline(const struct rates *r, const struct view_row *row, char *buf, size_t size);

#endif
