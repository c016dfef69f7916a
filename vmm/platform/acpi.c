// SPDX-License-Identifier: MIT
/* The tables of ACPI 6.5, chapter 5, that describe this machine. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "vmm/boot/boot.h"
#include "vmm/pci/core.h"
#include "vmm/platform/acpi.h"
#include "vmm/platform/dsdt.h"
#include "vmm/platform/ioapic.h"

#define LAPIC_BASE 0xfee00000u

struct sdt_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt, length;
	uint64_t xsdt;
	uint8_t ext_checksum, reserved[3];
} __attribute__((packed));

struct gas {
	uint8_t space, bits, offset, access;
	uint64_t addr;
} __attribute__((packed));

struct fadt {
	uint32_t facs, dsdt;
	uint8_t reserved0, pm_profile;
	uint16_t sci_int;
	uint32_t smi_cmd;
	uint8_t acpi_enable, acpi_disable, s4bios_req, pstate_cnt;
	uint32_t pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_tmr, gpe0, gpe1;
	uint8_t pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len, gpe0_len, gpe1_len, gpe1_base,
		cst_cnt;
	uint16_t p_lvl2_lat, p_lvl3_lat, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, mon_alarm, century;
	uint16_t iapc_boot_arch;
	uint8_t reserved1;
	uint32_t flags;
	struct gas reset_reg;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor;
	uint64_t x_facs, x_dsdt;
	struct gas x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt, x_pm2_cnt, x_pm_tmr, x_gpe0,
		x_gpe1;
	struct gas sleep_control, sleep_status;
	uint64_t hypervisor;
} __attribute__((packed));

_Static_assert(sizeof(struct sdt_header) + sizeof(struct fadt) == 276, "FADT of revision 6");

enum {
	FADT_WBINVD = 1 << 0,
	FADT_C1 = 1 << 2,
	FADT_NO_POWER_BUTTON = 1 << 4, /* in the fixed registers */
	FADT_NO_SLEEP_BUTTON = 1 << 5,
	FADT_NO_RTC_WAKE = 1 << 6,
	FADT_TIMER_32 = 1 << 8,
	FADT_RESET = 1 << 10,
	FADT_HEADLESS = 1 << 12,
	BOOT_LEGACY = 1 << 0,
	/* An 8042 is there, but no keyboard: saying so would make Linux wait for one. */
	BOOT_NO_VGA = 1 << 2,
	BOOT_NO_ASPM = 1 << 4,
};

struct facs {
	char signature[4];
	uint32_t length, hardware_signature, waking_vector, global_lock, flags;
	uint64_t x_waking_vector;
	uint8_t version, reserved[31];
} __attribute__((packed));

/* Where the next table goes. */
struct builder {
	struct gmem *gm;
	gpa_t next;
	int err;
};

static uint8_t checksum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *p++);
	return (uint8_t)-sum;
}

static gpa_t place_table(struct builder *b, const void *data, size_t len, uint64_t align)
{
	gpa_t at = align_up(b->next, align);

	if (!b->err && at + len > BOOT_ACPI_END)
		b->err = -ENOSPC;
	if (!b->err)
		b->err = gmem_write(b->gm, at, data, len);
	b->next = at + len;
	return at;
}

static gpa_t put_table(struct builder *b, const char *signature, uint8_t revision, const void *body,
		       size_t len)
{
	struct sdt_header h = {
		.length = (uint32_t)(sizeof(h) + len),
		.revision = revision,
		.oem_id = {'E', 'X', 'I', 'T', 'L', 'B'},
		.oem_table_id = {'E', 'X', 'I', 'T', 'L', 'A', 'B', ' '},
		.oem_revision = 1,
		.creator_id = {'E', 'X', 'L', 'B'},
		.creator_revision = 1,
	};
	struct strbuf all = STRBUF_INIT;
	gpa_t at;

	memcpy(h.signature, signature, 4);
	strbuf_add(&all, &h, sizeof(h));
	strbuf_add(&all, body, len);
	all.buf[offsetof(struct sdt_header, checksum)] = (char)checksum(all.buf, all.len);
	at = place_table(b, all.buf, all.len, 16);
	strbuf_free(&all);
	return at;
}

static gpa_t put_dsdt(struct builder *b)
{
	struct strbuf body = STRBUF_INIT;
	gpa_t at;

	dsdt_body(&body);
	at = put_table(b, "DSDT", 2, body.buf, body.len);
	strbuf_free(&body);
	return at;
}

static struct gas port_address(uint16_t addr, uint8_t bytes)
{
	/* Access size 1 is a byte, 2 a word, 3 a dword. */
	uint8_t access_size = MIN(bytes, 3);

	return (struct gas){1, (uint8_t)(bytes * 8), 0, access_size, addr};
}

