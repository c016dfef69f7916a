// SPDX-License-Identifier: MIT
/*
 * Process 1 of the lab: loads the modules of the initramfs, lays a tmpfs over the host's root file system
 * (9p, read-only), runs one command there and carries its streams to bench. With /lab.cfg in the initramfs
 * (a deterministic lab) everything stays in RAM: there is no 9p and nothing is read from the host.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <net/if.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/lab_wire.h"

#define MAX_WORDS 1024
#define P9_OPTIONS "trans=virtio,version=9p2000.L,msize=512000"

static int ctl_fd = -1;
static char config[LAB_FRAME_MAX + 1];
static size_t config_len;

static void write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return; /* bench has gone; the command ends with us */
		p += n;
		len -= (size_t)n;
	}
}

static void send_frame(uint32_t type, const void *data, size_t len)
{
	struct lab_frame f = {type, (uint32_t)len};
	char buf[sizeof(f) + LAB_FRAME_MAX];

	memcpy(buf, &f, sizeof(f));
	if (len)
		memcpy(buf + sizeof(f), data, len);
	write_all(ctl_fd, buf, sizeof(f) + len);
}

static _Noreturn void power_off(void)
{
	sync();
	reboot(LINUX_REBOOT_CMD_POWER_OFF);
	for (;;)
		pause();
}

static _Noreturn void fail(const char *what, const char *name)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "%s %s: %s", what, name, strerror(errno));

	fprintf(stderr, "lab: %s\n", text);
	if (ctl_fd >= 0)
		send_frame(LAB_FAIL, text, (size_t)n);
	power_off();
}

