// SPDX-License-Identifier: MIT
/* The VMM's program: options become a machine, which runs until the guest, a signal or an error ends it. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/end.h"
#include "base/log.h"
#include "vmm/args.h"
#include "vmm/block/disk.h"
#include "vmm/kvm/enter.h"
#include "vmm/kvm/kvm.h"
#include "vmm/devices.h"
#include "vmm/pci/core.h"
#include "vmm/platform/acpi.h"
#include "vmm/platform/platform.h"
#include "vmm/sandbox/sandbox.h"

struct machine {
	struct args args;
	struct vm *vm;
	struct platform *platform;
	struct boot_image image;
};

/* ---- devices ---- */

static int add_device(struct vm *vm, const char *name, const char *text)
{
	const struct pci_ops *ops = device_find(name);
	struct dev_opts *o;
	int err;

	if (!ops)
		return -EINVAL;
	err = dev_opts_parse(&o, text);
	if (err)
		return err;
	err = pci_attach(vm->pci, ops, o, NULL);
	dev_opts_free(o);
	return err;
}

/* The mode names the device; virtio-net takes the three that differ only in who serves its queues. */
static int add_net(struct vm *vm, const struct args *a, const char *text)
{
	struct dev_opts *o;
	bool e1000;
	int err = dev_opts_parse(&o, text);

	(void)a;
	if (err)
		return err;
	e1000 = !strcmp(dev_opts_str(o, "mode", "virtio"), "e1000");
	dev_opts_free(o);
	return add_device(vm, e1000 ? "e1000" : "virtio-net", text);
}

/* The mode is the name of the device. */
static int add_disk(struct vm *vm, const struct args *a, const char *text)
{
	static const char *const modes[] = {"virtio-blk",     "nvme",	    "ide",
					    "vhost-user-blk", "vhost-scsi", "vdpa", NULL};
	char *full = disk_opts_text(text);
	struct dev_opts *o;
	int mode = 0, err = dev_opts_parse(&o, full);

	(void)a;
	if (!err) {
		err = dev_opts_word(o, "mode", modes, &mode);
		dev_opts_free(o);
	}
	if (!err)
		err = add_device(vm, modes[mode], full);
	free(full);
	return err;
}

static int add_vfio(struct vm *vm, const struct args *a, const char *text)
{
	char *o = xasprintf("host=%s%s", text, a->unsafe_interrupts ? ",unsafe_interrupts=on" : "");
	int err = add_device(vm, "vfio", o);

	free(o);
	return err;
}

static int add_named(struct vm *vm, const struct args *a, const char *text)
{
	const char *comma = strchrnul(text, ',');
	char *name = xasprintf("%.*s", (int)(comma - text), text);
	int err = add_device(vm, name, *comma ? comma + 1 : "");

	(void)a;
	free(name);
	return err;
}

static int add_devices(struct vm *vm, const struct args *a)
{
	const struct {
		const struct opt_list *list;
		int (*add)(struct vm *vm, const struct args *a, const char *text);
	} kinds[] = {{&a->net, add_net}, {&a->disk, add_disk}, {&a->vfio, add_vfio}, {&a->device, add_named}};
	int err = pci_host_init(vm->pci);

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		for (size_t i = 0; i < kinds[k].list->n && !err; i++)
			err = kinds[k].add(vm, a, kinds[k].list->item[i]);
	return err;
}

/* ---- life ---- */

/* What the machine can still give without swapping; UINT64_MAX when it does not say. */
static uint64_t mem_available(void)
{
	uint64_t kib = UINT64_MAX / KIB;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	if (!f)
		return UINT64_MAX;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1)
			break;
	fclose(f);
	return kib * KIB;
}

static int check_memory(uint64_t want)
{
	uint64_t available = mem_available();

	if (want <= available)
		return 0;
	log_error("--mem=%" PRIu64 "M: this machine has %" PRIu64
		  " MiB available; give the guest less",
		  want / MIB, available / MIB);
	return -ENOMEM;
}

static int open_files(struct machine *m)
{
	const struct args *a = &m->args;
	int err = blob_open(&m->image.kernel, "kernel", a->kernel);

	if (!err && a->initrd)
		err = blob_open(&m->image.initrd, "initrd", a->initrd);
	m->image.name = a->kernel;
	m->image.format = args_format(a);
	m->image.cmdline = a->cmdline;
	return err;
}

static int load_guest(struct machine *m)
{
	const struct acpi_config acpi = {m->vm->n_cpus, strcmp(m->args.irqchip, "split") != 0};
	struct boot_entry entry;
	int err = acpi_build(m->vm->gm, &acpi, &m->image.rsdp);

	if (!err)
		err = boot_load(m->vm->gm, &m->image, &entry);
	blob_drop(&m->image.kernel);
	blob_drop(&m->image.initrd);
	if (err)
		return err;
	return boot_enter(m->vm, &entry);
}

