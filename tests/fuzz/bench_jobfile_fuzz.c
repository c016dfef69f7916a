// SPDX-License-Identifier: MIT
/* libFuzzer: job files of `bench sweep`. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "bench/plan/jobfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jobfile f = {0};
	char path[32];
	int fd = memfd_create("job", MFD_CLOEXEC);

	log_init("fuzz", LOG_ERROR);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (jobfile_read(&f, path) == 0) {
		for (size_t i = 0; i < f.n; i++)
			if (!f.v[i].args.n || f.v[i].args.v[f.v[i].args.n])
				abort();
		jobfile_free(&f);
	}
	close(fd);
	return 0;
}
