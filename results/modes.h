/* SPDX-License-Identifier: MIT */
/* What records, lists and figures know of a mode: one row of mode_rows.h each. */
#ifndef RESULTS_MODES_H
#define RESULTS_MODES_H

struct mode_info {
	const char *name;
	int linetype; /* of style.gp */
	const char *text;
};

/* In the order of bench list; ends with a NULL name. */
extern const struct mode_info mode_info_table[];
/* NULL: a record of a bench that has more modes. */
const struct mode_info *mode_info_find(const char *name);

#endif
