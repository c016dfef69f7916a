// SPDX-License-Identifier: MIT
/* First process of a Linux guest in tests: does what the words on the kernel's command line say,
 * then powers off. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

static char buf[1 << 20];

static ssize_t slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return n;
}

static void show(const char *path)
{
	if (slurp(path) > 0)
		printf("== %s\n%s\n", path, buf);
}

static void show_log(void)
{
	int n = klogctl(3, buf, sizeof(buf) - 1);

	if (n > 0)
		printf("== log\n%.*s\n", n, buf);
}

int main(void)
{
	static char cmdline[4096];

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	slurp("/proc/cmdline");
	strncpy(cmdline, buf, sizeof(cmdline) - 1);
	if (strstr(cmdline, "t.show")) {
		show_log();
		show("/proc/interrupts");
		show("/sys/devices/system/clocksource/clocksource0/current_clocksource");
		show("/sys/class/rtc/rtc0/since_epoch");
	}
	printf("init: %ld cpus\n", sysconf(_SC_NPROCESSORS_ONLN));
	fflush(stdout);
	sync();
	if (strstr(cmdline, "t.reboot"))
		reboot(RB_AUTOBOOT);
	if (strstr(cmdline, "t.panic"))
		return 1; /* of init: the kernel panics */
	reboot(RB_POWER_OFF);
	return 0;
}
