// SPDX-License-Identifier: MIT
#include "analysis/assets.h"

/* The assembler takes the file in as it is; the Makefile names the dependencies. */
#define ASSET(symbol, file)                                                                        \
	__asm__(".section .rodata\n"                                                               \
		".global " #symbol "\n"                                                            \
		".type " #symbol ", @object\n" #symbol ":\n"                                       \
		".incbin \"analysis/" file "\"\n"                                                  \
		".byte 0\n"                                                                        \
		".size " #symbol ", . - " #symbol "\n"                                             \
		".previous\n")

ASSET(asset_style_gp, "style.gp");
ASSET(asset_report_css, "report.css");
ASSET(asset_dashboard_html, "dashboard.html");
ASSET(asset_dashboard_css, "dashboard.css");
ASSET(asset_dashboard_js, "dashboard.js");
