// SPDX-License-Identifier: MIT
/* Names of virtual machines, from arguments and control groups as their managers write them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "bench/profile/vm_find.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UID_V2 "kubepods-burstable-pod7b1c0e0e_1111_2222_3333_0123456789ab.slice"

/* Arguments have blanks between them here. */
struct name_case {
	const char *program, *args, *cgroups;
	const char *text, *manager, *pod, *container;
	const char *also; /* another name that fits; NULL: none is asked */
};

static const struct name_case cases[] = {
	{"vmm", "vmm --kernel x", "0::/\n", "vmm", "", "", "", "vmm"},
	{"qemu-system-x86", "qemu-system-x86_64 -name web", "", "web", "", "", "", "qemu-system-x86"},
	{"kvm", "/usr/bin/kvm -id 100 -name debug-threads=on,guest=web", "", "web", "", "", "", "kvm"},
	{"qemu", "qemu -name guest=a,,b,debug-threads=on", "", "a,b", "", "", "", NULL},
	{"qemu", "qemu -name", "", "qemu", "", "", "", NULL},
	{"qemu", "qemu -name web=", "", "qemu", "", "", "", NULL},
	{"qemu-system-x86", "qemu -name guest=web,debug-threads=on",
	 "0::/machine.slice/machine-qemu\\x2d3\\x2dweb.scope/libvirt/emulator\n", "web", "libvirt", "", "",
	 "qemu-3-web"},
	{"qemu-system-x86", "qemu", "0::/machine.slice/machine-qemu\\x2d12\\x2dmy\\x2dweb.scope\n", "my-web",
	 "libvirt", "", "", "qemu-12-my-web"},
	{"qemu-system-x86", "qemu", "9:cpuset:/machine/qemu-1-old.libvirt-qemu/emulator\n1:name=systemd:/x\n",
	 "old", "libvirt", "", "", NULL},
	{"qemu-system-x86", "qemu", "0::/machine.slice/machine-fed\\x2eora.scope/payload\n", "fed.ora",
	 "machined", "", "", NULL},
	{"qemu-system-x86", "qemu -name deb", "0::/machine.slice/systemd-vmspawn@deb12.service\n", "deb",
	 "machined", "", "", "deb12"},
	{"firecracker", "/firecracker --id=551e7604-e35c --start-time-us=1",
	 "0::/firecracker/551e7604-e35c\n", "551e7604-e35c", "firecracker", "", "", "firecracker"},
	{"firecracker", "firecracker --id vm1 --no-api", "", "vm1", "firecracker", "", "", NULL},
	{"firecracker", "firecracker --no-api", "0::/firecracker/vm2\n", "vm2", "firecracker", "", "", NULL},
	{"qemu", "qemu --id=x", "", "qemu", "", "", "", NULL},
	{"lkvm", "lkvm run --name guest-1", "", "guest-1", "", "", "", NULL},
	{"crosvm", "crosvm run --name=c1", "", "c1", "", "", "", NULL},
	{"qemu-system-x86", "qemu -m 4 -name lima-default", "0::/user.slice\n", "lima-default", "lima", "",
	 "", "default"},
	{"qemu-system-x86", "qemu -name lima-colima-k8s", "", "lima-colima-k8s", "colima", "", "", "k8s"},
	{"qemu-system-x86", "qemu -name lima-colima", "", "lima-colima", "colima", "", "", "colima"},
	{"qemu-system-x86", "qemu -name lima-colimax", "", "lima-colimax", "lima", "", "", "colimax"},
	{"qemu-kvm", "qemu-kvm -name guest=prod_web_1,debug-threads=on",
	 "0::/kubepods.slice/kubepods-burstable.slice/" UID_V2 "/cri-containerd-" HEX64 ".scope\n",
	 "prod_web_1", "kubevirt", "7b1c0e0e-1111-2222-3333-0123456789ab", "0123456789ab", "prod/web_1"},
	{"qemu-kvm", "qemu-kvm -name guest=a_b",
	 "4:memory:/kubepods/besteffort/pod7b1c0e0e-1111-2222-3333-0123456789ab/" HEX64 "\n", "a_b",
	 "kubevirt", "7b1c0e0e-1111-2222-3333-0123456789ab", "0123456789ab", "b"},
	{"qemu-kvm", "qemu-kvm -name sandbox-1", "0::/x/" UID_V2 "/crio-" HEX64 ".scope\n", "sandbox-1", "",
	 "7b1c0e0e-1111-2222-3333-0123456789ab", "0123456789ab", "7b1c0e0e-1111-2222-3333-0123456789ab"},
	{"vmm", "vmm", "0::/system.slice/docker-" HEX64 ".scope\n", "vmm", "", "", "0123456789ab",
	 "0123456789ab"},
	/* No pod, no container, no machine. */
	{"vmm", "vmm", "0::/podman/pods/pod12/kubepods-x/docker-0123.scope/" HEX64 "0/machine-.scope\n",
	 "vmm", "", "", "", NULL},
	/* A line of its own, a colour, text that runs backwards; escapes that are none. */
	{"qemu", "qemu -name guest=a\nb\033[31m\xe2\x80\xae", "", "a b?[31m???", "", "", "", NULL},
	{"qemu", "qemu", "0::/machine.slice/machine-a\\x0ab\\x1b\\xzz\\x2.scope\n", "a b?\\xzz\\x2",
	 "machined", "", "", NULL},
	{"a\033\xff", "", "", "a??", "", "", "", NULL},
	{"", "", "", "", "", "", "", NULL},
};

