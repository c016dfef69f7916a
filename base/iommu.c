// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/iommu.h"

#if defined(__x86_64__) || defined(__i386__)
bool iommu_remaps_interrupts(void)
{
	struct strbuf sb = STRBUF_INIT;
	/* The kernel names a remapped interrupt's chip "IR-...", with Intel's and with AMD's IOMMU. */
	bool yes = !file_read("/proc/interrupts", &sb) && strstr(strbuf_str(&sb), " IR-");

	strbuf_free(&sb);
	return yes;
}
#else
bool iommu_remaps_interrupts(void)
{
	return true;
}
#endif

const char *const *iommu_unsafe_parameters(void)
{
	static const char *const all[] = {IOMMU_UNSAFE_TYPE1, IOMMU_UNSAFE_IOMMUFD};
	static const char *here[ARRAY_SIZE(all) + 1];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (file_exists(all[i]))
			here[n++] = all[i];
	here[n] = NULL;
	return here;
}

/* "[01:10.0]" and, before 5.13, "[0x01:0x10.0]"; DMAR's lines leave the domain out. */
static bool is_device(const char *text, const char *addr)
{
	unsigned dom, bus, slot, fn, b, s, f;

	return sscanf(addr, "%x:%x:%x.%x", &dom, &bus, &slot, &fn) == 4 &&
	       sscanf(text, "%x:%x.%x", &b, &s, &f) == 3 && b == bus && s == slot && f == fn;
}

bool iommu_fault_parse(const char *line, const char *addr, uint64_t *at)
{
	const char *device = strstr(line, "Request device ["), *where = strstr(line, "fault addr ");

	if (device && where && is_device(device + strlen("Request device ["), addr)) {
		*at = strtoull(where + strlen("fault addr "), NULL, 16);
		return true;
	}
	where = strstr(line, "address=");
	if (!strstr(line, "IO_PAGE_FAULT") || !where)
		return false;
	/* Named as the driver's device before the message, or inside it, without the domain on old kernels.
	 */
	device = strstr(line, "device=");
	if (!strstr(line, addr) && !(device && is_device(device + strlen("device="), addr)))
		return false;
	*at = strtoull(where + strlen("address="), NULL, 16);
	return true;
}

int iommu_watch_open(struct iommu_watch *w, const char *addr)
{
	*w = (struct iommu_watch){.fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
	snprintf(w->addr, sizeof(w->addr), "%s", addr);
	if (w->fd < 0)
		return -errno;
	lseek(w->fd, 0, SEEK_END);
	return 0;
}

uint64_t iommu_watch_read(struct iommu_watch *w)
{
	uint64_t before = w->faults, at;
	char line[8192];

	while (w->fd >= 0) {
		/* One record each; EPIPE says that some were overwritten before we came. */
		ssize_t n = read(w->fd, line, sizeof(line) - 1);

		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue;
		if (n <= 0)
			break;
		line[n] = '\0';
		if (!iommu_fault_parse(line, w->addr, &at))
			continue;
		if (!w->faults++)
			w->first = at;
	}
	return w->faults - before;
}

void iommu_watch_close(struct iommu_watch *w)
{
	close_fd(&w->fd);
}
