// SPDX-License-Identifier: MIT
#include <errno.h>
#include <sha256.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/util.h"
#include "bench/host/file_facts.h"

static const char *find_after(const char *from, const char *end, const char *what)
{
	if (!from)
		return NULL;
	return memmem(from, (size_t)(end - from), what, strlen(what));
}

/* What gcc writes into its debug information and, with -frecord-gcc-switches, beside the code:
 * "GNU C11 12.2.0 -mtune=generic -g -O2 ...", without -O when it was not given. */
static bool is_optimised(const char *producer, size_t len)
{
	for (const char *s = producer; (s = memmem(s, len - (size_t)(s - producer), " -O", 3)); s += 3)
		if (s + 3 < producer + len && s[3] != '0')
			return true;
	return false;
}

const char *build_type_of(const char *data, size_t len)
{
	const char *end = data + len, *type = "unknown";
	char asan[16];

	/* Not in one piece: bench is such a binary too. Who only asks whether there is ASan has its _init. */
	snprintf(asan, sizeof(asan), "__%s_report", "asan");
	if (find_after(data, end, asan))
		return "asan";
	for (const char *s = data; (s = find_after(s, end, "GNU C")); s += 5) {
		size_t n = strnlen(s, (size_t)(end - s));

		/* The string is also in programs that look for it, such as this one: then without options. */
		if (!memmem(s, n, " -m", 3))
			continue;
		if (!is_optimised(s, n))
			return "debug";
		type = "release";
	}
	return type;
}

/*
 * What is smaller is read as fast as what is kept of it. What changed just now may change again within one
 * tick of the file system's clock.
 */
#define STAT_LINE  80
#define KEPT_FROM  (8 * MIB)
#define SETTLED_NS ((int64_t)NSEC_PER_SEC / 5)

/* A file as it is now, to be told from what it was. */
static void stat_line(const struct stat *st, char line[STAT_LINE])
{
	snprintf(line, STAT_LINE, "%lld %lld.%09ld %lld.%09ld", (long long)st->st_size,
		 (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, (long long)st->st_ctim.tv_sec,
		 st->st_ctim.tv_nsec);
}

/* Caller frees. */
static char *kept_path(const char *path, const char *cache_dir)
{
	char hex[65];

	SHA256Data((const uint8_t *)path, strlen(path), hex);
	return xasprintf("%s/facts/%.16s", cache_dir, hex);
}

static bool kept_facts(const char *kept, const char *now, struct file_facts *f)
{
	char *line = file_read_line(kept), *rest;
	bool same = strlen(line) > strlen(now) && !strncmp(line, now, strlen(now));

	rest = line + (same ? strlen(now) : 0);
	same = same && sscanf(rest, " %64[0-9a-f] %15[a-z]", f->sha256, f->build) == 2 &&
	       strlen(f->sha256) == 64;
	free(line);
	return same;
}

static void keep_facts(const char *kept, const char *now, const struct file_facts *f)
{
	char *line = xasprintf("%s %s %s\n", now, f->sha256, f->build), *dir = xstrdup(kept);
	int err;

	*strrchr(dir, '/') = '\0';
	err = dir_make_all(dir);
	if (!err)
		err = file_write_atomic(kept, line, strlen(line));
	if (err)
		log_debug("%s: what is known of a file is not kept: %s", kept, strerror(-err));
	free(dir);
	free(line);
}

static bool settled(const struct stat *st)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (now.tv_sec - st->st_ctim.tv_sec) * (int64_t)NSEC_PER_SEC + now.tv_nsec - st->st_ctim.tv_nsec >
	       SETTLED_NS;
}

static int read_facts(const char *path, struct file_facts *f)
{
	struct strbuf sb = STRBUF_INIT;
	int err = file_read(path, &sb);

	if (!err) {
		SHA256Data((const uint8_t *)strbuf_str(&sb), sb.len, f->sha256);
		snprintf(f->build, sizeof(f->build), "%s", build_type_of(strbuf_str(&sb), sb.len));
	}
	strbuf_free(&sb);
	return err;
}

/* before: the file as it was when nothing was known of it. What has changed meanwhile is not kept. */
static int find_facts(const char *path, const char *kept, const char *before, struct file_facts *f)
{
	char after[STAT_LINE];
	struct stat st;
	int err = read_facts(path, f);

	if (!err)
		err = errno_if(stat(path, &st));
	if (err)
		return err;
	stat_line(&st, after);
	if (!strcmp(before, after) && settled(&st))
		keep_facts(kept, before, f);
	return 0;
}

int file_facts(const char *path, const char *cache_dir, struct file_facts *f)
{
	char now[STAT_LINE], *kept;
	struct stat st;
	int err = errno_if(stat(path, &st));

	if (err)
		return err;
	if ((uint64_t)st.st_size < KEPT_FROM)
		return read_facts(path, f);
	stat_line(&st, now);
	kept = kept_path(path, cache_dir);
	if (!kept_facts(kept, now, f))
		err = find_facts(path, kept, now, f);
	free(kept);
	return err;
}
