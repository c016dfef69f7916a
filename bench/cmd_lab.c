// SPDX-License-Identifier: MIT
/* `bench lab`: one command, or a terminal, in a lab. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "bench/host/outer.h"
#include "bench/bench.h"
#include "bench/host/paths.h"
#include "bench/lab/cargo.h"
#include "bench/lab/lab.h"
#include "bench/lab/machine.h"

struct lab_args {
	uint64_t timeout_ns, mem_bytes;
	const char *lab, *kernel, *out;
	struct opt_list append, carry;
};

static const struct opt lab_opts[] = {
	{"lab", 0, OPT_STR, offsetof(struct lab_args, lab), "amd|intel|xen",
	 "which machine: QEMU with SVM, IOMMU and SR-IOV (default), Bochs with VT-x, or dom0 of Xen"},
	{"timeout", 't', OPT_DURATION, offsetof(struct lab_args, timeout_ns), "TIME",
	 "end it after this long, boot included (exit status 124)"},
	{"kernel", 0, OPT_STR, offsetof(struct lab_args, kernel), "NAME",
	 "default, newer (./setup.sh --newer), or a release in the cache"},
	{"append", 0, OPT_LIST, offsetof(struct lab_args, append), "WORD",
	 "more of the kernel's command line: intel_iommu=off, intremap=off, ..."},
	{"mem", 0, OPT_SIZE, offsetof(struct lab_args, mem_bytes), "SIZE",
	 "memory (default: amd 2G, more breaks the SR-IOV mailbox; intel 1G; xen 3G, of which dom0 has 1G)"},
	{"carry", 0, OPT_LIST, offsetof(struct lab_args, carry), "PATH",
	 "lab intel: a file, a directory or a program (with its libraries) that the command needs"},
	{"out", 0, OPT_STR, offsetof(struct lab_args, out), "DIR",
	 "what the command leaves in this directory is brought back"},
	OPT_END,
};

/* What a machine that reads nothing of this host needs for any command, and what this one needs. */
static int load_cargo(struct cargo *c, const struct lab_args *a, const char *command, const char *kernel_dir)
{
	static const char *const modules[] = {"virtio_pci", "virtio_net", "e1000"};
	struct strlist names = STRLIST_INIT, own = STRLIST_INIT;
	const char *kvm = machine_find(a->lab)->kvm;
	int err;

	for (size_t i = 0; i < ARRAY_SIZE(modules); i++)
		strlist_add(&names, modules[i]);
	cargo_add_ours(c, NULL, NULL, NULL);
	cargo_add_kernel_file(c, kernel_dir, "vmlinux");
	cargo_add_kernel_file(c, kernel_dir, "vmlinuz");
	cargo_add_shell(c);
	if (kvm) /* which may be loaded anew */
		strlist_add(&own, kvm);
	err = cargo_add_modules(c, kernel_dir, &names);
	if (!err)
		err = cargo_add_lab_modules(c, a->kernel, &own);
	strlist_free(&names);
	strlist_free(&own);
	if (!err)
		err = cargo_add_command(c, command);
	for (size_t i = 0; i < a->carry.n && !err; i++)
		err = cargo_add_path(c, a->carry.item[i]);
	return err;
}

static int run_sealed(struct lab_spec *spec, const struct lab_args *a, int *status)
{
	char *kernel_dir = path_kernel("default", "");
	struct cargo cargo = {.n_files = 0};
	int err = -ENOENT;

	if (kernel_dir)
		err = load_cargo(&cargo, a, spec->argv[0], kernel_dir);
	if (!err) {
		cargo_into(&cargo, spec);
		err = lab_run(spec, status);
	}
	cargo_free(&cargo);
	free(kernel_dir);
	return err;
}

