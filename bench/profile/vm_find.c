// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "bench/profile/vm_find.h"

/* "-name guest=web,debug-threads=on" or "-name web" among the NUL-separated arguments of a QEMU. */
static void qemu_name(const char *args, size_t len, char *name, size_t size)
{
	for (const char *a = args; a < args + len; a += strlen(a) + 1) {
		if (strcmp(a, "-name") || a + 6 >= args + len)
			continue;
		a += 6;
		if (!strncmp(a, "guest=", 6))
			a += 6;
		snprintf(name, size, "%.*s", (int)strcspn(a, ","), a);
		return;
	}
}

static void find_name(pid_t pid, char *name, size_t size)
{
	struct strbuf sb = STRBUF_INIT;
	char path[64], *comm;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	comm = file_read_line(path);
	snprintf(name, size, "%s", comm);
	free(comm);
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	if (!file_read(path, &sb) && sb.len)
		qemu_name(sb.buf, sb.len, name, size);
	strbuf_free(&sb);
}

bool vm_of_pid(pid_t pid, struct vm *out)
{
	char dir[64], link[64];
	struct dirent *e;
	ssize_t len;
	DIR *d;

	*out = (struct vm){.pid = pid};
	snprintf(dir, sizeof(dir), "/proc/%d/fd", (int)pid);
	d = opendir(dir);
	while (d && (e = readdir(d))) {
		len = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);
		link[MAX(len, 0)] = '\0';
		out->vms += !strcmp(link, "anon_inode:kvm-vm");
		out->vcpus += !strncmp(link, "anon_inode:kvm-vcpu", 19);
	}
	if (d)
		closedir(d);
	if (out->vms)
		find_name(pid, out->name, sizeof(out->name));
	return out->vms;
}

static int by_pid(const void *a, const void *b)
{
	return ((const struct vm *)a)->pid - ((const struct vm *)b)->pid;
}

/*
 * Sorted by pid; caller frees. Needs the right to read the fds of other processes: what cannot be read is
 * not listed.
 */
static size_t vm_list(struct vm **out)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	struct vm vm;
	size_t n = 0;

	*out = NULL;
	while (d && (e = readdir(d))) {
		if (!isdigit((unsigned char)e->d_name[0]) || !vm_of_pid(atoi(e->d_name), &vm))
			continue;
		*out = xgrow(*out, n, sizeof(vm));
		(*out)[n++] = vm;
	}
	if (d)
		closedir(d);
	if (n)
		qsort(*out, n, sizeof(vm), by_pid);
	return n;
}

static void describe_vms(const struct vm *vm, size_t n, struct strbuf *sb)
{
	for (size_t i = 0; i < n; i++) {
		strbuf_sep(sb, ", ");
		strbuf_addf(sb, "%s (pid %d)", vm[i].name, (int)vm[i].pid);
	}
}

int vm_choose(const char *name, struct vm *out)
{
	struct strbuf all = STRBUF_INIT;
	struct vm *vm;
	size_t n = vm_list(&vm), found = 0;
	int err = 0;

	for (size_t i = 0; i < n; i++)
		if (!name || !strcmp(vm[i].name, name)) {
			*out = vm[i];
			found++;
		}
	describe_vms(vm, n, &all);
	if (found > 1) {
		log_error("%s: %zu virtual machines fit; choose one with --pid: %s", text_or(name, "which"),
			  found, strbuf_str(&all));
		err = -EINVAL;
	} else if (!n) {
		log_error("%s: no such virtual machine; no process here has a KVM VM; start one after `--`",
			  text_or(name, "profile"));
		err = -ENOENT;
	} else if (!found) {
		log_error("%s: no such virtual machine; there are: %s", name, strbuf_str(&all));
		err = -ENOENT;
	}
	strbuf_free(&all);
	free(vm);
	return err;
}