/* Blanks into NULs, one behind the last. Caller frees. */
static char *arguments(const char *text)
{
	char *args = xasprintf("%s ", text);

	for (char *c = strchr(args, ' '); c; c = strchr(c + 1, ' '))
		*c = '\0';
	return args;
}

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct name_case *c = &cases[i];
		char *args = arguments(c->args);
		struct vm_name n;

		vm_name_find(&n, c->program, args, strlen(c->args) + 1, c->cgroups);
		if (strcmp(n.text, c->text) || strcmp(n.manager, c->manager) || strcmp(n.pod, c->pod) ||
		    strcmp(n.container, c->container))
			fail_msg("case %zu, %s: \"%s\" of \"%s\", pod \"%s\", container \"%s\"", i, c->args, n.text,
				 n.manager, n.pod, n.container);
		if (c->also && !vm_name_is(&n, c->also))
			fail_msg("case %zu, %s: is not %s", i, c->args, c->also);
		assert_false(vm_name_is(&n, "other"));
		assert_false(vm_name_is(&n, ""));
		free(args);
	}
}

/* Cut, and still found under what it was told, however long that is. */
static void test_endless_names(void **state)
{
	char *much = xcalloc(1, 100001), *args, *cgroups;
	struct vm_name n;

	(void)state;
	memset(much, 'a', 100000);
	args = xcalloc(1, 100100);
	memcpy(args, "qemu\0-name\0guest=", 17);
	memcpy(args + 17, much, 100000);
	cgroups = xasprintf("0::/machine.slice/machine-%s.scope/%s/%s\n%s", much, much, much, much);
	vm_name_find(&n, much, args, 17 + 100000, cgroups);
	assert_int_equal(strlen(n.text), VM_NAME - 1);
	assert_true(vm_name_is(&n, much));
	/* A character that the cut would halve is none. */
	memcpy(args + 17 + VM_NAME - 2, "\xc3\xa9", 2);
	vm_name_find(&n, "qemu", args, 17 + 100000, "");
	assert_int_equal(n.text[VM_NAME - 2], '?');
	free(cgroups);
	free(args);
	free(much);
}

/* ---- a /proc of our own ---- */

static char proc[] = "/tmp/exitlab-vmname-XXXXXX";

static void put(int pid, const char *file, const char *data, size_t len)
{
	char *path = xasprintf("%s/%d/%s", proc, pid, file);

	assert_int_equal(file_write_atomic(path, data, len), 0);
	free(path);
}

/* With a VM when it has vCPUs. */
static void add_process(int pid, const char *args, const char *cgroups, int vcpus)
{
	char *dir = xasprintf("%s/%d/fd", proc, pid), *data = arguments(args);

	assert_int_equal(dir_make_all(dir), 0);
	for (int i = -1; i < vcpus && vcpus; i++) {
		char *fd = xasprintf("%s/%d", dir, i + 10);

		assert_int_equal(symlink(i < 0 ? "anon_inode:kvm-vm" : "anon_inode:kvm-vcpu:0", fd), 0);
		free(fd);
	}
	put(pid, "comm", "qemu-system-x86\n", 16);
	put(pid, "cmdline", data, strlen(args) + 1);
	put(pid, "cgroup", cgroups, strlen(cgroups));
	free(data);
	free(dir);
}

static int make_proc(void **state)
{
	char *endless = xcalloc(1, 4 << 20);

	(void)state;
	if (!mkdtemp(proc))
		return -1;
	add_process(11, "qemu -name guest=web,debug-threads=on", "0::/\n", 2);
	add_process(12, "qemu -name guest=db", "0::/machine.slice/machine-qemu\\x2d7\\x2ddb.scope\n", 1);
	add_process(13, "bash -name web", "0::/\n", 0);
	add_process(14, "qemu -name guest=twin", "0::/\n", 1);
	add_process(15, "qemu -name guest=twin", "0::/\n", 1);
	memset(endless, 'x', 4 << 20); /* no argument ever ends, and -name never comes */
	add_process(16, "qemu", "0::/\n", 1);
	put(16, "cmdline", endless, 4 << 20);
	put(16, "cgroup", endless, 4 << 20);
	put(16, "comm", "sink\n", 5);
	free(endless);
	return 0;
}

static int remove_proc(void **state)
{
	(void)state;
	return dir_remove_all(proc);
}

static void test_choice(void **state)
{
	static const struct {
		const char *name;
		int err, pid;
		unsigned vcpus;
	} wants[] = {
		{"web", 0, 11, 2},	  {"db", 0, 12, 1},	{"qemu-7-db", 0, 12, 1},
		{"sink", 0, 16, 1},	  {"bash", -ENOENT, 0, 0}, {"we", -ENOENT, 0, 0},
		{"twin", -EINVAL, 0, 0}, {NULL, -EINVAL, 0, 0}, {"qemu-system-x86", -EINVAL, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wants); i++) {
		struct vm vm = {.pid = 0};
		int err = vm_choose(proc, wants[i].name, &vm);

		if (err != wants[i].err || (!err && (vm.pid != wants[i].pid || vm.vcpus != wants[i].vcpus)))
			fail_msg("%s: %d, pid %d", text_or(wants[i].name, "(none)"), err, (int)vm.pid);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_endless_names),
		cmocka_unit_test_setup_teardown(test_choice, make_proc, remove_proc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
