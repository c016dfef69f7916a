// SPDX-License-Identifier: MIT
/* Where this guest's virtio devices have their registers. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "workloads/agent/agent.h"

#define DEVICES     "/sys/bus/virtio/devices"
#define RESOURCE_IO 0x100ull /* of a line of a PCI device's "resource" */

static const char *kind_name(const char *dir)
{
	static const char *const kinds[] = {[1] = "virtio-net", [2] = "virtio-blk", [3] = "virtio-console"};
	char *path = xasprintf("%s/device", dir), *text = file_read_line(path);
	unsigned long id = strtoul(text, NULL, 16);

	free(text);
	free(path);
	return id && id < ARRAY_SIZE(kinds) ? kinds[id] : "virtio";
}

static void say_region(bool pio, uint64_t first, uint64_t last, const char *device)
{
	char line[128];

	snprintf(line, sizeof(line), "region %s %llx %llx %s", pio ? "pio" : "mmio",
		 (unsigned long long)first, (unsigned long long)(last - first + 1), device);
	report_line(line);
}

/* Every BAR that it has. */
static void say_bars(const char *resources, const char *device)
{
	unsigned long long first, last, flags;
	int used;

	for (; sscanf(resources, "%llx %llx %llx%n", &first, &last, &flags, &used) == 3; resources += used)
		if (last > first)
			say_region(flags & RESOURCE_IO, first, last, device);
}

/* "c0001000-c0001fff : LNRO0005:00" */
static void say_platform(const char *iomem, const char *owner, const char *device)
{
	char *end = xasprintf(" : %s\n", owner), *name = xasprintf("%s-mmio", device);
	const char *at = strstr(iomem, end), *start = at;
	unsigned long long first, last;

	while (start && start > iomem && start[-1] != '\n')
		start--;
	if (start && sscanf(start, " %llx-%llx", &first, &last) == 2)
		say_region(false, first, last, name);
	free(name);
	free(end);
}

static void say_device(const char *name, const char *iomem)
{
	char *link = xasprintf(DEVICES "/%s", name), *dir = realpath(link, NULL), *device, *path;
	struct strbuf resources = STRBUF_INIT;

	free(link);
	if (!dir)
		return;
	device = xasprintf("%s%s", kind_name(dir), name + strcspn(name, "0123456789"));
	*strrchr(dir, '/') = '\0'; /* what the virtio device is on */
	path = xasprintf("%s/resource", dir);
	if (!file_read(path, &resources))
		say_bars(strbuf_str(&resources), device);
	else
		say_platform(iomem, strrchr(dir, '/') + 1, device);
	strbuf_free(&resources);
	free(path);
	free(device);
	free(dir);
}

void report_regions(void)
{
	struct strbuf iomem = STRBUF_INIT;
	DIR *d = opendir(DEVICES);
	struct dirent *e;

	file_read("/proc/iomem", &iomem);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			say_device(e->d_name, strbuf_str(&iomem));
	if (d)
		closedir(d);
	strbuf_free(&iomem);
}
