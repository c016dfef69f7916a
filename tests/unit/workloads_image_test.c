// SPDX-License-Identifier: MIT
/* cpio writer, module resolver, ELF walk and the image made of them, on a made-up modules
 * directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "workloads/elfdeps.h"
#include "workloads/image.h"

static char dir[64], moddir[128];

static void put(const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", moddir, name);

	assert_int_equal(file_write_atomic(path, text, strlen(text)), 0);
	free(path);
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/exitlab-image-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(moddir, sizeof(moddir), "%s/modules", dir);
	mkdir(moddir, 0755);
	put("modules.dep", "net/virtio-net.ko: net/failover.ko core/virtio.ko core/virtio_ring.ko\n"
			   "net/failover.ko:\n"
			   "core/virtio.ko: core/virtio_ring.ko\n"
			   "core/virtio_ring.ko:\n"
			   "net/e1000.ko:\n"
			   "fs/f2.ko: lib/libcrc.ko\n"
			   "lib/libcrc.ko:\n"
			   "crypto/crc32c_fast.ko:\n"
			   "a.ko:\nb.ko:\n");
	put("modules.alias",
	    "# comment\nalias pci:v00008086d0000100Esv*sd*bc*sc*i* e1000\n"
	    "alias virtio:d00000001v* virtio_net\nalias crypto-crc32c crc32c_fast\n");
	put("modules.builtin", "kernel/8250.ko\n");
	put("modules.softdep",
	    "# soft\nsoftdep libcrc pre: crypto-crc32c post: a\nsoftdep a pre: b\nsoftdep b pre: a\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return dir_remove_all(dir);
}

static void expect_modules(const char *const *names, const char *want)
{
	struct strlist l = STRLIST_INIT;
	struct strbuf got = STRBUF_INIT;

	assert_int_equal(modules_resolve(moddir, names, &l), 0);
	for (size_t i = 0; i < l.n; i++)
		strbuf_addf(&got, "%s%s", i ? " " : "", l.v[i]);
	assert_string_equal(strbuf_str(&got), want);
	strbuf_free(&got);
	strlist_free(&l);
}

static void module_order(void **state)
{
	(void)state;
	expect_modules((const char *const[]){"virtio_net", NULL},
		       "core/virtio_ring.ko core/virtio.ko net/failover.ko net/virtio-net.ko");
	expect_modules(
		(const char *const[]){"virtio", "virtio-net", "e1000", NULL},
		"core/virtio_ring.ko core/virtio.ko net/failover.ko net/virtio-net.ko net/e1000.ko");
	expect_modules((const char *const[]){"8250", NULL}, "");
	expect_modules((const char *const[]){"f2", NULL},
		       "crypto/crc32c_fast.ko lib/libcrc.ko fs/f2.ko");
	expect_modules((const char *const[]){NULL}, "");
}

static void module_errors(void **state)
{
	struct strlist l = STRLIST_INIT;

	(void)state;
	assert_int_equal(modules_resolve(moddir, (const char *const[]){"nosuch", NULL}, &l),
			 -ENOENT);
	assert_int_equal(modules_resolve("/nonexistent", (const char *const[]){"e1000", NULL}, &l),
			 -ENOENT);
	/* Two that want each other first: an end, and both are there. */
	assert_int_equal(modules_resolve(moddir, (const char *const[]){"a", NULL}, &l), 0);
	assert_int_equal(l.n, 2);
	strlist_free(&l);
}

static void module_aliases(void **state)
{
	struct strlist l = STRLIST_INIT;

	(void)state;
	assert_int_equal(modules_for_alias(moddir,
					   "pci:v00008086d0000100Esv00001AF4sd00001100bc02sc00i00",
					   &l),
			 0);
	assert_int_equal(modules_for_alias(moddir, "virtio:d00000001v00001AF4", &l), 0);
	assert_int_equal(modules_for_alias(moddir, "pci:v00001234d00000001sv0sd0bc0sc0i0", &l), 0);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.v[0], "e1000");
	assert_string_equal(l.v[1], "virtio_net");
	strlist_free(&l);
}

static struct strbuf archive(struct cpio *c)
{
	struct strbuf sb = STRBUF_INIT;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/x.cpio", dir);
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
	assert_true(fd >= 0);
	assert_int_equal(cpio_write(c, fd), 0);
	close(fd);
	assert_int_equal(file_read(path, &sb), 0);
	return sb;
}

