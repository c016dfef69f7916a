// SPDX-License-Identifier: MIT
/* Labs that are QEMU without KVM, and the one of them with SVM, an IOMMU and SR-IOV. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/strlist.h"
#include "bench/lab/lab_erratum.h"
#include "bench/lab/lab_impl.h"
#include "bench/lab/lab_qemu.h"
#include "bench/lab/lab_wire.h"
#include "bench/host/paths.h"
#include "bench/host/programs.h"
#include "workloads/workloads.h"

#define QEMU_MIN_MAJOR 8 /* the igb card */

char *lab_qemu_missing(char **version)
{
	char *v = qemu_version(), *why = NULL;

	if (!v)
		why = xasprintf("%s is not installed; run %s", qemu_program(), path_setup());
	else if (atoi(v) < QEMU_MIN_MAJOR)
		why = xasprintf("QEMU %s is too old (the igb SR-IOV card needs %d.0); run %s", v,
				QEMU_MIN_MAJOR, path_setup());
	if (version)
		*version = v;
	else
		free(v);
	return why;
}

static void args_text(struct strlist *a, const char *text)
{
	char *copy = xstrdup(text), *save;

	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		strlist_add(a, w);
	free(copy);
}

/* -virtfs parses commas; a path's own are doubled. */
static void add_virtfs(struct strlist *a, const char *path, const char *tag, bool readonly)
{
	struct strbuf sb = STRBUF_INIT;

	strlist_add(a, "-virtfs");
	strbuf_adds(&sb, "local,path=");
	for (; *path; path++) {
		strbuf_addc(&sb, *path);
		if (*path == ',')
			strbuf_addc(&sb, ',');
	}
	strbuf_addf(&sb, ",mount_tag=%s,security_model=none,multidevs=remap%s", tag,
		    text_if(readonly, ",readonly=on"));
	strlist_add(a, strbuf_str(&sb));
	strbuf_free(&sb);
}

static void add_share(struct strlist *a, struct strbuf *config, const char *dir, const char *tag)
{
	char *pair;

	if (!dir)
		return;
	pair = xasprintf("%s:%s", tag, dir);
	add_virtfs(a, dir, tag, false);
	lab_config_add(config, "rw", pair);
	free(pair);
}

/* The port's doorbell has no ioeventfd: it is answered in the vCPU's own thread, not when the host likes. */
static const char machine_common[] =
	"-machine q35 -nodefaults -no-user-config -display none -no-reboot "
	"-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny "
	"-device virtio-serial-pci,max_ports=4,ioeventfd=off -device virtserialport,chardev=ctl,name=" LAB_PORT;

/* Two igb cards on one hub are the wire: the lab's own and the peer's. */
static const char amd_devices[] =
	"-device intel-iommu,intremap=on,caching-mode=on "
	"-device pcie-root-port,id=rp1,slot=1,chassis=1 -netdev hubport,hubid=1,id=n0 -device igb,netdev=n0,bus=rp1 "
	"-device pcie-root-port,id=rp2,slot=2,chassis=2 -netdev hubport,hubid=1,id=n1 -device igb,netdev=n1,bus=rp2";

/*
 * An NVMe controller with four virtual functions, to each of which it can give five queues and as many
 * interrupts. At the end of the line: the devices before it keep their places.
 */
static const char amd_disk_devices[] =
	"-device pcie-root-port,id=rp3,slot=3,chassis=3 -device nvme-subsys,id=subsys "
	"-device nvme,id=nvme,serial=exitlab,subsys=subsys,bus=rp3,sriov_max_vfs=4,sriov_vq_flexible=20,"
	"sriov_vi_flexible=20,max_ioqpairs=24,msix_qsize=25 "
	"-device nvme-ns,drive=disk,bus=nvme,nsid=1,shared=on";

#define DISK_BYTES (64 * MIB)

