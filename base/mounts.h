/* SPDX-License-Identifier: MIT */
/* Which block devices are mounted. */
#ifndef BASE_MOUNTS_H
#define BASE_MOUNTS_H

#include <stdbool.h>
#include <sys/types.h>

#define MOUNT_PATH 256

/* Where the device, or a partition of it, is mounted in our namespace; false when it is not. */
bool mounted_on(dev_t dev, char where[MOUNT_PATH]);

#endif
