// SPDX-License-Identifier: MIT
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

#include "base/log.h"
#include "base/opts.h"
#include "vmm/boot/enter.h"
#include "vmm/core/kvm.h"
#include "vmm/devices.h"
#include "vmm/pci/core.h"
#include "vmm/platform/acpi.h"
#include "vmm/platform/platform.h"
#include "version.h"

#define MAX_MEM (128 * GIB) /* below the window of large BARs */

struct args {
	const char *kernel, *initrd, *cmdline, *format, *console, *agent, *stats, *irqchip;
	uint64_t cpus, mem;
	struct opt_list net, disk, vfio, device;
	bool unsafe_interrupts, no_reboot, share_memory, version;
};

static const struct opt opts[] = {
	{"kernel", 'k', OPT_STR, offsetof(struct args, kernel), "FILE",
	 "vmlinux (PVH), bzImage, multiboot or flat image"},
	{"initrd", 'i', OPT_STR, offsetof(struct args, initrd), "FILE",
	 "initial RAM disk, or the multiboot module"},
	{"cmdline", 'a', OPT_STR, offsetof(struct args, cmdline), "TEXT", "the kernel's command line"},
	{"format", 0, OPT_STR, offsetof(struct args, format), "auto|bzimage|pvh|multiboot|flat",
	 "what the kernel is; flat is loaded and entered at 1 MiB"},
	{"cpus", 'c', OPT_U64, offsetof(struct args, cpus), "N", "vCPUs, 1 to 8 (default 1)"},
	{"mem", 'm', OPT_SIZE, offsetof(struct args, mem), "SIZE", "guest memory (default 512M)"},
	{"net", 'n', OPT_LIST, offsetof(struct args, net), "K=V,...",
	 "network card: mode=e1000|virtio|vhost|vhost-user and its knobs"},
	{"vfio", 0, OPT_LIST, offsetof(struct args, vfio), "ADDR[,K=V]",
	 "assign a host PCI device: 0000:01:10.0"},
	{"allow-unsafe-interrupts", 0, OPT_FLAG, offsetof(struct args, unsafe_interrupts), "",
	 "--vfio also where interrupts are not remapped"},
	{"device", 'd', OPT_LIST, offsetof(struct args, device), "NAME[,K=V]", "any PCI device by its name"},
	{"disk", 0, OPT_LIST, offsetof(struct args, disk), "path=FILE", "not supported yet"},
	{"console", 0, OPT_STR, offsetof(struct args, console), "WHERE",
	 "COM1: stdio (default; Ctrl-A x ends the guest), none or a file"},
	{"agent", 0, OPT_STR, offsetof(struct args, agent), "WHERE",
	 "COM2: none (default), stdio, fd=N, unix:PATH or a file"},
	{"stats", 0, OPT_STR, offsetof(struct args, stats), "fd=N",
	 "statistics page (vmm/stats_page.h) in this memfd"},
	{"irqchip", 0, OPT_STR, offsetof(struct args, irqchip), "kernel|split",
	 "where PIC and IOAPIC are (default kernel)"},
	{"share-memory", 0, OPT_FLAG, offsetof(struct args, share_memory), "",
	 "guest memory in a memfd (vhost-user turns it on)"},
	{"no-reboot", 0, OPT_FLAG, offsetof(struct args, no_reboot), "",
	 "a guest's reset ends the run, status 0"},
	{"version", 0, OPT_FLAG, offsetof(struct args, version), "", "print the version"},
	OPT_END,
};

static const struct command command = {
	.name = "",
	.summary = "run a virtual machine on KVM, instrumented",
	.details =
		"Exit status: 0 the guest powered off (or reset, with --no-reboot); 1 it crashed (triple fault, panic);\n"
		"2 bad arguments; 3 this host lacks something; a debug-exit write of v gives (v << 1) | 1.",
	.opts = opts,
	.examples =
		"vmm --kernel vmlinux --initrd root.cpio.gz --cmdline 'console=ttyS0' --mem 512M\n"
		"vmm --kernel micro.elf --cmdline 'test' --console none --agent fd=5\n"
		"vmm --kernel vmlinux --initrd root.cpio --cpus 2 --net mode=vhost,tap=t0",
};

