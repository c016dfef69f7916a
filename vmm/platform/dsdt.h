/* SPDX-License-Identifier: MIT */
#ifndef VMM_PLATFORM_DSDT_H
#define VMM_PLATFORM_DSDT_H

#include "base/strbuf.h"

/* The DSDT's definition block (without the table header). */
void dsdt_body(struct strbuf *out);

#endif