static int read_full(int fd, void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = read(fd, (char *)buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

static void make_dirs(const char *path)
{
	char p[4096];

	snprintf(p, sizeof(p), "%s", path);
	for (char *s = p + 1; *s; s++) {
		if (*s != '/')
			continue;
		*s = '\0';
		mkdir(p, 0755);
		*s = '/';
	}
	mkdir(p, 0755);
}

static void do_mount(const char *src, const char *dst, const char *type, unsigned long flags,
		     const char *data)
{
	if (mount(src, dst, type, flags, data))
		fail("mount", dst);
}

/* Names sort in load order: /modules/NN-NAME.ko. */
static void load_modules(const char *dir)
{
	struct dirent **e;
	int n = scandir(dir, &e, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		char path[512];
		int fd;

		if (e[i]->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e[i]->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			fail("open", path);
		if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
			fprintf(stderr, "lab: %s: %s\n", path, strerror(errno));
		close(fd);
	}
}

/* The port shows up a moment after its driver: wait for the name in sysfs. */
static int open_port(void)
{
	char path[64], name[64];

	for (int tries = 0; tries < 2000; tries++) {
		for (int i = 0; i < 4; i++) {
			FILE *f;

			snprintf(path, sizeof(path), "/sys/class/virtio-ports/vport%dp1/name", i);
			f = fopen(path, "re");
			if (!f)
				continue;
			if (!fgets(name, sizeof(name), f))
				name[0] = '\0';
			fclose(f);
			name[strcspn(name, "\n")] = '\0';
			if (strcmp(name, LAB_PORT))
				continue;
			snprintf(path, sizeof(path), "/dev/vport%dp1", i);
			return open(path, O_RDWR | O_CLOEXEC);
		}
		usleep(1000);
	}
	errno = ENODEV;
	return -1;
}

/* True when the configuration came with the initramfs: a sealed, deterministic lab. */
static bool read_config(void)
{
	struct lab_frame f;
	int fd = open("/lab.cfg", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		ssize_t n = read(fd, config, LAB_FRAME_MAX);

		config_len = n > 0 ? (size_t)n : 0;
		close(fd);
		return true;
	}
	if (read_full(ctl_fd, &f, sizeof(f)) || f.type != LAB_CONFIG || f.len > LAB_FRAME_MAX ||
	    read_full(ctl_fd, config, f.len))
		fail("read", "the configuration");
	config_len = f.len;
	return false;
}

/* The next value of key after *at; NULL at the end. */
static const char *config_next(const char *key, size_t *at)
{
	size_t klen = strlen(key);

	while (*at < config_len) {
		const char *s = config + *at;

		*at += strlen(s) + 1;
		if (!strncmp(s, key, klen) && s[klen] == '=')
			return s + klen + 1;
	}
	return NULL;
}

static const char *config_get(const char *key)
{
	size_t at = 0;

	return config_next(key, &at);
}

/* Shared guest memory (vhost-user) may have huge pages like private memory: the VMM asks with madvise. */
static void allow_shared_huge_pages(const char *root)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/sys/kernel/mm/transparent_hugepage/shmem_enabled", root);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "advise", 6) < 0)
		fprintf(stderr, "lab: %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void mount_kernel_file_systems(const char *root)
{
	static const struct {
		const char *dir, *type, *data;
	} mounts[] = {
		{"proc", "proc", NULL},
		{"sys", "sysfs", NULL},
		{"dev", "devtmpfs", NULL},
		{"dev/pts", "devpts", "mode=620,ptmxmode=666"},
		{"dev/shm", "tmpfs", NULL},
		{"run", "tmpfs", NULL},
		{"sys/kernel/tracing", "tracefs", NULL},
		{"sys/kernel/debug", "debugfs", NULL},
		{"sys/fs/bpf", "bpf", NULL},
		{"sys/fs/cgroup", "cgroup2", NULL},
	};
	char path[256];

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", root, mounts[i].dir);
		mkdir(path, 0755);
		mount(mounts[i].type, path, mounts[i].type, 0, mounts[i].data);
	}
	snprintf(path, sizeof(path), "%s/dev/fd", root);
	if (symlink("/proc/self/fd", path) && errno != EEXIST)
		fail("link", path);
	snprintf(path, sizeof(path), "%s/run/netns", root);
	mkdir(path, 0755);
	allow_shared_huge_pages(root);
}

static void mount_shares(const char *root)
{
	const char *rw;
	size_t at = 0;
	char path[4096];

	while ((rw = config_next("rw", &at))) {
		const char *dir = strchr(rw, ':');
		char tag[32];

		snprintf(tag, sizeof(tag), "%.*s", (int)(dir - rw), rw);
		snprintf(path, sizeof(path), "%s%s", root, dir + 1);
		make_dirs(path);
		/* No data cache, since both sides may write, but shared mappings for SQLite. */
		do_mount(tag, path, "9p", 0, P9_OPTIONS ",cache=mmap");
	}
}

/* The unpacked kernel's modules where modprobe looks for them. */
static void bind_modules(const char *root)
{
	const char *dir = config_get("modules");
	char from[4096], to[4096];

	if (!dir)
		return;
	snprintf(from, sizeof(from), "%s%s", root, dir);
	snprintf(to, sizeof(to), "%s/lib/modules/%s", root, strrchr(dir, '/') + 1);
	make_dirs(to);
	mount(from, to, NULL, MS_BIND, NULL);
}

static void enter_host_root(void)
{
	mkdir("/lower", 0755);
	mkdir("/layer", 0755);
	mkdir("/root", 0755);
	do_mount("root", "/lower", "9p", MS_RDONLY, P9_OPTIONS ",cache=loose");
	do_mount("tmpfs", "/layer", "tmpfs", 0, NULL);
	mkdir("/layer/up", 0755);
	mkdir("/layer/work", 0755);
	do_mount("overlay", "/root", "overlay", 0, "lowerdir=/lower,upperdir=/layer/up,workdir=/layer/work");
	mount_kernel_file_systems("/root");
	mount_shares("/root");
	bind_modules("/root");
	if (chroot("/root") || chdir("/"))
		fail("chroot", "/root");
}

static size_t config_words(const char *key, char **words)
{
	size_t at = 0, n = 0;
	const char *v;

	while (n < MAX_WORDS - 1 && (v = config_next(key, &at)))
		words[n++] = (char *)v;
	words[n] = NULL;
	return n;
}

static _Noreturn void child(void)
{
	static char *argv[MAX_WORDS];
	const char *cwd = config_get("cwd"), *env;
	size_t at = 0;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!config_words("arg", argv))
		_exit(127);
	while ((env = config_next("env", &at)))
		putenv((char *)env);
	if (cwd && chdir(cwd))
		fprintf(stderr, "lab: %s: %s\n", cwd, strerror(errno));
	execvp(argv[0], argv);
	fprintf(stderr, "lab: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

struct session {
	pid_t pid;
	int in, out, err; /* our ends; out == in with a terminal */
};

static void start_piped(struct session *s)
{
	int in[2], out[2], err[2];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		fail("create", "pipes");
	s->pid = fork();
	if (!s->pid) {
		setsid();
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		child();
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	*s = (struct session){s->pid, in[1], out[0], err[0]};
}

static void start_on_terminal(struct session *s)
{
	int fd;

	s->pid = forkpty(&fd, NULL, NULL, NULL);
	if (!s->pid)
		child();
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	*s = (struct session){s->pid, fd, fd, -1};
}

static void from_bench(struct session *s)
{
	static char data[LAB_FRAME_MAX];
	struct lab_frame f;
	int32_t sig;

	if (read_full(ctl_fd, &f, sizeof(f)) || f.len > sizeof(data) || read_full(ctl_fd, data, f.len))
		power_off(); /* bench has gone */
	switch (f.type) {
	case LAB_STDIN:
		if (f.len)
			write_all(s->in, data, f.len);
		else if (s->in != s->out)
			close(s->in);
		break;
	case LAB_SIGNAL:
		memcpy(&sig, data, sizeof(sig));
		kill(-s->pid, sig);
		break;
	case LAB_WINSIZE:
		ioctl(s->in, TIOCSWINSZ, data);
		break;
	}
}

static void loopback_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		fprintf(stderr, "lab: lo: %s\n", strerror(errno));
	close(fd);
}

static int child_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Pass what there is on; false at the end of the stream. */
static bool pass_on(int fd, uint32_t type)
{
	static char data[16384];
	ssize_t n = read(fd, data, sizeof(data));

	if (n > 0)
		send_frame(type, data, (size_t)n);
	return n > 0 || (n < 0 && errno == EINTR);
}

static bool drained(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};

	return poll(&p, 1, 0) <= 0 || !(p.revents & POLLIN);
}

/*
 * A background child of the command may keep the pipes open: what ends the session is the command's own
 * end.
 */
static int32_t serve(struct session *s, bool listen)
{
	struct pollfd p[4] = {
		{listen ? ctl_fd : -1, POLLIN, 0},
		{s->out, POLLIN, 0},
		{s->err, POLLIN, 0},
		{child_signals(), POLLIN, 0},
	};
	int status = 0;
	bool ended = false;

	while (!ended || !drained(s->out) || (s->err >= 0 && !drained(s->err))) {
		struct signalfd_siginfo info;
		pid_t pid;

		poll(p, 4, ended ? 0 : -1);
		if (p[0].revents & POLLIN)
			from_bench(s);
		if (p[1].revents && !pass_on(s->out, LAB_STDOUT))
			p[1].fd = -1;
		if (p[2].revents && !pass_on(s->err, LAB_STDERR))
			p[2].fd = -1;
		if (ended && p[1].fd < 0 && p[2].fd < 0)
			break;
		if (p[3].revents && read(p[3].fd, &info, sizeof(info)) < 0)
			continue;
		while (!ended && (pid = waitpid(-1, &status, WNOHANG)) > 0)
			ended = pid == s->pid;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A deterministic lab shares no directory with the host: hand the files of the output directory out. */
static void send_files(const char *dir, const char *below)
{
	char path[4096], name[4096], data[LAB_FRAME_MAX];
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		struct stat st;
		size_t used;
		ssize_t n;
		int fd;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		snprintf(name, sizeof(name), "%s%s", below, e->d_name);
		if (lstat(path, &st))
			continue;
		if (S_ISDIR(st.st_mode)) {
			strncat(name, "/", sizeof(name) - strlen(name) - 1);
			send_files(path, name);
			continue;
		}
		fd = open(path, O_RDONLY | O_CLOEXEC);
		used = strlen(name) + 1;
		memcpy(data, name, used);
		while (fd >= 0 && (n = read(fd, data + used, sizeof(data) - used)) >= 0) {
			send_frame(LAB_FILE, data, used + (size_t)n);
			if (!n)
				break;
		}
		close(fd);
	}
	if (d)
		closedir(d);
}

int main(void)
{
	struct session s;
	const char *out;
	bool sealed;
	int32_t status;

	mount_kernel_file_systems("");
	load_modules("/modules");
	ctl_fd = open_port();
	if (ctl_fd < 0)
		fail("open", LAB_PORT);
	sealed = read_config();
	signal(SIGPIPE, SIG_IGN);
	if (!sealed)
		enter_host_root();
	loopback_up();
	make_dirs("/tmp");
	out = config_get("out");
	if (out)
		make_dirs(out);
	if (config_get("tty"))
		start_on_terminal(&s);
	else
		start_piped(&s);
	send_frame(LAB_READY, NULL, 0);
	status = serve(&s, !sealed);
	if (sealed && out)
		send_files(out, "");
	send_frame(LAB_EXIT, &status, sizeof(status));
	power_off();
}
