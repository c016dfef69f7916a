// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "bench/bench.h"
#include "bench/host/substrate.h"
#include "bench/lab/lab.h"

struct lab_args {
	uint64_t timeout_ns, mem_bytes;
	const char *kernel;
	struct opt_list append;
};

static const struct opt lab_opts[] = {
	{"timeout", 't', OPT_DURATION, offsetof(struct lab_args, timeout_ns), "TIME",
	 "end it after this long, boot included (exit status 124)"},
	{"kernel", 0, OPT_STR, offsetof(struct lab_args, kernel), "NAME",
	 "default, newer (./setup.sh --newer), or a release in the cache"},
	{"append", 0, OPT_LIST, offsetof(struct lab_args, append), "WORD",
	 "more of the kernel's command line: intel_iommu=off, intremap=off, ..."},
	{"mem", 0, OPT_SIZE, offsetof(struct lab_args, mem_bytes), "SIZE",
	 "memory (default 2G; more breaks the SR-IOV mailbox)"},
	OPT_END,
};

static int lab_start(struct lab_args *a, char **words, bool terminal)
{
	static char *shell[] = {"bash", "-i", NULL};
	struct strbuf append = STRBUF_INIT;
	struct lab_spec spec = {
		.argv = *words ? words : shell,
		.kernel = a->kernel,
		.timeout_ns = a->timeout_ns,
		.terminal = terminal,
		.pass_stdin = true,
		.mem_mib = a->mem_bytes / MIB,
	};
	int status;

	if (lab_inside()) {
		log_error("lab: already inside one; run the command directly");
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < a->append.n; i++)
		strbuf_addf(&append, " %s", a->append.item[i]);
	spec.append = strbuf_str(&append);
	lab_run(&spec, &status);
	strbuf_free(&append);
	return status;
}

static int lab_main(int argc, char **argv)
{
	struct lab_args a = {0};
	int status;

	if (!bench_parse(&cmd_lab, &argc, argv, &a, &status))
		return status;
	if (argc >= 3 && !strcmp(argv[1], "exec"))
		return lab_start(&a, argv + 2, false);
	if (argc == 2 && !strcmp(argv[1], "shell")) {
		if (!isatty(STDIN_FILENO)) {
			log_error("lab shell: stdin is not a terminal; use bench lab exec -- CMD");
			return EXIT_USAGE;
		}
		return lab_start(&a, argv + 2, true);
	}
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
		   "The exit status is the command's; 3 when there can be no lab.",
	.examples = "bench lab exec -- uname -a\n"
		    "bench lab exec --timeout=60s -- sh -c 'ls -l /dev/kvm /dev/vhost-net'\n"
		    "bench lab exec --kernel=newer -- uname -r\n"
		    "bench lab exec --append=intremap=off -- bench doctor\n"
		    "bench lab shell",
	.opts = lab_opts,
	.run = lab_main,
};
