/* SPDX-License-Identifier: MIT */
/* Just enough of ACPI Machine Language (ACPI 6.5, chapter 20) for our one DSDT. Appends to a
 * strbuf; things with a body take it as a finished strbuf and free it. */
#ifndef VMM_PLATFORM_AML_H
#define VMM_PLATFORM_AML_H

#include "base/strbuf.h"

void aml_int(struct strbuf *out, uint64_t v);
void aml_string(struct strbuf *out, const char *s);
/* "PNP0A08" as the compressed integer that _HID holds. */
void aml_eisaid(struct strbuf *out, const char *id);

void aml_scope(struct strbuf *out, const char *name, struct strbuf *body);
void aml_device(struct strbuf *out, const char *name, struct strbuf *body);
void aml_method(struct strbuf *out, const char *name, unsigned args, struct strbuf *body);
/* Name(name, value): append one data object after it. */
void aml_name_decl(struct strbuf *out, const char *name);
void aml_package(struct strbuf *out, unsigned elements, struct strbuf *body);
/* Name(_CRS, ResourceTemplate{...}); adds the end tag. */
void aml_crs(struct strbuf *out, struct strbuf *resources);

/* ---- resource descriptors (6.4) ---- */
void res_io(struct strbuf *out, uint16_t port, uint8_t len);
void res_irq(struct strbuf *out, unsigned irq);
void res_memory32_fixed(struct strbuf *out, uint32_t base, uint32_t len);
enum res_type { RES_MEMORY = 0, RES_IO = 1, RES_BUS = 2 };
/* An address space window that a bridge hands to its children. */
void res_window(struct strbuf *out, enum res_type type, uint64_t first, uint64_t last);

#endif
