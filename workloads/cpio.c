// SPDX-License-Identifier: MIT
#include <errno.h>
#include <sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "workloads/cpio.h"

struct entry {
	char *path;
	mode_t mode;
	unsigned major, minor;
	char *data;
	size_t len;
};

struct cpio {
	struct entry *entry;
	size_t n;
};

/* Where the archive goes: a file or a hash. */
struct sink {
	int fd;
	int err;
	SHA2_CTX *hash;
	size_t len;
};

struct cpio *cpio_new(void)
{
	return xcalloc(1, sizeof(struct cpio));
}

void cpio_free(struct cpio *c)
{
	for (size_t i = 0; c && i < c->n; i++) {
		free(c->entry[i].path);
		free(c->entry[i].data);
	}
	if (c)
		free(c->entry);
	free(c);
}

static struct entry *find_entry(struct cpio *c, const char *path)
{
	for (size_t i = 0; i < c->n; i++) {
		if (!strcmp(c->entry[i].path, path))
			return &c->entry[i];
	}
	return NULL;
}

static bool path_ok(const char *path)
{
	for (const char *p = path;; p++) {
		size_t len = strcspn(p, "/");

		if (!len || (len == 2 && !strncmp(p, "..", 2)) || (len == 1 && *p == '.'))
			return false;
		p += len;
		if (!*p)
			return true;
	}
}

/* A fresh entry, or the emptied old one of that path; NULL for a bad path. */
static struct entry *place_entry(struct cpio *c, const char *path, mode_t mode)
{
	struct entry *e;

	path += *path == '/';
	if (!path_ok(path))
		return NULL;
	e = find_entry(c, path);
	if (e) {
		free(e->data);
		*e = (struct entry){.path = e->path, .mode = mode};
		return e;
	}
	c->entry = xgrow(c->entry, c->n, sizeof(*c->entry));
	e = &c->entry[c->n++];
	*e = (struct entry){.path = xstrdup(path), .mode = mode};
	return e;
}

static int add_entry(struct cpio *c, const char *path, mode_t mode, const void *data, size_t len)
{
	struct entry *e;

	if (len > UINT32_MAX)
		return -EFBIG;
	e = place_entry(c, path, mode);
	if (!e)
		return -EINVAL;
	e->len = len;
	if (len)
		e->data = memcpy(xcalloc(1, len), data, len);
	return 0;
}

int cpio_add_dir(struct cpio *c, const char *path, mode_t perm)
{
	return add_entry(c, path, S_IFDIR | perm, NULL, 0);
}

int cpio_add_data(struct cpio *c, const char *path, mode_t perm, const void *data, size_t len)
{
	return add_entry(c, path, S_IFREG | perm, data, len);
}

int cpio_add_symlink(struct cpio *c, const char *path, const char *target)
{
	return add_entry(c, path, S_IFLNK | 0777, target, strlen(target));
}

int cpio_add_node(struct cpio *c, const char *path, mode_t type_perm, unsigned major, unsigned minor)
{
	struct entry *e = place_entry(c, path, type_perm);

	if (!e)
		return -EINVAL;
	e->major = major;
	e->minor = minor;
	return 0;
}

int cpio_add_file(struct cpio *c, const char *path, mode_t perm, const char *host_path)
{
	struct strbuf sb = STRBUF_INIT;
	int err = file_read(host_path, &sb);

	if (!err)
		err = cpio_add_data(c, path, perm, sb.buf, sb.len);
	if (err)
		log_error("%s: cannot be packed into the initramfs: %s", host_path, strerror(-err));
	strbuf_free(&sb);
	return err;
}

static void add_parents(struct cpio *c)
{
	for (size_t i = 0; i < c->n; i++) {
		char *path = xstrdup(c->entry[i].path);

		for (char *s = strchr(path, '/'); s; s = strchr(s + 1, '/')) {
			*s = '\0';
			if (!find_entry(c, path))
				cpio_add_dir(c, path, 0755);
			*s = '/';
		}
		free(path);
	}
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

static void emit_bytes(struct sink *s, const void *data, size_t len)
{
	s->len += len;
	if (s->hash)
		SHA256Update(s->hash, data, len);
	else if (!s->err)
		s->err = fd_write_all(s->fd, data, len);
}

static void emit_padding(struct sink *s, size_t to)
{
	static const char zero[512];

	emit_bytes(s, zero, (to - s->len % to) % to);
}

/* Documentation/driver-api/early-userspace/buffer-format: 13 fields of 8 hex digits after the magic. */
static void emit_entry(struct sink *s, const struct entry *e, unsigned ino)
{
	char head[111];

	snprintf(head, sizeof(head), "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", ino,
		 e->mode, 0u, 0u, S_ISDIR(e->mode) ? 2u : 1u, 0u, (unsigned)e->len, 0u, 0u, e->major,
		 e->minor, (unsigned)strlen(e->path) + 1, 0u);
	emit_bytes(s, head, 110);
	emit_bytes(s, e->path, strlen(e->path) + 1);
	emit_padding(s, 4);
	emit_bytes(s, e->data, e->len);
	emit_padding(s, 4);
}

static void emit_all(struct cpio *c, struct sink *s)
{
	static const struct entry trailer = {.path = (char *)"TRAILER!!!"};

	add_parents(c);
	if (c->n)
		qsort(c->entry, c->n, sizeof(*c->entry), by_path);
	for (size_t i = 0; i < c->n; i++)
		emit_entry(s, &c->entry[i], (unsigned)i + 1);
	emit_entry(s, &trailer, 0);
	emit_padding(s, 512);
}

int cpio_write(struct cpio *c, int fd)
{
	struct sink s = {.fd = fd};

	emit_all(c, &s);
	return s.err;
}

void cpio_sha256(struct cpio *c, char hex[65])
{
	SHA2_CTX ctx;
	struct sink s = {.fd = -1, .hash = &ctx};
	uint8_t digest[SHA256_DIGEST_LENGTH];

	SHA256Init(&ctx);
	emit_all(c, &s);
	SHA256Final(digest, &ctx);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}