/* Where nobody asked for the page, a profiler that comes by finds it, and the names in it, by this name. */
static int stats_fd(const struct args *a)
{
	if (a->stats)
		return a->stats_fd;
	return memfd_create("exitlab-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

static int set_up(struct machine *m)
{
	const struct args *a = &m->args;
	const struct platform_opts po = {
		.console = a->console, .agent = a->agent, .image = &m->image};
	const struct vm_opts vo = {.mem_bytes = a->mem,
				   .n_cpus = (unsigned)a->cpus,
				   .stats_fd = stats_fd(a),
				   .shared_memory = args_share_memory(a),
				   .may_reboot = !a->no_reboot};
	int err = open_files(m);

	if (!err)
		err = check_memory(a->mem);
	if (!err)
		err = vm_create(&m->vm, &vo, &kvm_backend);
	if (!err)
		err = pci_core_create(&m->vm->pci, m->vm);
	if (!err)
		err = kvm_setup(m->vm, !strcmp(a->irqchip, "split"));
	if (!err)
		err = platform_create(&m->platform, m->vm, &po);
	if (!err)
		err = window_init(m->vm);
	if (!err)
		err = add_devices(m->vm, a);
	if (err)
		return err;
	return load_guest(m);
}

static void tear_down(struct machine *m)
{
	if (m->vm)
		pci_end_all(m->vm->pci);
	platform_destroy(m->platform);
	if (m->vm)
		kvm_teardown(m->vm);
	if (m->vm)
		pci_core_destroy(m->vm->pci);
	vm_destroy(m->vm);
	blob_close(&m->image.kernel);
	blob_close(&m->image.initrd);
}

struct reboot {
	struct machine *m;
	int err;
};

static void reboot_guest(void *arg)
{
	struct reboot *r = arg;
	struct machine *m = r->m;

	log_debug("guest: reset");
	r->err = kvm_reset(m->vm);
	pci_reset_all(m->vm->pci);
	platform_reset(m->platform);
	vm_clear_end(m->vm);
	if (!r->err)
		r->err = load_guest(m);
}

#define END_LIMIT_S 5

/* Block until the guest ends the run or someone ends us; 0 or the signal's number. */
static int wait_for_end(struct vm *vm, int sigfd)
{
	struct pollfd p[] = {{.fd = vm->end_fd, .events = POLLIN}, {.fd = sigfd, .events = POLLIN}};
	struct signalfd_siginfo si;

	while (!vm_has_ended(vm)) {
		if (poll(p, 2, -1) < 0 || !(p[1].revents & POLLIN))
			continue;
		if (read(sigfd, &si, sizeof(si)) == sizeof(si)) {
			end_within(END_LIMIT_S);
			return (int)si.ssi_signo;
		}
	}
	return 0;
}

/* Beyond what every machine does. */
static unsigned sandbox_parts(const struct args *a)
{
	unsigned parts = a->vfio.n ? SANDBOX_VFIO : 0;

	if (args_vhost_user(a))
		parts |= SANDBOX_VHOST_USER;
	for (size_t i = 0; i < a->disk.n; i++) {
		const char *disk = a->disk.item[i];

		if (strstr(disk, "mode=vhost-scsi"))
			parts |= SANDBOX_VHOST_SCSI;
		else if (strstr(disk, "mode=vdpa"))
			parts |= SANDBOX_VDPA;
		else if (!strstr(disk, "mode=vhost-user-blk")) /* whose files are another process's */
			parts |= SANDBOX_DISK;
	}
	return parts;
}

/* Only now are there other threads: they inherit what the process has given up. */
static int start_threads(struct machine *m)
{
	struct threads *threads = &m->vm->threads;
	void *parts = (void *)(uintptr_t)sandbox_parts(&m->args);
	int err = 0;

	if (m->args.sandboxed) {
		err = sandbox_enter();
		threads->begin = sandbox_thread;
		threads->arg = parts;
	}
	if (!err)
		err = threads_start(threads);
	if (!err)
		err = vcpus_create(m->vm);
	if (!err && m->args.sandboxed)
		sandbox_thread(parts, THREAD_MAIN);
	return err;
}

/* 0..255 or -errno. */
static int run_guest(struct machine *m, int sigfd)
{
	struct reboot again = {.m = m};
	struct vm *vm = m->vm;
	int sig;

	while (!again.err) {
		vcpus_start(vm);
		sig = wait_for_end(vm, sigfd);
		if (sig)
			vm_end(vm, VM_END_CRASH, 128 + sig);
		vcpus_stop(vm);
		window_finish(vm);
		if (vm->end_why != VM_END_RESET || m->args.no_reboot)
			return vm->end_status;
		vm_control(vm, reboot_guest, &again);
	}
	return again.err;
}

/* Signals are blocked in all threads: wait_for_end reads them. */
static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	end_prepare();
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* 2 when what the user named is wrong, 3 when the host lacks it, has it in use or does not permit it. */
static int exit_status(int err)
{
	static const int cannot[] = {ENODEV, ENOMEM,	 EMFILE,   ENFILE, EBUSY,
				     EPERM,  EOPNOTSUPP, ENOTCONN, EPROTO, ETIMEDOUT};

	for (size_t i = 0; i < ARRAY_SIZE(cannot); i++)
		if (err == -cannot[i])
			return EXIT_CANNOT;
	return err >= 0 ? err : EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct machine m = {0};
	int status, sigfd;

	log_init("vmm", getenv("VMM_DEBUG") ? LOG_DEBUG : LOG_INFO);
	status = args_parse(&m.args, argc, argv);
	if (status) {
		args_free(&m.args);
		return status < 0 ? EXIT_USAGE : 0;
	}
	sigfd = block_signals();
	status = set_up(&m);
	if (!status)
		status = start_threads(&m);
	if (!status)
		status = run_guest(&m, sigfd);
	if (m.vm && m.vm->threads.begin) {
		/* Nothing that would need system calls: the kernel takes back what we hold. */
		platform_flush(m.platform);
		_exit(exit_status(status));
	}
	tear_down(&m);
	close_fd(&sigfd);
	args_free(&m.args);
	return exit_status(status);
}