/* See docs/lab.md: with these, two runs agree in every count and every virtual nanosecond. */
static const char machine_deterministic[] =
	"-accel tcg,thread=single -smp 1 -seed 1 -icount shift=1,sleep=off -rtc base=2024-01-01,clock=vm";

static const char machine_fast[] = "-accel tcg,thread=multi -smp 2";

/*
 * no_timer_check: a busy host gives the emulated timer no chance to tick in the moment for which the kernel
 * waits.
 */
static const char kernel_args[] = "console=ttyS0 panic=-1 intel_iommu=on mitigations=off quiet nokaslr nowatchdog "
				  "tsc=reliable random.trust_cpu=on no_timer_check";

static void add_cpu(struct strlist *a, const struct lab *lab, const struct qemu_machine *is)
{
	const char *random = text_if(lab->spec->deterministic, ",-rdrand,-rdseed");

	args_text(a, lab->spec->deterministic ? machine_deterministic : machine_fast);
	strlist_add(a, "-cpu");
	strlist_addf(a, "%s%s", is->cpu, random);
}

static void add_shares(struct strlist *a, const struct lab *lab, const struct machine_boot *boot)
{
	char *tree = machine_tree(lab->machine);

	add_virtfs(a, "/", "root", true);
	if (tree) {
		add_virtfs(a, tree, "packages", true);
		lab_config_add(boot->config, "packages", tree);
	}
	add_share(a, boot->config, path_checkout(), "rw0");
	add_share(a, boot->config, lab->spec->out_dir, "rw1");
	free(tree);
}

static void build_args(struct strlist *a, const struct lab *lab, const struct machine_boot *boot,
		       const struct qemu_machine *is, int peer_fd, int disk_fd)
{
	strlist_add(a, qemu_program());
	add_cpu(a, lab, is);
	strlist_add(a, "-chardev");
	if (lab->channel == LAB_LEAVES)
		strlist_addf(a, "file,id=ctl,path=/proc/self/fd/%d", peer_fd);
	else
		strlist_addf(a, "socket,id=ctl,fd=%d", peer_fd);
	args_text(a, machine_common);
	args_text(a, is->devices);
	if (disk_fd >= 0) {
		strlist_add(a, "-blockdev");
		strlist_addf(a, "driver=file,node-name=disk,filename=/proc/self/fd/%d,locking=off", disk_fd);
		args_text(a, is->disk_devices);
	}
	strlist_add(a, "-m");
	strlist_addf(a, "%llu", (unsigned long long)lab->mem_mib);
	strlist_add(a, "-serial");
	strlist_addf(a, "file:/proc/self/fd/%d", lab->console_fd);
	is->add_kernel(a, boot);
	if (lab->channel == LAB_TALKS)
		add_shares(a, lab, boot);
}

static int open_channel(int pair[2])
{
	return errno_if(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
}

/* A file takes bytes at once, however slow we are: no timing of the host reaches the guest. */
static int open_file_channel(int pair[2])
{
	pair[0] = memfd_create("lab-results", MFD_CLOEXEC);
	if (pair[0] < 0)
		return -errno;
	pair[1] = fcntl(pair[0], F_DUPFD_CLOEXEC, 3);
	return errno_if(pair[1] < 0);
}

/* In memory, and gone with the lab. One that is deterministic has the disk only when it is wanted. */
static int open_disk(const struct lab *lab, const struct qemu_machine *is, int *fd)
{
	if (!is->disk_devices || (lab->spec->deterministic && !lab->spec->nvme))
		return 0;
	*fd = memfd_create("lab-disk", MFD_CLOEXEC);
	return errno_if(*fd < 0 || ftruncate(*fd, DISK_BYTES));
}

/* What the lab may write to, and QEMU with it: the shares, if it has any. */
static void list_writable(const struct lab *lab, const char *dirs[3])
{
	const char *const all[] = {path_checkout(), lab->spec->out_dir};
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all) && lab->channel == LAB_TALKS; i++)
		if (all[i])
			dirs[n++] = all[i];
	dirs[n] = NULL;
}

