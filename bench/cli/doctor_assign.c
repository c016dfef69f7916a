// SPDX-License-Identifier: MIT
/* Rows of bench doctor about IOMMU, SR-IOV cards, and what keeps a virtual function from being assigned. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/iommu.h"
#include "base/strbuf.h"
#include "bench/cli/doctor.h"

#define GROUPS  "/sys/kernel/iommu_groups"
#define DEVICES "/sys/bus/pci/devices"
#define MEMLOCK_WANTED (1024 * MIB)

static const char iommu_todo[] =
	"switch the IOMMU on in the firmware and boot with intel_iommu=on or amd_iommu=on; mode sriov runs in the lab";

struct finding find_iommu(void)
{
	size_t n = count_entries(GROUPS);

	if (!n)
		return found(BAD, xstrdup("no IOMMU groups"), iommu_todo);
	return found(GOOD, xasprintf("%zu groups", n), NULL);
}

/* The module parameter that allows unsafe interrupts, or NULL when none does. */
static const char *unsafe_allowed(void)
{
	for (const char *const *p = iommu_unsafe_parameters(); *p; p++) {
		char *v = file_read_line(*p);
		bool yes = *v == 'Y';

		free(v);
		if (yes)
			return *p;
	}
	return NULL;
}

struct finding find_remapping(void)
{
	const char *allowed = unsafe_allowed();

	if (!count_entries(GROUPS))
		return found(INFO, xstrdup("no IOMMU"), NULL);
	if (iommu_remaps_interrupts())
		return found(GOOD, xstrdup("on"), NULL);
	if (allowed)
		return found(WARN, xasprintf("off, and %s is Y: a guest can forge interrupts", allowed),
			     "write N to it");
	return found(WARN, xstrdup("off: VFIO assigns nothing, because a device could forge interrupts"),
		     "switch it on in the firmware (x2APIC, interrupt remapping; no intremap=off), or --allow-unsafe-interrupts");
}

/* ---- SR-IOV cards: for each, a line of text about it ---- */

struct card {
	const char *name;      /* interface */
	char addr[PATH_MAX];   /* 0000:01:00.0 */
};

typedef void (*card_fn)(const struct card *c, struct strbuf *sb, enum verdict *v);

static char *device_line(const char *addr, const char *file)
{
	char *path = xasprintf(DEVICES "/%s/%s", addr, file), *line = file_read_line(path);

	free(path);
	return line;
}

/* What fn says of each card that has virtual functions to give, joined; INFO without one. */
static struct finding each_card(card_fn fn, const char *todo)
{
	struct strbuf sb = STRBUF_INIT;
	enum verdict v = GOOD;
	struct dirent **e;
	int n = scandir("/sys/class/net", &e, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		char *link = xasprintf("/sys/class/net/%s/device", e[i]->d_name);
		char *addr = file_link_name(link);
		char *total = device_line(text_or(addr, ""), "sriov_totalvfs");
		struct card c = {.name = e[i]->d_name};

		if (addr && atoi(total) > 0) {
			snprintf(c.addr, sizeof(c.addr), "%s", addr);
			strbuf_sep(&sb, ", ");
			fn(&c, &sb, &v);
		}
		free(total);
		free(addr);
		free(link);
		free(e[i]);
	}
	if (n >= 0)
		free(e);
	if (!sb.len)
		return found(INFO, xstrdup("no SR-IOV card"), NULL);
	if (v == GOOD)
		todo = NULL;
	return found(v, strbuf_take(&sb), todo);
}

static void say_functions(const struct card *c, struct strbuf *sb, enum verdict *v)
{
	char *now = device_line(c->addr, "sriov_numvfs"), *total = device_line(c->addr, "sriov_totalvfs");

	strbuf_addf(sb, "%s (%s of %s functions in use)", c->name, now, total);
	/* A run takes its functions away when it ends, so those that are left belong to somebody else. */
	if (atoi(now) > 0)
		*v = WARN;
	free(now);
	free(total);
}

struct finding find_sriov(void)
{
	struct finding f = each_card(say_functions, "name a free one with --vf=ADDR, or write 0 to the card's sriov_numvfs");

	if (f.verdict != INFO)
		return f;
	free(f.what);
	return found(BAD, xstrdup("no SR-IOV card"), "mode sriov runs in the lab");
}

static void say_group(const struct card *c, struct strbuf *sb, enum verdict *v)
{
	char *link = xasprintf(DEVICES "/%s/iommu_group", c->addr), *group = file_link_name(link);
	char *dir = xasprintf(GROUPS "/%s/devices", text_or(group, ""));
	size_t n = 0;

	if (group)
		n = count_entries(dir);
	if (!group)
		strbuf_addf(sb, "%s: no group", c->name);
	else if (n == 1)
		strbuf_addf(sb, "%s alone in group %s", c->name, group);
	else
		strbuf_addf(sb, "%s in group %s with %zu others", c->name, group, n - 1);
	if (n != 1)
		*v = WARN;
	free(dir);
	free(group);
	free(link);
}

