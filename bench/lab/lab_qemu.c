// SPDX-License-Identifier: MIT
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
#include "bench/lab/lab_image.h"
#include "bench/lab/lab_impl.h"
#include "bench/lab/lab_wire.h"
#include "bench/host/paths.h"
#include "bench/host/programs.h"

#define QEMU_MIN_MAJOR 8 /* the igb card */

extern char **environ;

char *lab_missing(char **version)
{
	char *v = qemu_version(), *why = NULL;
	char *kernel = xasprintf("%s/kernels/default/vmlinux", path_cache());

	if (!v)
		why = xasprintf("%s is not installed; run %s", qemu_program(), path_setup());
	else if (atoi(v) < QEMU_MIN_MAJOR)
		why = xasprintf("QEMU %s is too old (the igb SR-IOV card needs %d.0); run %s", v,
				QEMU_MIN_MAJOR, path_setup());
	else if (!file_exists(kernel))
		why = xasprintf("no unpacked kernel in %s; run %s", path_cache(), path_setup());
	if (version)
		*version = v;
	else
		free(v);
	free(kernel);
	return why;
}

static void add_pair(struct strbuf *cfg, const char *key, const char *value)
{
	strbuf_addf(cfg, "%s=%s", key, value);
	strbuf_addc(cfg, '\0');
}

static bool env_wanted(const char *pair)
{
	static const char *const prefix[] = {"HOME=", "TERM=",	  "LANG=",     "LC_",
					     "XDG_",  "EXITLAB_", "NO_COLOR=", "USER="};

	for (size_t i = 0; i < ARRAY_SIZE(prefix); i++)
		if (!strncmp(pair, prefix[i], strlen(prefix[i])))
			return true;
	return false;
}

