// SPDX-License-Identifier: MIT
/*
 * One file, and the same bytes in memory: operations that a seed chooses are done to both, and they must not
 * differ. What is written goes out to the disk and out of the cache now and then, to be read back from there.
 * The idea is that of fsx (A. Tevanian, 1991).
 *
 *      file_ops FILE SEED OPERATIONS
 *
 * Static, and by itself: it runs in a guest that has nothing else. Exit status: 0, or 1 with the operations
 * that led there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGEST 262144u /* the file, at most */
#define LONGEST 65536u	/* an operation */
#define LOG	32u

struct model {
	const char *path;
	int fd;
	unsigned size, ops;
	uint64_t seed;
	uint8_t bytes[LARGEST], got[LARGEST];
	char log[LOG][64];
};

static uint32_t random_below(struct model *m, uint32_t n)
{
	m->seed = m->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((m->seed >> 33) % n);
}

static void __attribute__((format(printf, 2, 3))) note(struct model *m, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m->log[m->ops % LOG], sizeof(m->log[0]), fmt, ap);
	va_end(ap);
}

static _Noreturn void __attribute__((format(printf, 2, 3))) wrong(struct model *m, const char *fmt, ...)
{
	unsigned first = m->ops < LOG ? 0 : m->ops - LOG + 1;
	va_list ap;

	for (unsigned i = first; i <= m->ops; i++)
		printf("%u: %s\n", i, m->log[i % LOG]);
	printf("file_ops: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf(" (%s)\n", strerror(errno));
	exit(1);
}

/* Somewhere, and so many bytes that it does not end behind the largest file; whole blocks as often as not. */
static void choose_range(struct model *m, unsigned within, unsigned *at, unsigned *len)
{
	*at = random_below(m, within);
	*len = 1 + random_below(m, LONGEST);
	if (random_below(m, 2)) {
		*at &= ~4095u;
		*len = (*len + 4095) & ~4095u;
	}
	if (*len > within - *at)
		*len = within - *at;
}

static void compare(struct model *m, const uint8_t *got, unsigned at, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		if (got[i] != m->bytes[at + i])
			wrong(m, "byte %u is 0x%02x, not 0x%02x", at + i, got[i], m->bytes[at + i]);
}

/* Bytes that say which operation they are of; no two operations write the same. */
static void fill_range(struct model *m, unsigned at, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		m->bytes[at + i] = (uint8_t)(m->ops * 31 + (at + i) * 7 + (at + i) / 512);
}

/* A file that grows has zeroes where nothing was written. */
static void grow_to(struct model *m, unsigned size)
{
	if (size <= m->size)
		return;
	memset(m->bytes + m->size, 0, size - m->size);
	m->size = size;
}

static void do_write(struct model *m)
{
	unsigned at, len;

	choose_range(m, LARGEST, &at, &len);
	note(m, "write %u+%u", at, len);
	grow_to(m, at + len);
	fill_range(m, at, len);
	if (pwrite(m->fd, m->bytes + at, len, at) != (ssize_t)len)
		wrong(m, "write");
}

static void do_read(struct model *m)
{
	unsigned at, len;

	if (!m->size)
		return;
	choose_range(m, m->size, &at, &len);
	note(m, "read %u+%u", at, len);
	if (pread(m->fd, m->got, len, at) != (ssize_t)len)
		wrong(m, "read");
	compare(m, m->got, at, len);
}

static void do_map(struct model *m)
{
	unsigned at, len;
	uint8_t *map;

	if (!m->size)
		return;
	choose_range(m, m->size, &at, &len);
	map = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
	if (map == MAP_FAILED)
		wrong(m, "mmap");
	note(m, "mapped: read and write %u+%u", at, len);
	compare(m, map + at, at, len);
	fill_range(m, at, len);
	memcpy(map + at, m->bytes + at, len);
	if (random_below(m, 4) == 0 && msync(map, m->size, MS_SYNC))
		wrong(m, "msync");
	munmap(map, m->size);
}

static void do_truncate(struct model *m)
{
	unsigned size = random_below(m, LARGEST + 1);

	note(m, "truncate %u -> %u", m->size, size);
	if (ftruncate(m->fd, size))
		wrong(m, "ftruncate");
	grow_to(m, size);
	m->size = size;
}

/* A hole, or zeroes that have a place on the disk. */
static void do_zero(struct model *m)
{
	int mode = random_below(m, 2) ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
	unsigned at, len;

	if (!m->size)
		return;
	choose_range(m, m->size, &at, &len);
	note(m, "%s %u+%u", mode == FALLOC_FL_PUNCH_HOLE ? "hole" : "zeroes", at, len);
	if (fallocate(m->fd, mode | FALLOC_FL_KEEP_SIZE, at, len))
		wrong(m, "fallocate");
	memset(m->bytes + at, 0, len);
}

static void check_whole(struct model *m)
{
	struct stat st;

	if (fstat(m->fd, &st) || st.st_size != m->size)
		wrong(m, "the file has %lld bytes, not %u", (long long)st.st_size, m->size);
	if (pread(m->fd, m->got, LARGEST, 0) != (ssize_t)m->size)
		wrong(m, "read of all");
	compare(m, m->got, 0, m->size);
}

/* To the disk, out of the cache, and back. */
static void do_evict(struct model *m)
{
	note(m, "fsync, and all of it read from the disk");
	if (fsync(m->fd) || posix_fadvise(m->fd, 0, 0, POSIX_FADV_DONTNEED))
		wrong(m, "fsync");
	check_whole(m);
}

static void do_reopen(struct model *m)
{
	note(m, "closed and opened");
	close(m->fd);
	m->fd = open(m->path, O_RDWR);
	if (m->fd < 0)
		wrong(m, "open");
}

static void one_operation(struct model *m)
{
	static void (*const ops[])(struct model *m) = {
		do_write, do_write, do_write, do_read, do_read,  do_map,
		do_map,	  do_zero,  do_zero,  do_evict, do_evict, do_truncate,
		do_reopen,
	};

	note(m, "nothing");
	ops[random_below(m, sizeof(ops) / sizeof(ops[0]))](m);
}

int main(int argc, char **argv)
{
	static struct model m;
	unsigned ops;

	if (argc != 4) {
		fprintf(stderr, "usage: file_ops FILE SEED OPERATIONS\n");
		return 2;
	}
	m.path = argv[1];
	m.seed = strtoull(argv[2], NULL, 0);
	ops = (unsigned)strtoul(argv[3], NULL, 0);
	m.fd = open(m.path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (m.fd < 0)
		wrong(&m, "%s", m.path);
	for (; m.ops < ops; m.ops++)
		one_operation(&m);
	do_evict(&m);
	printf("file_ops: %u operations, no difference (seed %s)\n", ops, argv[2]);
	return 0;
}
