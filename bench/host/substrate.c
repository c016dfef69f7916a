// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/strbuf.h"
#include "bench/host/kmod.h"
#include "bench/host/nvme_vf.h"
#include "bench/host/outer.h"
#include "bench/host/substrate.h"
#include "workloads/workloads.h"

static bool cpu_flag(const char *flag)
{
	struct strbuf sb = STRBUF_INIT;
	bool found = false;
	char *flags, *end;

	if (!file_read("/proc/cpuinfo", &sb) && (flags = strstr(sb.buf, "\nflags"))) {
		end = strchr(flags + 1, '\n');
		if (end)
			*end = '\0';
		found = strstr(flags, flag) != NULL;
	}
	strbuf_free(&sb);
	return found;
}

enum kvm_backend host_kvm_backend(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), api;

	if (fd < 0)
		return KVM_NONE;
	api = ioctl(fd, KVM_GET_API_VERSION, 0);
	close(fd);
	if (api != KVM_API_VERSION)
		return KVM_NONE;
	if (file_exists("/sys/module/kvm_amd"))
		return KVM_SVM;
	if (file_exists("/sys/module/kvm_intel"))
		return KVM_VMX;
	/* Built in: the CPU says which; neither extension means a software back end (PVM). */
	if (cpu_flag(" svm "))
		return KVM_SVM;
	if (cpu_flag(" vmx "))
		return KVM_VMX;
	return KVM_PVM;
}

const char *kvm_backend_name(enum kvm_backend b)
{
	static const char *const names[] = {"none", "vmx", "svm", "pvm", "other"};

	return names[b];
}

static bool tap_works(void)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool kvm_runs_linux(void)
{
	enum kvm_backend b = host_kvm_backend();

	return b == KVM_SVM || b == KVM_VMX;
}

static bool has_root(void)
{
	return geteuid() == 0;
}

static bool has_kvm(void)
{
	return host_kvm_backend() != KVM_NONE;
}

static bool has_kvm_xen(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), has = 0;

	if (fd >= 0)
		has = ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_XEN_HVM);
	close_fd(&fd);
	return has > 0 && has & KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL;
}

/* The tools that this host has are the other half of the question: the adapter's. */
static bool has_xen(void)
{
	char *capabilities = file_read_line("/proc/xen/capabilities");
	bool dom0 = strstr(capabilities, "control_d");

	free(capabilities);
	return dom0;
}

static bool has_vhost(void)
{
	return access("/dev/vhost-net", R_OK | W_OK) == 0;
}

static bool has_vhost_scsi(void)
{
	return file_exists("/dev/vhost-scsi") || kmod_exists("vhost_scsi");
}

static bool has_vdpa(void)
{
	return kmod_exists("vduse") && kmod_exists("vhost_vdpa");
}

static bool has_vfio(void)
{
	struct dirent *e;
	bool any = false;
	DIR *d = opendir("/sys/kernel/iommu_groups");

	while (d && !any && (e = readdir(d)))
		any = e->d_name[0] != '.';
	if (d)
		closedir(d);
	return any;
}

static bool has_null_blk(void)
{
	return kmod_exists("null_blk");
}

static bool has_brd(void)
{
	return kmod_exists("brd");
}

/* A lab's is found when its driver is there. */
static bool has_nvme_vf(void)
{
	char *controller;
	bool has;

	if (lab_inside())
		return true;
	controller = nvme_vf_find();
	has = controller;
	free(controller);
	return has;
}

unsigned host_lacks(unsigned needs, char **why)
{
	static const struct {
		unsigned need;
		bool (*ok)(void);
		const char *lack;
	} table[] = {
		{NEED_KVM, has_kvm, "no usable /dev/kvm"},
		{NEED_KVM_LINUX, kvm_runs_linux, "its KVM cannot run Linux guests"},
		{NEED_KVM_XEN, has_kvm_xen, "its kernel is built without CONFIG_KVM_XEN, or before 5.12"},
		{NEED_ROOT, has_root, "not root"},
		{NEED_TAP, tap_works, "no /dev/net/tun"},
		{NEED_VHOST, has_vhost, "no /dev/vhost-net"},
		{NEED_VHOST_SCSI, has_vhost_scsi, "its kernel has no module vhost_scsi"},
		{NEED_VDPA, has_vdpa, "its kernel has no modules vduse and vhost_vdpa; Debian's has from 6.12 on"},
		{NEED_VFIO, has_vfio, "no IOMMU groups: switch it on (firmware, intel_iommu=on or amd_iommu=on)"},
		{NEED_XEN, has_xen, "it is not dom0 of Xen"},
		{NEED_NULL_BLK, has_null_blk, "its kernel has no module null_blk; --medium=file needs none"},
		{NEED_BRD, has_brd, "its kernel has no module brd; --medium=file needs none"},
		{NEED_NVME_VF, has_nvme_vf, "no NVMe controller with SR-IOV"},
		{NEED_LAB, lab_inside, "paging=, apicv= and their like load KVM's module anew, under the feet of other guests"},
	};
	unsigned lacks = 0;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (!(needs & table[i].need) || table[i].ok())
			continue;
		if (!lacks && why)
			*why = xstrdup(table[i].lack);
		lacks |= table[i].need;
	}
	return lacks;
}