struct finding find_groups(void)
{
	return each_card(say_group, "a group is assigned as a whole: use a slot whose ports have ACS; without an IOMMU there is none");
}

/* Offset of an extended capability in config space (PCIe 6.0, 7.6.3), 0: none, or no right to read that far.
 */
static unsigned extended_cap(int fd, unsigned id)
{
	unsigned at = 0x100;
	uint32_t head;

	for (int i = 0; i < 96 && at >= 0x100; i++) {
		if (pread(fd, &head, 4, (off_t)at) != 4 || !head || head == UINT32_MAX)
			return 0;
		if ((head & 0xffff) == id)
			return at;
		at = head >> 20 & ~3u;
	}
	return 0;
}

#define CAP_ACS     0x000d
#define ACS_CONTROL 6
/* Source validation, request and completion redirect, upstream forwarding: what Linux wants for a group of
 * one. */
#define ACS_WANTED  (1 << 0 | 1 << 2 | 1 << 3 | 1 << 4)

/* ACS of the port whose config space fd reads: "on", "off", or that it has none. */
static const char *acs_state(int fd, bool *on)
{
	unsigned at = extended_cap(fd, CAP_ACS);
	uint16_t control = 0;

	*on = false;
	if (!at)
		return "has none";
	if (pread(fd, &control, 2, (off_t)at + ACS_CONTROL) == 2)
		*on = (control & ACS_WANTED) == ACS_WANTED;
	return on_off(*on);
}

/* The port above the card. */
static void say_acs(const struct card *c, struct strbuf *sb, enum verdict *v)
{
	char *up = xasprintf(DEVICES "/%s/..", c->addr), *port_path = realpath(up, NULL), *config;
	const char *port = "";
	bool on = true;
	int fd;

	if (port_path)
		port = strrchr(port_path, '/') + 1;
	config = xasprintf(DEVICES "/%s/config", port);
	fd = open(config, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		strbuf_addf(sb, "%s: on the root complex, no port above it", c->name);
	else
		strbuf_addf(sb, "%s: port %s %s", c->name, port, acs_state(fd, &on));
	if (!on)
		*v = WARN;
	close_fd(&fd);
	free(config);
	free(port_path);
	free(up);
}

struct finding find_acs(void)
{
	return each_card(say_acs, "devices below such a port can reach one another past the IOMMU and share a group (root sees more)");
}

static void say_reset(const struct card *c, struct strbuf *sb, enum verdict *v)
{
	char *methods = device_line(c->addr, "reset_method");

	strbuf_addf(sb, "%s: %s", c->name, text_or(methods, "none"));
	/* Functions are reset through FLR (SR-IOV 1.1, 2.2.2); a card without it keeps what a guest left in
	 * it. */
	if (!strstr(methods, "flr"))
		*v = WARN;
	free(methods);
}

struct finding find_reset(void)
{
	return each_card(say_reset, "without a function-level reset a guest finds the device as the last one left it");
}

/* ---- all in all ---- */

static bool memlock_low(void)
{
	struct rlimit l;

	return geteuid() && !getrlimit(RLIMIT_MEMLOCK, &l) && l.rlim_cur < MEMLOCK_WANTED;
}

static bool no_driver(void)
{
	return !file_exists("/sys/bus/pci/drivers/vfio-pci");
}

static bool no_iommu(void)
{
	return !count_entries(GROUPS);
}

static bool no_remapping(void)
{
	return !no_iommu() && !iommu_remaps_interrupts() && !unsafe_allowed();
}

static bool no_card(void)
{
	struct finding f = find_sriov();
	bool none = f.verdict == BAD;

	free(f.what);
	free(f.todo);
	return none;
}

static bool not_root(void)
{
	return geteuid() != 0;
}

struct finding find_assignment(void)
{
	static const struct {
		bool (*blocks)(void);
		const char *what, *todo;
	} table[] = {
		{no_iommu, "no IOMMU", iommu_todo},
		{no_remapping, "no interrupt remapping", "switch it on in the firmware, or --allow-unsafe-interrupts"},
		{no_driver, "no vfio-pci", "modprobe vfio-pci"},
		{no_card, "no SR-IOV card", "mode sriov runs in the lab"},
		{not_root, "not root", "run as root: functions are made and bound through sysfs"},
		{memlock_low, "memory may not be locked", "raise RLIMIT_MEMLOCK (ulimit -l) above the guest's memory"},
	};
	struct strbuf sb = STRBUF_INIT;
	const char *todo = NULL;
	struct finding f;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (!table[i].blocks())
			continue;
		strbuf_sep(&sb, ", ");
		strbuf_adds(&sb, table[i].what);
		if (!todo)
			todo = table[i].todo; /* only the first thing to do is told */
	}
	if (!sb.len)
		return found(GOOD, xstrdup("nothing in the way"), NULL);
	f = found(BAD, xasprintf("blocked: %s", strbuf_str(&sb)), todo);
	strbuf_free(&sb);
	return f;
}
