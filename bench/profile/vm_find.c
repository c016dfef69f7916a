// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "bench/profile/vm_find.h"

#define ARGS_READ   (128 << 10) /* a QEMU of libvirt's has 10 KiB, its name in front */
#define CGROUP_READ (16 << 10)

/* Of a process's file what it begins with: a process may make its arguments as long as it likes. */
static char *read_start(const char *proc, pid_t pid, const char *file, size_t size, size_t *len)
{
	char *path = xasprintf("%s/%d/%s", proc, (int)pid, file), *text = xcalloc(1, size + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	if (fd >= 0)
		n = fd_read_full(fd, text, size);
	close_fd(&fd);
	free(path);
	*len = (size_t)MAX(n, 0);
	return text;
}

static void find_name(const char *proc, pid_t pid, struct vm_name *name)
{
	size_t comm_len, args_len, cgroup_len;
	char *comm = read_start(proc, pid, "comm", VM_NAME, &comm_len);
	char *args = read_start(proc, pid, "cmdline", ARGS_READ, &args_len);
	char *cgroup = read_start(proc, pid, "cgroup", CGROUP_READ, &cgroup_len);

	if (comm_len && comm[comm_len - 1] == '\n')
		comm[comm_len - 1] = '\0';
	vm_name_find(name, comm, args, args_len, cgroup);
	free(comm);
	free(args);
	free(cgroup);
}

static void count_fds(const char *proc, struct vm *vm)
{
	char *dir = xasprintf("%s/%d/fd", proc, (int)vm->pid), link[64];
	DIR *d = opendir(dir);
	struct dirent *e;
	ssize_t len;

	while (d && (e = readdir(d))) {
		len = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);
		link[MAX(len, 0)] = '\0';
		vm->vms += !strcmp(link, "anon_inode:kvm-vm");
		vm->vcpus += !strncmp(link, "anon_inode:kvm-vcpu", 19);
	}
	if (d)
		closedir(d);
	free(dir);
}

static bool vm_read(const char *proc, pid_t pid, struct vm *out)
{
	*out = (struct vm){.pid = pid, .name.manager = ""};
	count_fds(proc, out);
	if (out->vms)
		find_name(proc, pid, &out->name);
	return out->vms;
}

bool vm_of_pid(pid_t pid, struct vm *out)
{
	return vm_read("/proc", pid, out);
}

void vm_name_of_pid(pid_t pid, struct vm_name *name)
{
	find_name("/proc", pid, name);
}

static int by_pid(const void *a, const void *b)
{
	return ((const struct vm *)a)->pid - ((const struct vm *)b)->pid;
}

/*
 * Sorted by pid; caller frees. Needs the right to read the fds of other processes: what cannot be read is
 * not listed.
 */
static size_t vm_list(const char *proc, struct vm **out)
{
	DIR *d = opendir(proc);
	struct dirent *e;
	struct vm vm;
	size_t n = 0;

	*out = NULL;
	while (d && (e = readdir(d))) {
		if (!isdigit((unsigned char)e->d_name[0]) || !vm_read(proc, atoi(e->d_name), &vm))
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
		strbuf_addf(sb, "%s (pid %d)", vm[i].name.text, (int)vm[i].pid);
	}
}

int vm_choose(const char *proc, const char *name, struct vm *out)
{
	struct strbuf all = STRBUF_INIT;
	struct vm *vm;
	size_t n = vm_list(proc, &vm), found = 0;
	int err = 0;

	for (size_t i = 0; i < n; i++)
		if (!name || vm_name_is(&vm[i].name, name)) {
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