static gpa_t put_fadt(struct builder *b, gpa_t dsdt)
{
	static const struct facs facs = {
		.signature = {'F', 'A', 'C', 'S'}, .length = sizeof(facs), .version = 2};
	gpa_t facs_at = place_table(b, &facs, sizeof(facs), 64);
	struct fadt f = {
		.facs = (uint32_t)facs_at,
		.dsdt = (uint32_t)dsdt,
		.sci_int = PM_SCI,
		.pm1a_evt = PM_EVENT_PORT,
		.pm1a_cnt = PM_CONTROL_PORT,
		.pm_tmr = PM_TIMER_PORT,
		.pm1_evt_len = 4,
		.pm1_cnt_len = 2,
		.pm_tmr_len = 4,
		.p_lvl2_lat = 0xfff, /* no C2, no C3 */
		.p_lvl3_lat = 0xfff,
		.century = 0x32,
		.iapc_boot_arch = BOOT_LEGACY | BOOT_NO_VGA | BOOT_NO_ASPM,
		.flags = FADT_WBINVD | FADT_C1 | FADT_NO_POWER_BUTTON | FADT_NO_SLEEP_BUTTON |
			 FADT_NO_RTC_WAKE | FADT_TIMER_32 | FADT_RESET | FADT_HEADLESS,
		.reset_reg = port_address(RESET_PORT, 1),
		.reset_value = RESET_VALUE,
		.minor = 5,
		.x_dsdt = dsdt,
		.x_pm1a_evt = port_address(PM_EVENT_PORT, 4),
		.x_pm1a_cnt = port_address(PM_CONTROL_PORT, 2),
		.x_pm_tmr = port_address(PM_TIMER_PORT, 4),
	};

	return put_table(b, "FACP", 6, &f, sizeof(f));
}

struct madt_lapic {
	uint8_t type, len, uid, id;
	uint32_t flags;
} __attribute__((packed));

struct madt_ioapic {
	uint8_t type, len, id, reserved;
	uint32_t addr, gsi_base;
} __attribute__((packed));

struct madt_override {
	uint8_t type, len, bus, source;
	uint32_t gsi;
	uint16_t flags;
} __attribute__((packed));

struct madt_lapic_nmi {
	uint8_t type, len, uid;
	uint16_t flags;
	uint8_t lint;
} __attribute__((packed));

static gpa_t put_madt(struct builder *b, const struct acpi_config *c)
{
	const uint32_t head[] = {LAPIC_BASE, c->pics};
	const struct madt_ioapic ioapic = {1, sizeof(ioapic), 0, 0, (uint32_t)IOAPIC_BASE, 0};
	/* The SCI is level-triggered, active high; all other ISA lines are what ISA lines are. */
	const struct madt_override sci = {2, sizeof(sci), 0, PM_SCI, PM_SCI, 0xd};
	const struct madt_lapic_nmi nmi = {4, sizeof(nmi), 0xff, 0, 1};
	struct strbuf body = STRBUF_INIT;
	gpa_t at;

	strbuf_add(&body, head, sizeof(head));
	for (unsigned i = 0; i < c->n_cpus; i++) {
		const struct madt_lapic lapic = {0, sizeof(lapic), (uint8_t)i, (uint8_t)i, 1};

		strbuf_add(&body, &lapic, sizeof(lapic));
	}
	strbuf_add(&body, &ioapic, sizeof(ioapic));
	strbuf_add(&body, &sci, sizeof(sci));
	strbuf_add(&body, &nmi, sizeof(nmi));
	at = put_table(b, "APIC", 5, body.buf, body.len);
	strbuf_free(&body);
	return at;
}

static gpa_t put_mcfg(struct builder *b)
{
	const struct {
		uint64_t reserved0, base;
		uint16_t segment;
		uint8_t first_bus, last_bus;
		uint32_t reserved1;
	} __attribute__((packed)) body = {.base = PCI_ECAM_BASE};

	return put_table(b, "MCFG", 1, &body, sizeof(body));
}

int acpi_build(struct gmem *gm, const struct acpi_config *c, gpa_t *rsdp_at)
{
	struct rsdp rsdp = {.signature = {'R', 'S', 'D', ' ', 'P', 'T', 'R', ' '},
			    .oem_id = {'E', 'X', 'I', 'T', 'L', 'B'},
			    .revision = 2,
			    .length = sizeof(rsdp)};
	/* The RSDP first: whoever scans for it looks from here on. */
	struct builder b = {.gm = gm, .next = BOOT_ACPI + sizeof(rsdp)};
	uint64_t tables[3];

	tables[0] = put_fadt(&b, put_dsdt(&b));
	tables[1] = put_madt(&b, c);
	tables[2] = put_mcfg(&b);
	rsdp.xsdt = put_table(&b, "XSDT", 1, tables, sizeof(tables));
	rsdp.checksum = checksum(&rsdp, 20);
	rsdp.ext_checksum = checksum(&rsdp, sizeof(rsdp));
	*rsdp_at = BOOT_ACPI;
	if (!b.err)
		b.err = gmem_write(gm, BOOT_ACPI, &rsdp, sizeof(rsdp));
	if (b.err)
		log_error("ACPI tables: no room in guest memory; give it 2M or more with --mem");
	return b.err;
}
