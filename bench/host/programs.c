// SPDX-License-Identifier: MIT
#include "bench/host/programs.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/proc.h"
#include "base/strbuf.h"

const char *tool_program(const char *tool)
{
	if (!strcmp(tool, "iperf3"))
		return "/usr/bin/iperf3";
	return strcmp(tool, "fio") ? NULL : "/usr/bin/fio";
}

const char *storage_daemon_program(void)
{
	return "/usr/bin/qemu-storage-daemon";
}

const char *nvme_program(void)
{
	return "/usr/sbin/nvme";
}

const char *qemu_program(void)
{
	return text_or(getenv("EXITLAB_QEMU"), "qemu-system-x86_64");
}

char *qemu_version(void)
{
	char *argv[] = {(char *)qemu_program(), "--version", NULL};
	struct strbuf out = STRBUF_INIT;
	char *v = NULL;

	if (proc_run(argv, &out, 20 * NSEC_PER_SEC) == 0) {
		/* "QEMU emulator version 10.0.2 (...)" */
		const char *s = strstr(strbuf_str(&out), "version ");

		if (s)
			v = xasprintf("%.*s", (int)strcspn(s + 8, " \n("), s + 8);
	}
	strbuf_free(&out);
	return v;
}
