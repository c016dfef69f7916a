// SPDX-License-Identifier: MIT
#include "bench/vmms/domain/vbd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/log.h"

int vbd_number(const char *path, char *buf, size_t size)
{
	struct stat st;
	int err = errno_if(stat(path, &st));

	if (!err && !S_ISBLK(st.st_mode))
		err = -ENOTBLK;
	if (err)
		log_error("%s: %s; a domain's disk is a block device of dom0", path, strerror(-err));
	else
		snprintf(buf, size, "%x:%x", major(st.st_rdev), minor(st.st_rdev));
	return err;
}