static int lab_run_command(const struct lab_args *a, const struct machine *m, char **words, bool terminal)
{
	static char *shell[] = {"bash", "-i", NULL};
	struct strbuf append = STRBUF_INIT;
	struct lab_spec spec = {
		.machine = m,
		.argv = *words ? words : shell,
		.kernel = a->kernel,
		.timeout_ns = a->timeout_ns,
		.terminal = terminal,
		.pass_stdin = true,
		.mem_mib = a->mem_bytes / MIB,
	};
	int status = EXIT_CANNOT;
	char *out = NULL;

	if (a->out) {
		spec.out_dir = out = realpath(a->out, NULL);
		if (!out) {
			log_error("--out=%s: %s", a->out, strerror(errno));
			return EXIT_USAGE;
		}
	}
	for (size_t i = 0; i < a->append.n; i++)
		strbuf_addf(&append, " %s", a->append.item[i]);
	spec.append = strbuf_str(&append);
	if (m->channel == LAB_TALKS)
		lab_run(&spec, &status);
	else
		run_sealed(&spec, a, &status);
	strbuf_free(&append);
	free(out);
	return status;
}

static int lab_shell(const struct lab_args *a, const struct machine *m)
{
	char *none[] = {NULL};

	if (m->channel != LAB_TALKS) {
		log_error("lab shell: lab %s takes no input; use bench lab exec --lab=%s -- CMD", m->name, m->name);
		return EXIT_USAGE;
	}
	if (!isatty(STDIN_FILENO)) {
		log_error("lab shell: stdin is not a terminal; use bench lab exec -- CMD");
		return EXIT_USAGE;
	}
	return lab_run_command(a, m, none, true);
}

static int lab_main(int argc, char **argv)
{
	struct lab_args a = {0};
	const struct machine *m;
	int status;

	if (!bench_parse(&cmd_lab, &argc, argv, &a, &status))
		return status;
	m = machine_find(a.lab); /* one of two words, as bench_parse has seen */
	if (lab_inside()) {
		log_error("lab: already inside one; run the command directly");
		return EXIT_USAGE;
	}
	if (argc >= 3 && !strcmp(argv[1], "exec"))
		return lab_run_command(&a, m, argv + 2, false);
	if (argc == 2 && !strcmp(argv[1], "shell"))
		return lab_shell(&a, m);
	log_error("lab: expected `exec -- CMD...` or `shell`; see bench lab --help");
	return EXIT_USAGE;
}

const struct command cmd_lab = {
	.name = "lab",
	.args = "exec -- CMD... | shell",
	.summary = "run a command in the lab: an emulated machine with KVM, vhost, IOMMU and SR-IOV",
	.details = "The lab boots a stock Debian kernel under QEMU's TCG (no KVM, no root needed) with this host's root file\n"
		   "system below a tmpfs, read-only; the checkout is writable. It has /dev/kvm (kvm_amd, nested paging),\n"
		   "/dev/vhost-net, tun, VFIO with interrupt remapping, two igb SR-IOV cards on one wire, tracefs, BTF.\n"
		   "--lab=intel is Bochs with VT-x instead: /dev/kvm (kvm_intel, EPT, APICv), vhost-net, tun. It reads nothing of\n"
		   "this host: it holds our programs, busybox' shell, the command and what --carry names, takes no input, and gives\n"
		   "back what is left in --out. Two runs are equal to the last instruction.\n"
		   "--lab=xen is Debian's Xen in QEMU (./setup.sh --xen): the command runs in dom0, with your files, and has xl.\n"
		   "The exit status is the command's; 3 when there can be no lab.",
	.examples = "bench lab exec -- uname -a\n"
		    "bench lab exec --timeout=60s -- sh -c 'ls -l /dev/kvm /dev/vhost-net'\n"
		    "bench lab exec --kernel=newer -- uname -r\n"
		    "bench lab exec --append=intremap=off -- bench doctor\n"
		    "bench lab exec --lab=intel -- sh -c 'dmesg | grep -i vmx; ls /dev/kvm'\n"
		    "bench lab exec --lab=intel --carry=job.sh --out=results -- sh job.sh\n"
		    "bench lab exec --lab=xen -- xl info\n"
		    "bench lab shell",
	.opts = lab_opts,
	.run = lab_main,
};
