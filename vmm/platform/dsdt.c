// SPDX-License-Identifier: MIT
#include "vmm/pci/core.h"
#include "vmm/platform/acpi.h"
#include "vmm/platform/aml.h"
#include "vmm/platform/dsdt.h"
#include "vmm/platform/ports.h"

#define OP_RETURN 0xa4
#define OP_ARG3   0x6b

/* Each slot's pin A goes to one GSI; our devices are single-function and use no other pin. */
static void add_prt(struct strbuf *out)
{
	struct strbuf table = STRBUF_INIT;

	for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
		struct strbuf entry = STRBUF_INIT;

		aml_int(&entry, slot << 16 | 0xffff);
		aml_int(&entry, 0);
		aml_int(&entry, 0);
		aml_int(&entry, PCI_INTX_GSI + slot % PCI_INTX_LINES);
		aml_package(&table, 4, &entry);
	}
	aml_name_decl(out, "_PRT");
	aml_package(out, PCI_SLOTS, &table);
}

/* Grant all that the system asks for: there is no firmware that would want to keep it. */
static void add_osc(struct strbuf *out)
{
	struct strbuf body = STRBUF_INIT;

	strbuf_add(&body, (const char[]){(char)OP_RETURN, OP_ARG3}, 2);
	aml_method(out, "_OSC", 4, &body);
}

static void add_id(struct strbuf *out, const char *name, const char *id)
{
	aml_name_decl(out, name);
	aml_eisaid(out, id);
}

static void add_number(struct strbuf *out, const char *name, uint64_t v)
{
	aml_name_decl(out, name);
	aml_int(out, v);
}

static void add_pci_root(struct strbuf *out)
{
	struct strbuf dev = STRBUF_INIT, crs = STRBUF_INIT;

	add_id(&dev, "_HID", "PNP0A08");
	add_id(&dev, "_CID", "PNP0A03");
	add_number(&dev, "_SEG", 0);
	add_number(&dev, "_BBN", 0);
	add_number(&dev, "_UID", 0);
	res_window(&crs, RES_BUS, 0, 0);
	res_io(&crs, 0xcf8, 8);
	res_window(&crs, RES_IO, 0, 0xcf7); /* where functions of old answer: IDE at 0x1f0 */
	res_window(&crs, RES_IO, PCI_IO_START, PCI_IO_END - 1);
	res_window(&crs, RES_MEMORY, PCI_MEM32_START, PCI_MEM32_END - 1);
	res_window(&crs, RES_MEMORY, PCI_MEM64_START, PCI_MEM64_END - 1);
	aml_crs(&dev, &crs);
	add_osc(&dev);
	add_prt(&dev);
	aml_device(out, "PCI0", &dev);
}

/* ECAM belongs to nobody else. */
static void add_motherboard(struct strbuf *out)
{
	struct strbuf dev = STRBUF_INIT, crs = STRBUF_INIT;

	add_id(&dev, "_HID", "PNP0C02");
	add_number(&dev, "_UID", 1);
	res_memory32_fixed(&crs, PCI_ECAM_BASE, PCI_ECAM_SIZE);
	aml_crs(&dev, &crs);
	aml_device(out, "MRES", &dev);
}

static void add_legacy(struct strbuf *out, const char *name, const char *id, unsigned uid,
		       uint16_t port, uint8_t len, unsigned irq)
{
	struct strbuf dev = STRBUF_INIT, crs = STRBUF_INIT;

	add_id(&dev, "_HID", id);
	add_number(&dev, "_UID", uid);
	res_io(&crs, port, len);
	if (irq)
		res_irq(&crs, irq);
	aml_crs(&dev, &crs);
	aml_device(out, name, &dev);
}

static void add_panic(struct strbuf *out)
{
	struct strbuf dev = STRBUF_INIT, crs = STRBUF_INIT;

	aml_name_decl(&dev, "_HID");
	aml_string(&dev, "QEMU0001");
	res_io(&crs, PANIC_PORT, 1);
	aml_crs(&dev, &crs);
	aml_device(out, "PEVT", &dev);
}

static void add_s5(struct strbuf *out)
{
	struct strbuf types = STRBUF_INIT;

	aml_int(&types, PM_S5_TYPE);
	aml_int(&types, PM_S5_TYPE);
	aml_int(&types, 0);
	aml_int(&types, 0);
	aml_name_decl(out, "_S5_");
	aml_package(out, 4, &types);
}

void dsdt_body(struct strbuf *out)
{
	struct strbuf sb = STRBUF_INIT;

	add_pci_root(&sb);
	add_motherboard(&sb);
	add_legacy(&sb, "COM1", "PNP0501", 1, 0x3f8, 8, 4);
	add_legacy(&sb, "COM2", "PNP0501", 2, 0x2f8, 8, 3);
	add_legacy(&sb, "RTC_", "PNP0B00", 0, 0x70, 2, 0);
	add_panic(&sb);
	aml_scope(out, "\\_SB_", &sb);
	add_s5(out);
}
