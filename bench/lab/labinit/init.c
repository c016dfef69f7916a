// SPDX-License-Identifier: MIT
/*
 * Process 1 of the lab: loads the modules of the initramfs, lays a tmpfs over the host's root file system
 * (9p, read-only), runs one command there and carries its streams to bench. With /lab.cfg in the initramfs
 * (a sealed lab) everything stays in RAM: there is no 9p and nothing is read from the host.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/lab/labinit/init.h"

#define P9_OPTIONS "trans=virtio,version=9p2000.L,msize=512000"

void make_dirs(const char *path)
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
	const char *layers = "lowerdir=/lower,upperdir=/layer/up,workdir=/layer/work";

	mkdir("/lower", 0755);
	mkdir("/layer", 0755);
	mkdir("/root", 0755);
	do_mount("root", "/lower", "9p", MS_RDONLY, P9_OPTIONS ",cache=loose");
	do_mount("tmpfs", "/layer", "tmpfs", 0, NULL);
	mkdir("/layer/up", 0755);
	mkdir("/layer/work", 0755);
	if (config_get("packages")) {
		mkdir("/packages", 0755);
		do_mount("packages", "/packages", "9p", MS_RDONLY, P9_OPTIONS ",cache=loose");
		layers = "lowerdir=/packages:/lower,upperdir=/layer/up,workdir=/layer/work";
	}
	do_mount("overlay", "/root", "overlay", 0, layers);
	mount_kernel_file_systems("/root");
	mount_shares("/root");
	bind_modules("/root");
	if (chroot("/root") || chdir("/"))
		fail("chroot", "/root");
}

/*
 * The initial RAM file system is no place to pivot from, which programs that shut themselves in do. Seen
 * through a mount of itself it is one.
 */
static void leave_initial_root(void)
{
	mkdir("/root", 0755);
	do_mount("/", "/root", NULL, MS_BIND, NULL);
	if (chdir("/root"))
		fail("enter", "/root");
	do_mount(".", "/", NULL, MS_MOVE, NULL);
	if (chroot(".") || chdir("/"))
		fail("chroot", "/root");
}

static void loopback_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		fprintf(stderr, "lab: lo: %s\n", strerror(errno));
	close(fd);
}

int main(void)
{
	struct session s;
	const char *out;
	bool sealed, alive;
	int32_t status;

	sealed = config_load();
	if (sealed)
		leave_initial_root();
	mount_kernel_file_systems("");
	load_modules("/modules");
	wire_open();
	if (!sealed)
		config_receive();
	alive = !sealed || config_get("channel");
	signal(SIGPIPE, SIG_IGN);
	if (!sealed)
		enter_host_root();
	loopback_up();
	make_dirs("/tmp");
	dom0_start();
	if (sealed && config_get("cwd"))
		make_dirs(config_get("cwd"));
	out = config_get("out");
	if (out)
		make_dirs(out);
	session_start(&s, config_get("tty"));
	wire_send(LAB_READY, NULL, 0);
	status = session_serve(&s, !sealed, alive);
	if (sealed && out)
		send_files(out, "");
	wire_send(LAB_EXIT, &status, sizeof(status));
	power_off();
}