struct machine {
	struct args args;
	struct vm *vm;
	struct platform *platform;
	struct boot_image image;
};

/* ---- arguments ---- */

static const char *const formats[] = {"auto", "bzimage", "pvh", "multiboot", "flat", NULL};

static enum boot_format format_of(const char *word)
{
	int i = 0;

	while (strcmp(formats[i], word) != 0)
		i++;
	return (enum boot_format)i;
}

static int stats_fd(const char *spec)
{
	uint64_t fd;

	/* Nobody asked: a profiler that comes by knows the page, and the names in it, by this name. */
	if (!spec)
		return memfd_create("exitlab-stats", MFD_CLOEXEC);
	if (strncmp(spec, "fd=", 3) != 0 || parse_u64(spec + 3, &fd) || fd > 1 << 20)
		die(EXIT_USAGE, "--stats=%s: want fd=N, an open memfd", spec);
	return (int)fd;
}

static void check_args(const struct args *a)
{
	if (!a->kernel)
		die(EXIT_USAGE, "no kernel: want --kernel FILE; see --help");
	if (a->cpus < 1 || a->cpus > STATS_VCPUS)
		die(EXIT_USAGE, "--cpus=%" PRIu64 ": want 1 to %d", a->cpus, STATS_VCPUS);
	if (a->mem > MAX_MEM)
		die(EXIT_USAGE, "--mem=%" PRIu64 "M: at most %" PRIu64 "G", a->mem / MIB,
		    (uint64_t)(MAX_MEM / GIB));
	if (a->disk.n)
		die(EXIT_USAGE,
		    "--disk=%s: disks are not supported yet; put the files into the initrd",
		    a->disk.item[0]);
}

static void parse_args(struct args *a, int argc, char **argv)
{
	int n = argc, err;

	*a = (struct args){.cmdline = "", .format = "auto", .console = "stdio", .agent = "none",
			   .irqchip = "kernel", .cpus = 1, .mem = 512 * MIB};
	err = opts_parse("vmm", &command, &n, argv, a);
	if (err > 0)
		exit(0);
	if (err < 0)
		exit(EXIT_USAGE);
	if (a->version) {
		puts("vmm " EXITLAB_VERSION);
		exit(0);
	}
	if (n > 1)
		die(EXIT_USAGE, "%s: not an option; see --help", argv[1]);
	check_args(a);
}

/* ---- devices ---- */

static int add_device(struct vm *vm, const char *name, const char *text)
{
	const struct pci_ops *ops = device_find(name);
	struct dev_opts *o;
	int err;

	if (!ops) {
		log_error("device %s: not supported yet by this build", name);
		return -EINVAL;
	}
	err = dev_opts_parse(&o, text);
	if (err)
		return err;
	err = pci_attach(vm->pci, ops, o, NULL);
	dev_opts_free(o);
	return err;
}

/* The mode names the device; virtio-net takes the three that differ only in who serves its queues.
 */
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
	char *name = strndup(text, (size_t)(comma - text));
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
	} kinds[] = {{&a->net, add_net}, {&a->vfio, add_vfio}, {&a->device, add_named}};
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

/* vhost-user hands guest memory to another process: only a memfd can be. */
static bool wants_shared_memory(const struct args *a)
{
	bool shared = a->share_memory;

	for (size_t i = 0; i < a->net.n; i++)
		shared |= strstr(a->net.item[i], "mode=vhost-user") != NULL;
	return shared;
}

static int open_files(struct machine *m)
{
	const struct args *a = &m->args;
	int err = blob_open(&m->image.kernel, "kernel", a->kernel);

	if (!err && a->initrd)
		err = blob_open(&m->image.initrd, "initrd", a->initrd);
	m->image.name = a->kernel;
	m->image.format = format_of(a->format);
	m->image.cmdline = a->cmdline;
	return err;
}

