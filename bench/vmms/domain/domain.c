// SPDX-License-Identifier: MIT
#include "bench/vmms/domain/domain.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "bench/vmms/domain/pc.h"

#define NEVER_IN_LIST "\"\\\n'[],"
#define DOMID_END 0x7ff0u /* Xen's own numbers begin here */

/* A string of xl's ends at a quotation mark, and a backslash is not itself. */
static int add_text(struct strbuf *out, const char *key, const char *value)
{
	if (strpbrk(value, "\"\\\n")) {
		log_error(
			"%s: Xen's configuration cannot hold a quotation mark, a backslash or a line's end: %s",
			key, value);
		return -EINVAL;
	}
	strbuf_addf(out, "%s=\"%s\"\n", key, value);
	return 0;
}

/* A device is an item of a list, whose words end at a comma; a disk's target has the rest. */
static int add_device(struct strbuf *out, const char *kind, const char *of, const char *value,
		      const char *script)
{
	if (strpbrk(value, NEVER_IN_LIST) || strpbrk(script, NEVER_IN_LIST)) {
		log_error("%s: %s: Xen's configuration cannot hold one of these", value, script);
		return -EINVAL;
	}
	strbuf_addf(out, "%s=[\"script=%s,%s=%s\"]\n", kind, script, of, value);
	return 0;
}

static bool is_hvm(const struct domain_want *w)
{
	return !strcmp(w->type, "hvm");
}

/* What xl hands on itself. */
static const char *ramdisk_of(const struct domain_want *w)
{
	if (is_hvm(w))
		return NULL;
	return w->ramdisk;
}

static int add_loader(struct strbuf *out, const char *file, uint64_t at)
{
	if (strpbrk(file, NEVER_IN_LIST)) {
		log_error("%s: Xen's configuration cannot hold this name", file);
		return -EINVAL;
	}
	strbuf_addf(out, "\"-device\",\"loader,file=%s,addr=%#" PRIx64 ",force-raw=on\",", file, at);
	return 0;
}

/* A PC at whose screen nobody looks, and what its QEMU puts into the domain's memory. */
static int add_pc(struct strbuf *out, const struct domain_want *w)
{
	int err;

	strbuf_adds(out, "vga=\"none\"\nnographic=1\nvnc=0\ndevice_model_args_hvm=[");
	err = add_loader(out, w->image, w->image_at);
	if (!err && w->ramdisk)
		err = add_loader(out, w->ramdisk, PC_INITRD_AT);
	strbuf_adds(out, "]\n");
	return err;
}

int domain_config(const struct domain_want *w, struct strbuf *out)
{
	/* The time-stamp counter is the processor's own: an emulated RDTSCP ends a PVH guest here. */
	const struct {
		const char *key, *value;
	} texts[] = {
		{"name", w->name},	  {"uuid", w->uuid},	      {"type", w->type},
		{"kernel", w->kernel},	  {"ramdisk", ramdisk_of(w)},    {"cmdline", w->cmdline},
		{"tsc_mode", "native"},	  {"on_poweroff", "destroy"}, {"on_reboot", "destroy"},
		{"on_crash", "destroy"},
	};
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(texts) && !err; i++)
		if (texts[i].value)
			err = add_text(out, texts[i].key, texts[i].value);
	if (err)
		return err;
	strbuf_addf(out, "vcpus=%" PRIu64 "\nmemory=%" PRIu64 "\n", w->cpus, w->mem_mib);
	strbuf_adds(out, text_if(w->shadow, "hap=0\n"));
	if (is_hvm(w))
		err = add_pc(out, w);
	/* Without a card of the PC's beside it. */
	if (!err && w->mac)
		err = add_device(out, "vif", text_or(text_if(is_hvm(w), "type=vif,mac"), "mac"), w->mac,
				 w->script);
	if (!err && w->disk)
		err = add_device(out, "disk", "format=raw,vdev=xvda,access=rw,backendtype=phy,target",
				 w->disk, w->script);
	return err;
}

/* One line and nothing else. */
static char *only_line(const char *text)
{
	size_t len = strcspn(text, "\n");

	if (text[len] && text[len + 1])
		return NULL;
	return xasprintf("%.*s", (int)len, text);
}

int domain_parse_id(const char *text, unsigned *id)
{
	char *line = only_line(text);
	uint64_t n = 0;
	int err = -EINVAL;

	if (line && !parse_u64(line, &n) && n > 0 && n < DOMID_END)
		err = 0;
	free(line);
	*id = (unsigned)n;
	return err;
}

int domain_find_uuid(const char *text, const char *uuid, unsigned *id)
{
	const char *line = strstr(text, uuid);
	char *number;
	int err;

	if (!line)
		return -ENOENT;
	line += strlen(uuid);
	line += strspn(line, " ");
	number = xasprintf("%.*s", (int)strspn(line, "0123456789"), line);
	err = domain_parse_id(number, id);
	free(number);
	if (err)
		return -ENOENT;
	return 0;
}

int domain_parse_tty(const char *text, char *path, size_t size)
{
	static const char dir[] = "/dev/pts/";
	char *line = only_line(text);
	const char *number = NULL;
	int err = -EINVAL;

	if (line && !strncmp(line, dir, strlen(dir)))
		number = line + strlen(dir);
	if (number && *number && !number[strspn(number, "0123456789")] && strlen(line) < size) {
		snprintf(path, size, "%s", line);
		err = 0;
	}
	free(line);
	return err;
}

enum domain_end domain_parse_end(const char *log)
{
	static const char key[] = "has shut down, reason code ";
	const char *at = NULL;
	long code;

	for (const char *s = log; (s = strstr(s, key)); s++)
		at = s + strlen(key);
	if (!at)
		return DOMAIN_UNKNOWN;
	code = strtol(at, NULL, 10);
	if (code < DOMAIN_POWEROFF || code > DOMAIN_CRASH)
		return DOMAIN_UNKNOWN;
	return (enum domain_end)code;
}

/* What there is to read goes on; 0 at the end, which of a terminal without another side is EIO. */
static ssize_t pass_on(int from, int to)
{
	char buf[4096];
	ssize_t n = read(from, buf, sizeof(buf));
	int err = 0;

	if (n < 0 && errno == EINTR)
		return 1;
	if (n < 0 && errno == EIO)
		return 0;
	if (n < 0)
		return -errno;
	if (n)
		err = fd_write_all(to, buf, (size_t)n);
	if (err)
		return err;
	return n;
}

int domain_relay(int tty, int in, int out, int signal_fd)
{
	ssize_t n = 1;

	while (n > 0) {
		struct pollfd p[] = {{tty, POLLIN, 0}, {in, POLLIN, 0}, {signal_fd, POLLIN, 0}};

		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return -errno;
		if (p[2].revents)
			return -EINTR;
		if (p[1].revents && pass_on(in, tty) <= 0)
			in = -1;
		if (p[0].revents)
			n = pass_on(tty, out);
	}
	return (int)n;
}
