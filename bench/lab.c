// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/table.h"
#include "bench/lab.h"
#include "bench/lab_image.h"
#include "bench/lab_wire.h"
#include "bench/paths.h"

#define QEMU_MIN_MAJOR  8 /* the igb card */
#define BOOT_TIMEOUT_NS (90 * NSEC_PER_SEC)
#define GRACE_NS        (5 * NSEC_PER_SEC)

extern char **environ;

struct lab {
	const struct lab_spec *spec;
	struct proc qemu;
	int ctl_fd;              /* our end of the virtio-serial port */
	int console_fd, qlog_fd; /* memfds: the lab kernel's console, QEMU's own messages */
	int signal_fd, stdin_fd;
	bool ready, done, timed_out;
	int32_t status;
	unsigned interrupts;
	uint64_t deadline_ns, kill_ns;
	struct termios saved_termios;
	bool raw;
};

bool lab_inside(void)
{
	return getenv("EXITLAB_LAB") != NULL;
}

static const char *qemu_program(void)
{
	const char *q = getenv("EXITLAB_QEMU");

	return q && *q ? q : "qemu-system-x86_64";
}

/* "QEMU emulator version 10.0.2 (...)" -> "10.0.2", or NULL. */
static char *qemu_version(void)
{
	char *argv[] = {(char *)qemu_program(), "--version", NULL};
	struct strbuf out = STRBUF_INIT;
	char *v = NULL;

	if (proc_run(argv, &out, 20 * NSEC_PER_SEC) == 0) {
		const char *s = strstr(strbuf_str(&out), "version ");

		if (s)
			v = xasprintf("%.*s", (int)strcspn(s + 8, " \n("), s + 8);
	}
	strbuf_free(&out);
	return v;
}

char *lab_missing(char **version)
{
	char *v = qemu_version(), *why = NULL;
	char *kernel = xasprintf("%s/kernels/default/vmlinux", path_cache());

	if (!v)
		why = xasprintf("%s is not installed; run ./setup.sh", qemu_program());
	else if (atoi(v) < QEMU_MIN_MAJOR)
		why = xasprintf("QEMU %s is too old (the igb SR-IOV card needs %d.0); run ./setup.sh", v,
				QEMU_MIN_MAJOR);
	else if (!file_exists(kernel))
		why = xasprintf("no unpacked kernel in %s; run ./setup.sh", path_cache());
	if (version)
		*version = v;
	else
		free(v);
	free(kernel);
	return why;
}

/* Without a time-out of the caller's, only the boot has one. */
static uint64_t lab_limit(const struct lab_spec *spec)
{
	return spec->timeout_ns ? spec->timeout_ns : BOOT_TIMEOUT_NS;
}

/* ---- frames ---- */

