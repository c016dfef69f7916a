/* SPDX-License-Identifier: MIT */
#ifndef ANALYSIS_GNUPLOT_H
#define ANALYSIS_GNUPLOT_H

#include "analysis/figure.h"

/*
 * Draw what the three files hold. The texts of a record may be a stranger's, so gnuplot works in a folder of
 * its own in /tmp, confined (proc_run_confined); what it has drawn is copied to DIR/STEM.EXT. 0, or -errno
 * with a message logged; -ENOENT: there is no gnuplot.
 */
int gnuplot_run(const struct fig_target *to, const struct strbuf *gp, const struct strbuf *dat,
		const struct strbuf *style);

#endif
