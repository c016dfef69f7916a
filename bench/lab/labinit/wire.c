// SPDX-License-Identifier: MIT
/* Frames between the lab and the bench outside, and the configuration that comes in one. */
#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/io.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "bench/lab/labinit/init.h"

static int ctl_fd = -1;
static bool by_port; /* we speak by LAB_IO_PORT and hear nothing */
static char config[LAB_FRAME_MAX + 1];
static size_t config_len;

void write_all(int fd, const void *data, size_t len)
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

static void port_write(const void *data, size_t len)
{
	__asm__ volatile("rep outsb" : "+S"(data), "+c"(len) : "d"(LAB_IO_PORT) : "memory");
}

void wire_send(uint32_t type, const void *data, size_t len)
{
	struct lab_frame f = {type, (uint32_t)len};
	char buf[sizeof(f) + LAB_FRAME_MAX];

	memcpy(buf, &f, sizeof(f));
	if (len)
		memcpy(buf + sizeof(f), data, len);
	if (by_port)
		port_write(buf, sizeof(f) + len);
	else
		write_all(ctl_fd, buf, sizeof(f) + len);
}

_Noreturn void power_off(void)
{
	sync();
	reboot(LINUX_REBOOT_CMD_POWER_OFF);
	for (;;)
		pause();
}

_Noreturn void fail(const char *what, const char *name)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "%s %s: %s", what, name, strerror(errno));

	fprintf(stderr, "lab: %s\n", text);
	if (by_port || ctl_fd >= 0)
		wire_send(LAB_FAIL, text, (size_t)n);
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

void wire_open(void)
{
	const char *channel = config_get("channel");

	if (channel && !strcmp(channel, "port")) {
		if (ioperm(LAB_IO_PORT, 1, 1))
			fail("open", "the I/O port");
		by_port = true;
		port_write(LAB_MAGIC, sizeof(LAB_MAGIC));
		return;
	}
	ctl_fd = open_port();
	if (ctl_fd < 0)
		fail("open", LAB_PORT);
}

int wire_fd(void)
{
	return ctl_fd;
}

struct lab_frame wire_read(char *data)
{
	struct lab_frame f;

	if (read_full(ctl_fd, &f, sizeof(f)) || f.len > LAB_FRAME_MAX || read_full(ctl_fd, data, f.len))
		power_off();
	return f;
}

bool config_load(void)
{
	int fd = open("/lab.cfg", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, config, LAB_FRAME_MAX);
	config_len = 0;
	if (n > 0)
		config_len = (size_t)n;
	close(fd);
	return true;
}

void config_receive(void)
{
	struct lab_frame f = wire_read(config);

	if (f.type != LAB_CONFIG)
		fail("read", "the configuration");
	config_len = f.len;
}

const char *config_next(const char *key, size_t *at)
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

const char *config_get(const char *key)
{
	size_t at = 0;

	return config_next(key, &at);
}