/* Reads an archive as the kernel does: "path mode size;" of every entry. */
static void list(const struct strbuf *sb, struct strbuf *out)
{
	size_t at = 0;
	unsigned ino = 0;

	for (;;) {
		unsigned f[13];

		assert_true(range_ok(at, 110, sb->len));
		assert_memory_equal(sb->buf + at, "070701", 6);
		for (int i = 0; i < 13; i++) {
			char hex[9] = "";

			memcpy(hex, sb->buf + at + 6 + 8 * i, 8);
			f[i] = (unsigned)strtoul(hex, NULL, 16);
		}
		const char *name = sb->buf + at + 110;

		assert_int_equal(strlen(name) + 1, f[11]);
		assert_int_equal(f[5], 0);	  /* mtime */
		assert_int_equal(f[2] | f[3], 0); /* root */
		at = (size_t)align_up(at + 110 + f[11], 4);
		if (!strcmp(name, "TRAILER!!!"))
			break;
		assert_int_equal(f[0], ++ino);
		strbuf_addf(out, "%s %o %u;", name, f[1], f[6]);
		at = (size_t)align_up(at + f[6], 4);
	}
	assert_int_equal(sb->len % 512, 0);
}

static void fill(struct cpio *c, bool backwards)
{
	for (int i = 0; i < 3; i++) {
		switch (backwards ? 2 - i : i) {
		case 0:
			assert_int_equal(cpio_add_data(c, "/usr/bin/x", 0755, "abc", 3), 0);
			break;
		case 1:
			assert_int_equal(cpio_add_node(c, "dev/console", S_IFCHR | 0600, 5, 1), 0);
			break;
		case 2:
			assert_int_equal(cpio_add_symlink(c, "bin", "usr/bin"), 0);
			break;
		}
	}
}

static void cpio_is_reproducible(void **state)
{
	static const char want[] =
		"bin 120777 7;dev 40755 0;dev/console 20600 0;usr 40755 0;usr/bin 40755 0;"
		"usr/bin/x 100755 3;";
	struct cpio *c = cpio_new(), *d = cpio_new();
	struct strbuf a, b, names = STRBUF_INIT;
	char h1[65], h2[65], h3[65], path[128];

	(void)state;
	fill(c, false);
	fill(d, true);
	a = archive(c);
	b = archive(d);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.buf, b.buf, a.len);
	list(&a, &names);
	assert_string_equal(strbuf_str(&names), want);
	cpio_sha256(c, h1);
	cpio_sha256(d, h2);
	snprintf(path, sizeof(path), "%s/x.cpio", dir);
	assert_int_equal(file_sha256(path, h3), 0);
	assert_string_equal(h1, h2);
	assert_string_equal(h1, h3);
	/* Adding a path again replaces it. */
	assert_int_equal(cpio_add_data(c, "usr/bin/x", 0755, "abd", 3), 0);
	cpio_sha256(c, h2);
	assert_string_not_equal(h1, h2);
	strbuf_free(&a);
	strbuf_free(&b);
	strbuf_free(&names);
	cpio_free(c);
	cpio_free(d);
}

static void cpio_refuses_bad_paths(void **state)
{
	static const char *const bad[] = {"", "/", "a//b", "../x", "a/../b", "a/.", "a/"};
	struct cpio *c = cpio_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(cpio_add_dir(c, bad[i], 0755), -EINVAL);
	assert_int_equal(cpio_add_file(c, "x", 0644, "/nonexistent"), -ENOENT);
	cpio_free(c);
}

/* Ours move together; the system's stay, or nobody who looks in PATH finds them. */
static void programs_of_the_system_keep_their_place(void **state)
{
	static const char *const system[] = {"/bin/sh", "/usr/bin/env"};
	struct strbuf sb, names = STRBUF_INIT;
	struct cpio *c = cpio_new();
	char own[PATH_MAX], want[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);

	(void)state;
	assert_true(len > 0);
	own[len] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(system); i++)
		assert_int_equal(image_add_program(c, system[i], "/exitlab", NULL), 0);
	assert_int_equal(image_add_program(c, own, "/exitlab", NULL), 0);
	sb = archive(c);
	list(&sb, &names);
	for (size_t i = 0; i < ARRAY_SIZE(system); i++)
		assert_non_null(strstr(strbuf_str(&names), system[i] + 1));
	snprintf(want, sizeof(want), "exitlab/%s ", strrchr(own, '/') + 1);
	assert_non_null(strstr(strbuf_str(&names), want));
	assert_null(strstr(strbuf_str(&names), "exitlab/sh"));
	strbuf_free(&sb);
	strbuf_free(&names);
	cpio_free(c);
}