static int qemu_spawn(struct lab *lab, const struct machine_boot *boot, const struct qemu_machine *is,
		      int peer_fd)
{
	int disk_fd = -1, err = open_disk(lab, is, &disk_fd), n = 2;
	int keep[4] = {peer_fd, lab->console_fd};
	const char *writable[3];
	struct proc_opts po = {.keep_fds = keep,
			       .stdout_fd = lab->log_fd,
			       .stderr_fd = lab->log_fd,
			       .writable = writable,
			       .new_group = true};
	struct strlist a = STRLIST_INIT;

	list_writable(lab, writable);
	if (lab->image_fd >= 0)
		keep[n++] = lab->image_fd;
	if (disk_fd >= 0)
		keep[n++] = disk_fd;
	po.n_keep = n;
	build_args(&a, lab, boot, is, peer_fd, disk_fd);
	if (!err)
		err = proc_spawn(&lab->emulator, a.v, &po);
	if (err)
		log_error("lab: %s: %s", a.v[0], strerror(-err));
	close_fd(&disk_fd);
	strlist_free(&a);
	return err;
}

int lab_qemu_start(struct lab *lab, const struct machine_boot *boot, const struct qemu_machine *is)
{
	int pair[2] = {-1, -1}, err;

	if (lab->channel == LAB_LEAVES)
		err = open_file_channel(pair);
	else
		err = open_channel(pair);
	if (!err)
		err = qemu_spawn(lab, boot, is, pair[1]);
	if (err)
		goto out;
	lab_erratum_mend(lab->emulator.pid, is->errata);
	/*
	 * Under instruction counting two of QEMU's threads take turns; on a busy machine each waits for a
	 * core every time (load 11 on 2 cores: 17 turns a second, 35 with this). Root only, and no harm
	 * when it is refused.
	 */
	if (lab->spec->deterministic)
		setpriority(PRIO_PROCESS, (id_t)lab->emulator.pid, -10);
	lab->ctl_fd = pair[0];
	pair[0] = -1;
	/* A QEMU that has ended already is the session's to notice, and to explain. */
	if (lab->channel == LAB_TALKS)
		lab_send_frame(lab, LAB_CONFIG, boot->config->buf, boot->config->len);
out:
	close_fd(&pair[0]);
	close_fd(&pair[1]);
	return err;
}

static void amd_add_kernel(struct strlist *a, const struct machine_boot *boot)
{
	strlist_add(a, "-kernel");
	strlist_add(a, boot->vmlinux);
	strlist_add(a, "-initrd");
	strlist_add(a, boot->initrd);
	strlist_add(a, "-append");
	strlist_add(a, boot->command_line);
}

static int amd_start(struct lab *lab, const struct machine_boot *boot)
{
	static const struct qemu_machine amd = {"EPYC-v4,+svm", amd_devices, 1 << ERRATUM_DELIVERY,
						amd_add_kernel, amd_disk_devices};

	return lab_qemu_start(lab, boot, &amd);
}

static const char *const modules[] = {
	"virtio_pci", "virtio_console", "9p", "9pnet_virtio", "overlay", /* what the lab itself needs */
	"kvm_amd", "vhost_net", "tun", "veth", "bridge", "igb", "vfio_iommu_type1", "vfio-pci",
	NULL,
};

/* With more than 2 GiB the card's mailbox for virtual functions stays silent. */
const struct machine machine_amd = {
	.name = "amd",
	.substrate = "lab",
	.emulator = "QEMU",
	.summary = "QEMU: SVM with nested paging, an IOMMU, two SR-IOV cards on one wire, an NVMe controller with functions, your files",
	.kvm = "kvm_amd",
	.has = ~(unsigned)NEED_XEN,
	.mem_mib = 2048,
	.channel = LAB_TALKS,
	.deterministic_channel = LAB_LEAVES,
	.modules = modules,
	.kernel_args = kernel_args,
	.missing = lab_qemu_missing,
	.start = amd_start,
};