static int load(struct machine *m)
{
	const struct acpi_config acpi = {m->vm->n_cpus, strcmp(m->args.irqchip, "split") != 0};
	struct boot_entry entry;
	int err = acpi_build(m->vm->gm, &acpi, &m->image.rsdp);

	if (!err)
		err = boot_load(m->vm->gm, &m->image, &entry);
	blob_drop(&m->image.kernel);
	blob_drop(&m->image.initrd);
	return err ? err : boot_enter(m->vm, &entry);
}

static int set_up(struct machine *m)
{
	const struct args *a = &m->args;
	const struct platform_opts po = {.console = a->console, .agent = a->agent};
	const struct vm_opts vo = {.mem_bytes = a->mem,
				   .n_cpus = (unsigned)a->cpus,
				   .stats_fd = stats_fd(a->stats),
				   .shared_memory = wants_shared_memory(a),
				   .may_reboot = !a->no_reboot};
	int err = open_files(m);

	if (!err)
		err = check_memory(a->mem);
	if (!err)
		err = vm_create(&m->vm, &vo, &kvm_backend);
	if (!err)
		err = kvm_setup(m->vm, !strcmp(a->irqchip, "split"));
	if (!err)
		err = platform_create(&m->platform, m->vm, &po);
	if (!err)
		err = window_init(m->vm);
	if (!err)
		err = add_devices(m->vm, a);
	return err ? err : load(m);
}

static void tear_down(struct machine *m)
{
	if (m->vm)
		pci_end_all(m->vm->pci);
	platform_destroy(m->platform);
	if (m->vm)
		kvm_teardown(m->vm);
	vm_destroy(m->vm);
	blob_close(&m->image.kernel);
	blob_close(&m->image.initrd);
}

static int reboot(struct machine *m)
{
	int err;

	log_debug("guest: reset");
	err = kvm_reset(m->vm);
	pci_reset_all(m->vm->pci);
	platform_reset(m->platform);
	vm_clear_end(m->vm);
	return err ? err : load(m);
}

/* Block until the guest ends the run or someone ends us; 0 or the signal's number. */
static int wait_for_end(struct vm *vm, int sigfd)
{
	struct pollfd p[] = {{.fd = vm->end_fd, .events = POLLIN}, {.fd = sigfd, .events = POLLIN}};
	struct signalfd_siginfo si;

	while (!vm_has_ended(vm)) {
		if (poll(p, 2, -1) < 0 || !(p[1].revents & POLLIN))
			continue;
		if (read(sigfd, &si, sizeof(si)) == sizeof(si))
			return (int)si.ssi_signo;
	}
	return 0;
}

/* 0..255 or -errno. */
static int run(struct machine *m, int sigfd)
{
	struct vm *vm = m->vm;
	int err, sig;

	for (;;) {
		err = vcpus_start(vm);
		if (err)
			return err;
		sig = wait_for_end(vm, sigfd);
		if (sig)
			vm_end(vm, VM_END_CRASH, 128 + sig);
		vcpus_stop(vm);
		window_finish(vm);
		if (vm->end_why != VM_END_RESET || m->args.no_reboot)
			return vm->end_status;
		err = reboot(m);
		if (err)
			return err;
	}
}

/* Blocked in all threads: they come to wait_for_end. */
static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* 2: what the user named is wrong. 3: the host lacks it, has it in use or does not permit it. */
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
	parse_args(&m.args, argc, argv);
	sigfd = block_signals();
	status = set_up(&m);
	if (!status)
		status = run(&m, sigfd);
	tear_down(&m);
	close_fd(&sigfd);
	free(m.args.net.item);
	free(m.args.disk.item);
	free(m.args.vfio.item);
	free(m.args.device.item);
	return exit_status(status);
}