static void copy_into(const char *tree, const char *path, const char *from)
{
	char to[PATH_MAX], *slash;
	struct strbuf sb = STRBUF_INIT;

	snprintf(to, sizeof(to), "%s%s", tree, path);
	slash = strrchr(to, '/');
	*slash = '\0';
	assert_int_equal(dir_make_all(to), 0);
	*slash = '/';
	assert_int_equal(file_read(from, &sb), 0);
	assert_int_equal(file_write_atomic(to, sb.buf, sb.len), 0);
	strbuf_free(&sb);
}

/* Unpacked packages are in the image as if they were installed, with libraries of their own. */
static void files_of_a_tree_lose_its_name(void **state)
{
	static const char *const files[] = {"/usr/sbin/tool", "/etc/tool.conf", NULL};
	struct image_spec spec = {.agent = "/bin/true", .tree_files = files};
	char tree[PATH_MAX], *out = NULL;
	struct strbuf sb = STRBUF_INIT, names = STRBUF_INIT;

	(void)state;
	snprintf(tree, sizeof(tree), "%s/tree", dir);
	spec.tree = tree;
	copy_into(tree, files[0], "/usr/bin/env");
	copy_into(tree, files[1], "/etc/passwd");
	copy_into(tree, "/usr/lib/libc.so.6",
		  "/etc/passwd"); /* no library, which shows that it was looked at */
	assert_int_equal(image_build_in(&spec, dir, &out), -ENOEXEC);
	copy_into(tree, "/usr/lib/libc.so.6", "/lib/x86_64-linux-gnu/libc.so.6");
	assert_int_equal(image_build_in(&spec, dir, &out), 0);
	assert_int_equal(file_read(out, &sb), 0);
	list(&sb, &names);
	assert_non_null(strstr(strbuf_str(&names), "usr/sbin/tool "));
	assert_non_null(strstr(strbuf_str(&names), "etc/tool.conf "));
	assert_non_null(strstr(strbuf_str(&names), "usr/lib/libc.so.6 "));
	assert_null(strstr(strbuf_str(&names), "x86_64-linux-gnu/libc.so.6"));
	assert_null(strstr(strbuf_str(&names), tree + 1));
	free(out);
	strbuf_free(&sb);
	strbuf_free(&names);
}

static void a_module_is_read_without_its_signature(void **state)
{
#define INFO_AND_MAGIC(len) "\0\0\2\0\0\0\0\0\0\0\0" len "~Module signature appended~\n"
	static const struct {
		const char *file;
		size_t len, want;
	} cases[] = {
		{"code" "SIG" INFO_AND_MAGIC("\3"), 4 + 3 + 12 + 28, 4},
		{"code" INFO_AND_MAGIC("\0"), 4 + 12 + 28, 4},
		/* longer than the file */
		{"code" "SIG" INFO_AND_MAGIC("\10"), 4 + 3 + 12 + 28, 4 + 3 + 12 + 28},
		{"~Module signature appended~\n", 28, 28},
		{"code", 4, 4},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *path = xasprintf("%s/x.ko", dir);
		void *data;
		size_t len;

		assert_int_equal(file_write_atomic(path, cases[i].file, cases[i].len), 0);
		assert_int_equal(module_read(dir, "x.ko", &data, &len), 0);
		assert_int_equal(len, cases[i].want);
		assert_memory_equal(data, cases[i].file, len);
		free(data);
		free(path);
	}
}

