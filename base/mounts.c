// SPDX-License-Identifier: MIT
#include "base/mounts.h"

#include <stdio.h>
#include <sys/sysmacros.h>

/* Is a:b the device dev, or one of its partitions? */
static bool is_part_of(unsigned a, unsigned b, dev_t dev)
{
	unsigned whole_major = 0, whole_minor = 0;
	char path[128];
	FILE *f;

	if (a == major(dev) && b == minor(dev))
		return true;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", a, b);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (fscanf(f, "%u:%u", &whole_major, &whole_minor) != 2)
		whole_major = 0;
	fclose(f);
	return whole_major == major(dev) && whole_minor == minor(dev);
}

bool mounted_on(dev_t dev, char where[MOUNT_PATH])
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096];
	bool found = false;

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f)) {
		unsigned a, b;

		found = sscanf(line, "%*u %*u %u:%u %*s %255s", &a, &b, where) == 3 &&
			is_part_of(a, b, dev);
	}
	fclose(f);
	return found;
}
