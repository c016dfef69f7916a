/* SPDX-License-Identifier: MIT */
/* Files of this folder that are part of the program: embedded, NUL-terminated. */
#ifndef ANALYSIS_ASSETS_H
#define ANALYSIS_ASSETS_H

extern const char asset_dashboard_html[], asset_style_gp[], asset_report_css[], asset_dashboard_css[],
	asset_dashboard_js[];

#endif