static void image_holds_what_the_mode_needs(void **state)
{
	static const char *const files[] = {"net", "core", NULL};
	char agent[256], out[128], *cached, *again;
	const char *names[] = {"virtio_net", NULL};
	struct image_spec spec = {
		.agent = agent, .moddir = moddir, .modules = names, .job = "workload=null"};
	struct strbuf sb = STRBUF_INIT, same = STRBUF_INIT, text = STRBUF_INIT;
	int fd = memfd_create("image", MFD_CLOEXEC);
	struct stat before, after;

	(void)state;
	for (int i = 0; files[i]; i++) {
		snprintf(agent, sizeof(agent), "%s/%s", moddir, files[i]);
		mkdir(agent, 0755);
	}
	put("core/virtio_ring.ko", "ring");
	put("core/virtio.ko", "virtio");
	put("net/failover.ko", "fail");
	put("net/virtio-net.ko", "net");
	snprintf(agent, sizeof(agent), "%s/modules.dep",
		 moddir); /* any file will do as the agent */
	snprintf(out, sizeof(out), "%s/image.cpio", dir);
	assert_int_equal(image_write(&spec, fd), 0);
	snprintf(out, sizeof(out), "/proc/self/fd/%d", fd);
	assert_int_equal(file_read(out, &sb), 0);
	list(&sb, &text);
	assert_non_null(strstr(strbuf_str(&text), "exitlab.job 100644 14;init 100755 "));
	assert_non_null(
		strstr(strbuf_str(&text),
		       "modules/00-virtio_ring.ko 100644 4;modules/01-virtio.ko 100644 6;"
		       "modules/02-failover.ko 100644 4;modules/03-virtio_net.ko 100644 3;"));
	/* By content, which is the same; and then the file is left alone. */
	assert_int_equal(image_build_in(&spec, dir, &cached), 0);
	assert_int_equal(file_read(cached, &same), 0);
	assert_int_equal(same.len, sb.len);
	assert_memory_equal(same.buf, sb.buf, sb.len);
	assert_int_equal(stat(cached, &before), 0);
	assert_int_equal(image_build_in(&spec, dir, &again), 0);
	assert_int_equal(stat(again, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	free(again);
	spec.job = "workload=boot";
	assert_int_equal(image_build_in(&spec, dir, &again), 0);
	assert_string_not_equal(cached, again);
	free(cached);
	free(again);
	spec.job = "x";
	assert_int_not_equal(image_write(&spec, -1), 0);
	close(fd);
	strbuf_free(&same);
	strbuf_free(&sb);
	strbuf_free(&text);
}

/* A directory of a library's own (DT_RUNPATH), as fio's librados has one. */
static void elf_runpath(void **state)
{
	static const char lib[] = "/usr/lib/x86_64-linux-gnu/librados.so.2";
	struct strlist l = STRLIST_INIT;
	bool own = false;

	(void)state;
	if (!file_exists(lib))
		skip();
	assert_int_equal(elf_deps(lib, NULL, &l), 0);
	for (size_t i = 0; i < l.n; i++)
		own |= strstr(l.v[i], "/ceph/libceph-common.so") != NULL;
	assert_true(own);
	strlist_free(&l);
}

static void elf_walk(void **state)
{
	struct strlist l = STRLIST_INIT;
	bool libc = false, loader = false;

	(void)state;
	assert_int_equal(elf_deps("/bin/sh", NULL, &l), 0);
	for (size_t i = 0; i < l.n; i++) {
		libc |= strstr(l.v[i], "libc.so.6") != NULL;
		loader |= strstr(l.v[i], "ld-linux") != NULL;
	}
	assert_true(libc);
	assert_true(loader);
	strlist_free(&l);
}

/* Whatever is in the file: no crash (ASan watches), an answer. The seed is fixed. */
static void elf_mutations(void **state)
{
	struct strbuf sh = STRBUF_INIT;
	char path[128];
	unsigned refused = 0;
	int quiet = open("/dev/null", O_WRONLY), stderr_was = dup(2);

	(void)state;
	assert_int_equal(file_read("/bin/sh", &sh), 0);
	dup2(quiet, 2); /* a hundred of the same message help nobody */
	snprintf(path, sizeof(path), "%s/mutant", dir);
	srand(7);
	for (int round = 0; round < 150; round++) {
		char *copy = malloc(sh.len);
		struct strlist l = STRLIST_INIT;
		size_t len = round % 3 ? sh.len : (size_t)rand() % 2048;
		int fd;

		memcpy(copy, sh.buf, sh.len);
		for (int i = 0; i < 12; i++)
			copy[(size_t)rand() % 1200] = (char)rand();
		fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
		assert_int_equal(fd_write_all(fd, copy, len), 0);
		close(fd);
		refused += elf_deps(path, NULL, &l) != 0;
		strlist_free(&l);
		free(copy);
	}
	dup2(stderr_was, 2);
	close(quiet);
	close(stderr_was);
	assert_true(refused > 50); /* every cut one at least */
	strbuf_free(&sh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(module_order),
		cmocka_unit_test(module_errors),
		cmocka_unit_test(module_aliases),
		cmocka_unit_test(cpio_is_reproducible),
		cmocka_unit_test(cpio_refuses_bad_paths),
		cmocka_unit_test(programs_of_the_system_keep_their_place),
		cmocka_unit_test(files_of_a_tree_lose_its_name),
		cmocka_unit_test(a_module_is_read_without_its_signature),
		cmocka_unit_test(image_holds_what_the_mode_needs),
		cmocka_unit_test(elf_walk), cmocka_unit_test(elf_runpath),
		cmocka_unit_test(elf_mutations),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