static int send_frame(struct lab *lab, uint32_t type, const void *data, size_t len)
{
	struct lab_frame f = {type, (uint32_t)len};
	int err = fd_write_all(lab->ctl_fd, &f, sizeof(f));

	return err ? err : fd_write_all(lab->ctl_fd, data, len);
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

/* ---- QEMU's command line ---- */

struct args {
	char *v[128];
	int n;
};

static void arg(struct args *a, char *s)
{
	BUG_ON(a->n + 1 >= (int)ARRAY_SIZE(a->v));
	a->v[a->n++] = s;
}

static void args_text(struct args *a, const char *text)
{
	char *copy = xstrdup(text), *save;

	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		arg(a, xstrdup(w));
	free(copy);
}

/* -virtfs parses commas; a path's own are doubled. */
static char *share(const char *path, const char *tag, bool readonly)
{
	struct strbuf sb = STRBUF_INIT;

	strbuf_adds(&sb, "local,path=");
	for (; *path; path++) {
		strbuf_addc(&sb, *path);
		if (*path == ',')
			strbuf_addc(&sb, ',');
	}
	strbuf_addf(&sb, ",mount_tag=%s,security_model=none,multidevs=remap%s", tag, readonly ? ",readonly=on" : "");
	return strbuf_take(&sb);
}

static void add_share(struct args *a, struct strbuf *cfg, const char *dir)
{
	static unsigned n;
	char *tag = xasprintf("rw%u", n++), *pair;

	if (!dir)
		return;
	arg(a, "-virtfs");
	arg(a, share(dir, tag, false));
	pair = xasprintf("%s:%s", tag, dir);
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

static const char kernel_args[] =
	"console=ttyS0 panic=-1 intel_iommu=on mitigations=off quiet nokaslr nowatchdog tsc=reliable random.trust_cpu=on";

static void build_args(struct args *a, const struct lab *lab, const char *vmlinux, const char *initrd,
		       struct strbuf *cfg, int peer_fd)
{
	const struct lab_spec *spec = lab->spec;
	const char *checkout = path_checkout();

	arg(a, (char *)qemu_program());
	args_text(a, spec->deterministic ? machine_deterministic : machine_fast);
	arg(a, "-chardev");
	arg(a, spec->deterministic ? xasprintf("file,id=ctl,path=/proc/self/fd/%d", peer_fd)
				   : xasprintf("socket,id=ctl,fd=%d", peer_fd));
	args_text(a, machine_common);
	arg(a, "-m");
	arg(a, xasprintf("%llu", (unsigned long long)(spec->mem_mib ? spec->mem_mib : 2048)));
	arg(a, "-serial");
	arg(a, xasprintf("file:/proc/self/fd/%d", lab->console_fd));
	arg(a, "-kernel");
	arg(a, (char *)vmlinux);
	arg(a, "-initrd");
	arg(a, (char *)initrd);
	arg(a, "-append");
	arg(a, (char *)kernel_args);
	if (!spec->deterministic) {
		arg(a, "-virtfs");
		arg(a, share("/", "root", true));
		add_share(a, cfg, checkout);
		add_share(a, cfg, spec->out_dir);
		add_share(a, cfg, spec->rw_dir);
	}
	arg(a, NULL);
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

static int start_qemu(struct lab *lab)
{
	const struct lab_spec *spec = lab->spec;
	const char *which = spec->kernel ? spec->kernel : "default";
	struct strbuf cfg = STRBUF_INIT;
	struct proc_opts po = {0};
	struct args a = {.n = 0};
	int pair[2] = {-1, -1}, keep[2], err;
	char *vmlinux = path_kernel(which, "vmlinux"), *modules = path_kernel(which, "modules"),
	     *initrd = NULL;

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
	lab->ctl_fd = pair[0];
	pair[0] = -1;
	if (!spec->deterministic)
		err = send_frame(lab, LAB_CONFIG, cfg.buf, cfg.len);
out:
	close_fd(&pair[0]);
	close_fd(&pair[1]);
	strbuf_free(&cfg);
	free(vmlinux);
	free(modules);
	free(initrd);
	return err;
}

/* ---- the session ---- */

static void send_winsize(struct lab *lab)
{
	struct winsize ws;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws))
		send_frame(lab, LAB_WINSIZE, &ws, sizeof(ws));
}

static void terminal_raw(struct lab *lab)
{
	struct termios t;

	if (!lab->spec->terminal || tcgetattr(STDIN_FILENO, &lab->saved_termios))
		return;
	t = lab->saved_termios;
	cfmakeraw(&t);
	lab->raw = !tcsetattr(STDIN_FILENO, TCSANOW, &t);
}

static int save_file(struct lab *lab, const char *data, size_t len)
{
	size_t name_len = strnlen(data, len) + 1;
	char *path, *slash;
	int err = 0, fd;

	if (name_len > len || !lab->spec->out_dir || strstr(data, ".."))
		return 0;
	path = xasprintf("%s/%s", lab->spec->out_dir, data);
	slash = strrchr(path, '/');
	*slash = '\0';
	dir_make_all(path);
	*slash = '/';
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	err = fd < 0 ? -errno : fd_write_all(fd, data + name_len, len - name_len);
	close_fd(&fd);
	if (err)
		log_error("lab: %s: %s", path, strerror(-err));
	free(path);
	return err;
}

static int handle_frame(struct lab *lab, const struct lab_frame *f, char *data)
{
	switch (f->type) {
	case LAB_READY:
		lab->ready = true;
		if (!lab->spec->timeout_ns)
			lab->deadline_ns = 0;
		if (lab->spec->terminal)
			send_winsize(lab);
		return 0;
	case LAB_STDOUT:
		return fd_write_all(STDOUT_FILENO, data, f->len);
	case LAB_STDERR:
		return fd_write_all(STDERR_FILENO, data, f->len);
	case LAB_FILE:
		return save_file(lab, data, f->len);
	case LAB_EXIT:
		memcpy(&lab->status, data, sizeof(lab->status));
		lab->done = true;
		return 0;
	case LAB_FAIL:
		log_error("lab: its init failed: %.*s", (int)f->len, data);
		return -EIO;
	}
	return 0;
}

static int read_frame(struct lab *lab, int fd)
{
	static char data[LAB_FRAME_MAX + 1];
	struct lab_frame f;
	ssize_t n = fd_read_full(fd, &f, sizeof(f));

	if (n != sizeof(f))
		return -EPIPE;
	if (f.len > LAB_FRAME_MAX || fd_read_full(fd, data, f.len) != (ssize_t)f.len)
		return -EPIPE;
	return handle_frame(lab, &f, data);
}

static void on_stdin(struct lab *lab)
{
	char buf[4096];
	ssize_t n = read(lab->stdin_fd, buf, sizeof(buf));

	if (n < 0 && errno == EINTR)
		return;
	send_frame(lab, LAB_STDIN, buf, n > 0 ? (size_t)n : 0);
	if (n <= 0)
		lab->stdin_fd = -1;
}

static void on_signal(struct lab *lab)
{
	struct signalfd_siginfo info;
	int32_t sig;

	if (read(lab->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	sig = (int32_t)info.ssi_signo;
	if (sig == SIGWINCH) {
		send_winsize(lab);
		return;
	}
	/* The second time we do not ask any more. */
	if (lab->interrupts++ || !lab->ready || lab->spec->deterministic) {
		lab->kill_ns = clock_ns();
		lab->status = 128 + sig;
	} else {
		send_frame(lab, LAB_SIGNAL, &sig, sizeof(sig));
	}
}

static int open_signals(sigset_t *saved)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, saved);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Time-outs: first ask the command to end, then take the machine away. */
static int check_clock(struct lab *lab)
{
	int32_t sig = SIGTERM;
	uint64_t now = clock_ns();

	if (lab->kill_ns && now >= lab->kill_ns)
		return -ETIMEDOUT;
	if (!lab->deadline_ns || now < lab->deadline_ns || lab->timed_out)
		return 0;
	lab->timed_out = true;
	lab->kill_ns = now + (lab->ready ? GRACE_NS : 0);
	if (lab->ready && !lab->spec->deterministic)
		send_frame(lab, LAB_SIGNAL, &sig, sizeof(sig));
	return 0;
}

static int session(struct lab *lab)
{
	int err = 0;

	while (!lab->done && !err) {
		struct pollfd p[] = {
			{lab->ctl_fd, POLLIN, 0},
			{lab->signal_fd, POLLIN, 0},
			{lab->ready ? lab->stdin_fd : -1, POLLIN, 0},
			{lab->qemu.pidfd, POLLIN, 0},
		};

		if (poll(p, ARRAY_SIZE(p), 200) < 0 && errno != EINTR)
			return -errno;
		if (p[0].revents)
			err = read_frame(lab, lab->ctl_fd);
		else if (p[3].revents)
			err = -EPIPE;
		if (p[1].revents)
			on_signal(lab);
		if (p[2].revents)
			on_stdin(lab);
		err = err ? err : check_clock(lab);
	}
	return err;
}

/* A deterministic lab says everything at its end, into a file. */
static int session_sealed(struct lab *lab, int file_fd)
{
	int err = 0;

	for (;;) {
		struct pollfd p[] = {{lab->qemu.pidfd, POLLIN, 0}, {lab->signal_fd, POLLIN, 0}};

		poll(p, 2, 200);
		if (p[0].revents)
			break;
		if (p[1].revents)
			on_signal(lab);
		err = check_clock(lab);
		if (err)
			return err;
	}
	lseek(file_fd, 0, SEEK_SET);
	while (!lab->done && !err)
		err = read_frame(lab, file_fd);
	return err;
}

/* ---- what went wrong ---- */

static char *fd_text(int fd)
{
	struct strbuf sb = STRBUF_INIT;
	char buf[4096];
	ssize_t n;

	lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		strbuf_add(&sb, buf, (size_t)n);
	return strbuf_take(&sb);
}

/* The lines from key on, at most three. */
static const char *excerpt(char *text, const char *key)
{
	char *at = key ? strstr(text, key) : text, *end = at;

	for (int i = 0; at && i < 3 && (end = strchr(end, '\n')); i++)
		end++;
	if (end && at)
		*end = '\0';
	return at;
}

static void explain(struct lab *lab)
{
	char *console = fd_text(lab->console_fd), *qlog = fd_text(lab->qlog_fd);
	const char *panic = excerpt(console, "Kernel panic"), *own = excerpt(console, "lab: ");

	if (lab->timed_out)
		log_error("lab: timed out after %s%s", fmt_ns((double)lab_limit(lab->spec)),
			  lab->ready ? "; see --timeout" : ", before it was up");
	else if (lab->interrupts)
		log_error("lab: interrupted");
	else if (panic)
		log_error("lab: its kernel panicked: %s", panic);
	else if (own)
		log_error("lab: ended early: %s", own);
	else if (!lab->ready)
		log_error("lab: QEMU ended before the lab was up: %s",
			  strstr(qlog, "rror") ? qlog : excerpt(qlog, NULL));
	else
		log_error("lab: the machine ended before the command did; its console ends with: %s",
			  strlen(console) > 400 ? console + strlen(console) - 400 : console);
	free(console);
	free(qlog);
}

int lab_run(const struct lab_spec *spec, int *status)
{
	struct lab lab = {.spec = spec, .qemu = PROC_INIT, .ctl_fd = -1, .stdin_fd = -1};
	char *why = lab_missing(NULL);
	sigset_t saved;
	int err;

	*status = EXIT_CANNOT;
	if (why) {
		log_error("lab: %s", why);
		free(why);
		return -ENOENT;
	}
	lab.console_fd = memfd_create("lab-console", MFD_CLOEXEC);
	lab.qlog_fd = memfd_create("lab-qemu", MFD_CLOEXEC);
	lab.signal_fd = open_signals(&saved);
	lab.deadline_ns = clock_ns() + lab_limit(spec);
	if (spec->pass_stdin && !spec->deterministic)
		lab.stdin_fd = STDIN_FILENO;
	err = start_qemu(&lab);
	if (!err) {
		terminal_raw(&lab);
		err = spec->deterministic ? session_sealed(&lab, lab.ctl_fd) : session(&lab);
		if (lab.raw)
			tcsetattr(STDIN_FILENO, TCSANOW, &lab.saved_termios);
		if (err || lab.timed_out)
			explain(&lab);
		if (!err && proc_wait(&lab.qemu, 10 * NSEC_PER_SEC) == -ETIMEDOUT)
			log_warn("lab: did not power off; ended");
	}
	proc_end(&lab.qemu, 0);
	if (lab.timed_out)
		*status = 124; /* as timeout(1) */
	else if (!err || lab.interrupts)
		*status = lab.status;
	close_fd(&lab.ctl_fd);
	close_fd(&lab.console_fd);
	close_fd(&lab.qlog_fd);
	close_fd(&lab.signal_fd);
	sigprocmask(SIG_SETMASK, &saved, NULL);
	return err;
}
