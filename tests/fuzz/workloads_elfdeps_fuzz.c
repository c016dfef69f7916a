// SPDX-License-Identifier: MIT
/* libFuzzer: a program of a stranger, whose libraries go into a guest's image. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "workloads/elfdeps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strlist out = STRLIST_INIT;
	char path[32];
	int fd = memfd_create("program", MFD_CLOEXEC);

	log_init("fuzz", -1);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	elf_deps(path, NULL, &out);
	strlist_free(&out);
	close(fd);
	return 0;
}
