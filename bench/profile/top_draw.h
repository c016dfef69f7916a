/* SPDX-License-Identifier: MIT */
/*
 * The picture of `bench top`: header, as many columns as the terminal has room for, one row per kind of
 * exit.
 */
#ifndef BENCH_PROFILE_TOP_DRAW_H
#define BENCH_PROFILE_TOP_DRAW_H

#include "base/strbuf.h"
#include "bench/profile/exit_view.h"
#include "bench/profile/rates.h"

struct top_frame {
	const char *title, *backend;
	bool no_kvm_exit; /* this back end cannot tell KVM's time from the guest's */
	bool domains;     /* of Xen's: rows of VMs are those, and nobody takes times */
	struct view view;
	double seconds;   /* of the interval that view shows */
	uint64_t lost;    /* since the start */
	struct rates rates;
	enum view_key key;
	enum view_sort sort;
	bool paused;
};

enum top_column {
	TOP_REASON, TOP_KEY, TOP_DEVICE, TOP_PER_S, TOP_TIME, TOP_P50, TOP_P99, TOP_MEAN, TOP_KVM, TOP_USER,
	TOP_WAITING, TOP_ASLEEP, TOP_SPARK,
	TOP_COLUMNS
};

/* Width of each column on a terminal so wide, 0 for those left out: the least telling go first. */
void top_layout(int wide, int width[TOP_COLUMNS]);
/* Onto curses' stdscr. */
void top_draw(const struct top_frame *f);

#endif
