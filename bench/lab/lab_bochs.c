// SPDX-License-Identifier: MIT
/* The machine with VT-x: Bochs, which reads a boot disk and prints what the lab's init says byte by byte. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "bench/host/paths.h"
#include "bench/lab/boot_disk.h"
#include "bench/lab/lab_impl.h"
#include "workloads/workloads.h"

#define FIRMWARE "/usr/share/seabios/bios.bin" /* QEMU's package brings them */
#define VGA_BIOS "/usr/share/seabios/vgabios-stdvga.bin"

/*
 * An instruction takes 10 ns: with sync=none time passes with instructions, and where the processor is
 * halted it jumps to the next event. rodata=off saves a walk over all page tables (1.3 s). tsc_early_khz:
 * the processor's CPUID leaf 15h tells a rate that it does not have.
 */
#define IPS_MHZ "100"

static const char kernel_args[] = "console=ttyS0,115200 quiet nokaslr mitigations=off tsc=reliable panic=-1 no_timer_check "
				  "nowatchdog random.trust_cpu=on cryptomgr.notests rodata=off tsc_early_khz=" IPS_MHZ "000";

static char *bochs_program(void)
{
	const char *own = getenv("EXITLAB_BOCHS");

	if (own && *own)
		return xstrdup(own);
	return xasprintf("%s/bochs/bochs", path_cache());
}

/* setup.sh says what it was built by: another recipe is another processor. */
static char *bochs_version(const char *program)
{
	char *path = xasprintf("%s.recipe", program);
	char *recipe = file_read_line(path), *version;

	version = xasprintf("3.0%s%.7s", text_if(recipe, ", recipe "), text_if(recipe, recipe));
	free(recipe);
	free(path);
	return version;
}

static char *bochs_missing(char **version)
{
	char *program = bochs_program(), *why = NULL;

	if (access(program, X_OK))
		why = xasprintf("no Bochs in %s; run %s --intel", program, path_setup());
	else if (!file_exists(FIRMWARE) || !file_exists(VGA_BIOS))
		why = xasprintf("no %s; run %s", FIRMWARE, path_setup());
	if (version && why)
		*version = NULL;
	else if (version)
		*version = bochs_version(program);
	free(program);
	return why;
}

/* panic: a state that the emulator cannot go on from ends it, and its log says why. */
static const char config_text[] = "config_interface: textconfig\n"
				  "display_library: nogui\n"
				  "cpu: model=corei7_skylake_x, count=1, ips=" IPS_MHZ
				  "000000, reset_on_triple_fault=0, ignore_bad_msrs=1\n"
				  "romimage: file=" FIRMWARE "\n"
				  "vgaromimage: file=" VGA_BIOS "\n"
				  "vga: extension=vbe, update_freq=1, realtime=0\n"
				  "pci: enabled=1, chipset=i440fx\n"
				  "clock: sync=none, time0=1704067200\n"
				  "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14\n"
				  "boot: disk\n"
				  "panic: action=fatal\n"
				  "error: action=report\n"
				  "info: action=ignore\n"
				  "debug: action=ignore\n"
				  "mouse: enabled=0\n"
				  "speaker: enabled=0\n"
				  "port_e9_hack: enabled=1\n";

static int write_config(int fd, const struct lab *lab, int disk_fd)
{
	struct strbuf sb = STRBUF_INIT;
	int err;

	strbuf_adds(&sb, config_text);
	strbuf_addf(&sb, "memory: guest=%llu, host=%llu\n", (unsigned long long)lab->mem_mib,
		    (unsigned long long)lab->mem_mib);
	strbuf_addf(&sb, "ata0-master: type=disk, mode=flat, path=/proc/self/fd/%d, cylinders=0\n", disk_fd);
	strbuf_addf(&sb, "com1: enabled=1, mode=file, dev=/proc/self/fd/%d\n", lab->console_fd);
	err = fd_write_all(fd, sb.buf, sb.len);
	strbuf_free(&sb);
	return err;
}

static int write_disk(int fd, const struct lab *lab, const struct machine_boot *boot)
{
	struct boot_spec spec = {
		.vmlinux = boot->vmlinux,
		.initrd = boot->initrd,
		.command_line = boot->command_line,
		.mem_bytes = lab->mem_mib * MIB,
	};

	return boot_disk_write(fd, &spec);
}

/* Its banner and what the lab's init says go to out_fd, its log and its last words to ours. */
static int bochs_spawn(struct lab *lab, int disk_fd, int config_fd, int out_fd)
{
	char *program = bochs_program(), *rc = xasprintf("/proc/self/fd/%d", config_fd);
	char *argv[] = {program, "-q", "-f", rc, NULL};
	int keep[] = {disk_fd, config_fd, lab->console_fd};
	static const char *const nothing[] = {NULL};
	struct proc_opts po = {.keep_fds = keep,
			       .n_keep = ARRAY_SIZE(keep),
			       .stdout_fd = out_fd,
			       .stderr_fd = lab->log_fd,
			       .writable = nothing,
			       .new_group = true};
	int err = proc_spawn(&lab->emulator, argv, &po);

	if (err)
		log_error("lab: %s: %s", program, strerror(-err));
	free(program);
	free(rc);
	return err;
}

/* The disk and the configuration are memfds, so nothing is left behind, whoever ends first. */
static int bochs_start(struct lab *lab, const struct machine_boot *boot)
{
	int disk_fd = memfd_create("lab-disk", MFD_CLOEXEC),
	    config_fd = memfd_create("lab-config", MFD_CLOEXEC);
	int out[2] = {-1, -1}, err;

	if (disk_fd < 0 || config_fd < 0 || pipe2(out, O_CLOEXEC)) {
		err = -errno;
		log_error("lab: its disk: %s", strerror(-err));
		goto out;
	}
	err = write_disk(disk_fd, lab, boot);
	if (err)
		goto out;
	err = write_config(config_fd, lab, disk_fd);
	if (err)
		goto out;
	err = bochs_spawn(lab, disk_fd, config_fd, out[1]);
	if (err)
		goto out;
	lab->ctl_fd = out[0];
	out[0] = -1;
out:
	close_fd(&disk_fd);
	close_fd(&config_fd);
	close_fd(&out[0]);
	close_fd(&out[1]);
	return err;
}

static const char *const modules[] = {"kvm_intel", "vhost_net", "tun", "veth", "bridge", NULL};

const struct machine machine_intel = {
	.name = "intel",
	.substrate = "lab-intel",
	.emulator = "Bochs",
	.summary = "Bochs: VT-x with EPT, VPID, APICv; always deterministic, holds only what it is given",
	.kvm = "kvm_intel",
	.has = NEED_ROOT | NEED_KVM | NEED_KVM_LINUX | NEED_TAP | NEED_VHOST | NEED_VHOST_SCSI | NEED_LAB,
	.mem_mib = 1024,
	.channel = LAB_SPEAKS,
	.deterministic_channel = LAB_SPEAKS,
	.modules = modules,
	.kernel_args = kernel_args,
	.missing = bochs_missing,
	.start = bochs_start,
};
