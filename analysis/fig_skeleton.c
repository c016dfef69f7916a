// SPDX-License-Identifier: MIT
/* How a figure looks: to be copied (CONTRIBUTING.md). Compiled, and in no table. */
#include "analysis/figure.h"

int fig_skeleton(const struct fig_set *set, struct fig_doc *doc)
{
	static const char *const metrics[] = {"ops_per_s", "throughput_bps", NULL};
	const char *metric = fig_common_metric(set, metrics);

	if (!metric)
		return fig_missing(doc, "the records have no rate in common");
	fig_category_axis(set, doc);
	strbuf_adds(&doc->dat, "# median linetype\n");
	for (size_t i = 0; i < set->n; i++) {
		struct interval iv;

		record_summary(set->rec[i], metric, &iv);
		fig_num(&doc->dat, iv.point);
		strbuf_addf(&doc->dat, " %d\n", fig_linetype(set, i));
	}
	strbuf_adds(&doc->gp, "set yrange [0:*]\nplot dat using 0:1:2 with boxes lc variable notitle\n");
	strbuf_addf(&doc->caption, "Bars: median of %s.", metric);
	return 0;
}
