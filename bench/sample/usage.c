// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/strbuf.h"
#include "bench/sample/usage.h"

uint64_t usage_cpu_ns(pid_t pid)
{
	char *tasks = xasprintf("/proc/%d/task", pid);
	DIR *d = opendir(tasks);
	struct dirent *e;
	uint64_t sum = 0;

	while (d && (e = readdir(d))) {
		char *path = xasprintf("%s/%s/schedstat", tasks, e->d_name), *line = file_read_line(path);

		sum += strtoull(line, NULL, 10); /* "." and ".." have none */
		free(line);
		free(path);
	}
	if (d)
		closedir(d);
	free(tasks);
	return sum;
}

uint64_t usage_smaps_beside(const char *smaps, uint64_t guest_bytes)
{
	unsigned long long from, to, kib;
	uint64_t sum = 0, size = 0;

	for (const char *s = smaps; s; s = strchr(s, '\n')) {
		s += strspn(s, "\n");
		if (sscanf(s, "%llx-%llx ", &from, &to) == 2)
			size = to - from;
		else if (sscanf(s, "Rss: %llu kB", &kib) == 1 && size < guest_bytes)
			sum += kib * 1024;
	}
	return sum;
}

uint64_t usage_rss_beside(pid_t pid, uint64_t guest_bytes)
{
	char *path = xasprintf("/proc/%d/smaps", pid);
	struct strbuf sb = STRBUF_INIT;
	uint64_t sum = 0;

	if (!file_read(path, &sb))
		sum = usage_smaps_beside(strbuf_str(&sb), guest_bytes);
	strbuf_free(&sb);
	free(path);
	return sum;
}