static void make_config(const struct lab_spec *spec, struct strbuf *cfg)
{
	char cwd[PATH_MAX];

	for (char *const *a = spec->argv; *a; a++)
		add_pair(cfg, "arg", *a);
	add_pair(cfg, "env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	add_pair(cfg, "env", "EXITLAB_LAB=1");
	if (spec->deterministic) {
		/* Nothing of this host's: the configuration is part of the experiment. */
		add_pair(cfg, "env", "HOME=/");
		add_pair(cfg, "env", "EXITLAB_CACHE=/cache");
		add_pair(cfg, "env", "EXITLAB_VIRTUAL_TIME=1");
		add_pair(cfg, "env", "EXITLAB_INNER=1");
		add_pair(cfg, "env", "EXITLAB_PLAN_ID=deterministic");
	}
	for (char **e = environ; *e && !spec->deterministic; e++)
		if (env_wanted(*e))
			add_pair(cfg, "env", *e);
	if (spec->cwd)
		add_pair(cfg, "cwd", spec->cwd);
	else if (getcwd(cwd, sizeof(cwd)))
		add_pair(cfg, "cwd", cwd);
	if (spec->terminal)
		add_pair(cfg, "tty", "1");
	if (spec->out_dir)
		add_pair(cfg, "out", spec->deterministic ? spec->sealed_out : spec->out_dir);
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
	strbuf_addf(&sb, ",mount_tag=%s,security_model=none,multidevs=remap%s", tag, readonly ? ",readonly=on" : "");
	strlist_add(a, strbuf_str(&sb));
	strbuf_free(&sb);
}

static void add_share(struct strlist *a, struct strbuf *cfg, const char *dir)
{
	static unsigned n;
	char *tag, *pair;

	if (!dir)
		return;
	tag = xasprintf("rw%u", n++);
	pair = xasprintf("%s:%s", tag, dir);
	add_virtfs(a, dir, tag, false);
	add_pair(cfg, "rw", pair);
	free(pair);
	free(tag);
}

/*
 * Two igb cards on one hub are the wire: the lab's own and the peer's. The port's doorbell has no
 * ioeventfd: it is answered in the vCPU's own thread, not at a time of the host's choosing.
 */
static const char machine_common[] =
	"-machine q35 -nodefaults -no-user-config -display none -no-reboot "
	"-device intel-iommu,intremap=on,caching-mode=on "
	"-device pcie-root-port,id=rp1,slot=1,chassis=1 -netdev hubport,hubid=1,id=n0 -device igb,netdev=n0,bus=rp1 "
	"-device pcie-root-port,id=rp2,slot=2,chassis=2 -netdev hubport,hubid=1,id=n1 -device igb,netdev=n1,bus=rp2 "
	"-device virtio-serial-pci,max_ports=4,ioeventfd=off -device virtserialport,chardev=ctl,name=" LAB_PORT;

/* See docs/lab.md: with these, two runs agree in every count and every virtual nanosecond. */
static const char machine_deterministic[] =
	"-accel tcg,thread=single -smp 1 -cpu EPYC-v4,+svm,-rdrand,-rdseed -seed 1 "
	"-icount shift=1,sleep=off -rtc base=2024-01-01,clock=vm";

static const char machine_fast[] = "-accel tcg,thread=multi -smp 2 -cpu EPYC-v4,+svm";

/*
 * no_timer_check: a busy host gives the emulated timer no chance to tick in the moment for which the kernel
 * waits.
 */
static const char kernel_args[] = "console=ttyS0 panic=-1 intel_iommu=on mitigations=off quiet nokaslr nowatchdog "
				  "tsc=reliable random.trust_cpu=on no_timer_check";

static void build_args(struct strlist *a, const struct lab *lab, const char *vmlinux, const char *initrd,
		       struct strbuf *cfg, int peer_fd)
{
	const struct lab_spec *spec = lab->spec;
	const char *checkout = path_checkout();

	strlist_add(a, qemu_program());
	args_text(a, spec->deterministic ? machine_deterministic : machine_fast);
	strlist_add(a, "-chardev");
	if (spec->deterministic)
		strlist_addf(a, "file,id=ctl,path=/proc/self/fd/%d", peer_fd);
	else
		strlist_addf(a, "socket,id=ctl,fd=%d", peer_fd);
	args_text(a, machine_common);
	strlist_add(a, "-m");
	strlist_addf(a, "%llu", (unsigned long long)(spec->mem_mib ? spec->mem_mib : 2048));
	strlist_add(a, "-serial");
	strlist_addf(a, "file:/proc/self/fd/%d", lab->console_fd);
	strlist_add(a, "-kernel");
	strlist_add(a, vmlinux);
	strlist_add(a, "-initrd");
	strlist_add(a, initrd);
	strlist_add(a, "-append");
	strlist_addf(a, "%s %s", kernel_args, spec->append ? spec->append : "");
	if (!spec->deterministic) {
		add_virtfs(a, "/", "root", true);
		add_share(a, cfg, checkout);
		add_share(a, cfg, spec->out_dir);
		add_share(a, cfg, spec->rw_dir);
	}
}

static int open_channel(int pair[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) ? -errno : 0;
}

/* A file takes bytes at once, however slow we are: no timing of the host reaches the guest. */
static int open_file_channel(int pair[2])
{
	pair[0] = memfd_create("lab-results", MFD_CLOEXEC);
	pair[1] = pair[0] < 0 ? -1 : fcntl(pair[0], F_DUPFD_CLOEXEC, 3);
	return pair[1] < 0 ? -errno : 0;
}

int lab_start_qemu(struct lab *lab)
{
	const struct lab_spec *spec = lab->spec;
	const char *which = spec->kernel ? spec->kernel : "default";
	struct strbuf cfg = STRBUF_INIT;
	struct proc_opts po = {0};
	struct strlist a = STRLIST_INIT;
	int pair[2] = {-1, -1}, keep[2], err;
	char *vmlinux = path_kernel(which, "vmlinux"), *initrd = NULL;
	char *modules = vmlinux ? path_kernel(which, "modules") : NULL;

	if (!vmlinux || !modules) {
		err = -ENOENT;
		goto out;
	}
	err = spec->deterministic ? open_file_channel(pair) : open_channel(pair);
	if (err)
		goto out;
	make_config(spec, &cfg);
	add_pair(&cfg, "modules", modules);
	err = lab_image(spec, modules, &cfg, &initrd);
	if (err)
		goto out;
	build_args(&a, lab, vmlinux, initrd, &cfg, pair[1]);
	keep[0] = pair[1];
	keep[1] = lab->console_fd;
	po.keep_fds = keep;
	po.n_keep = 2;
	po.stdout_fd = po.stderr_fd = lab->qlog_fd;
	po.new_group = true;
	err = proc_spawn(&lab->qemu, a.v, &po);
	if (err) {
		log_error("lab: %s: %s", a.v[0], strerror(-err));
		goto out;
	}
	lab_erratum_mend(lab->qemu.pid);
	/*
	 * Under instruction counting two of QEMU's threads take turns; on a busy machine each waits for a
	 * core every time (load 11 on 2 cores: 17 turns a second, 35 with this). Root only, and no harm
	 * when it is refused.
	 */
	if (spec->deterministic)
		setpriority(PRIO_PROCESS, (id_t)lab->qemu.pid, -10);
	lab->ctl_fd = pair[0];
	pair[0] = -1;
	/* A QEMU that has ended already is the session's to notice, and to explain. */
	if (!spec->deterministic)
		lab_send_frame(lab, LAB_CONFIG, cfg.buf, cfg.len);
out:
	close_fd(&pair[0]);
	close_fd(&pair[1]);
	strlist_free(&a);
	strbuf_free(&cfg);
	free(vmlinux);
	free(modules);
	free(initrd);
	return err;
}
