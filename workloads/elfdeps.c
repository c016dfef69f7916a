// SPDX-License-Identifier: MIT
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "workloads/elfdeps.h"

/* Debian's loader searches these without being told. */
static const char *const lib_dirs[] = {
	"/lib/x86_64-linux-gnu",
	"/usr/lib/x86_64-linux-gnu",
	"/lib64",
	"/usr/lib64",
	"/lib",
	"/usr/lib",
};

struct elf {
	const char *buf;
	size_t len;
	const Elf64_Phdr *ph;
	unsigned n_ph;
};

static int elf_parse(struct elf *e, const struct strbuf *sb)
{
	const Elf64_Ehdr *eh = (const void *)sb->buf;

	if (sb->len < sizeof(*eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 ||
	    eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_machine != EM_X86_64 ||
	    eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phoff % 8 ||
	    !range_ok(eh->e_phoff, (uint64_t)eh->e_phnum * sizeof(Elf64_Phdr), sb->len))
		return -ENOEXEC;
	*e = (struct elf){sb->buf, sb->len, (const void *)(sb->buf + eh->e_phoff), eh->e_phnum};
	return 0;
}

static const Elf64_Phdr *segment(const struct elf *e, unsigned type)
{
	for (unsigned i = 0; i < e->n_ph; i++) {
		if (e->ph[i].p_type == type && range_ok(e->ph[i].p_offset, e->ph[i].p_filesz, e->len))
			return &e->ph[i];
	}
	return NULL;
}

/* The terminated string at a virtual address, or NULL. */
static const char *string_at(const struct elf *e, uint64_t vaddr)
{
	for (unsigned i = 0; i < e->n_ph; i++) {
		const Elf64_Phdr *p = &e->ph[i];
		uint64_t off;

		if (p->p_type != PT_LOAD || vaddr < p->p_vaddr || vaddr - p->p_vaddr >= p->p_filesz ||
		    !range_ok(p->p_offset, p->p_filesz, e->len))
			continue;
		off = p->p_offset + (vaddr - p->p_vaddr);
		return memchr(e->buf + off, 0, e->len - off) ? e->buf + off : NULL;
	}
	return NULL;
}

static bool add_from(const char *root, const char *dir, int len, const char *name, struct strlist *out)
{
	char *path = xasprintf("%s%.*s/%s", root, len, dir, name);
	bool found = file_exists(path);

	if (found)
		strlist_add_once(out, path);
	free(path);
	return found;
}

/* own: the directories that the program itself names (DT_RUNPATH), or NULL; not those with $ORIGIN. */
static bool add_under(const char *root, const char *name, const char *own, struct strlist *out)
{
	for (const char *d = own; d && *d; d += strcspn(d, ":"), d += *d == ':')
		if (*d == '/' && add_from(root, d, (int)strcspn(d, ":"), name, out))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(lib_dirs); i++)
		if (add_from(root, lib_dirs[i], (int)strlen(lib_dirs[i]), name, out))
			return true;
	return false;
}

/* What is wanted, by whom, and where it may be. */
struct wanted {
	const char *tree, *by, *own;
};

static int add_library(const char *name, const struct wanted *w, struct strlist *out)
{
	if ((w->tree && add_under(w->tree, name, w->own, out)) || add_under("", name, w->own, out))
		return 0;
	log_error("%s: needs the library %s, which is not in the usual directories", w->by, name);
	return -ENOENT;
}

static int add_needed(const struct elf *e, const char *path, const char *tree, struct strlist *out)
{
	struct wanted w = {.tree = tree, .by = path};
	const Elf64_Phdr *p = segment(e, PT_DYNAMIC);
	const Elf64_Dyn *dyn;
	uint64_t strtab = 0, runpath = 0;
	int err = 0;
	size_t n;

	if (!p || p->p_offset % 8)
		return 0;
	dyn = (const void *)(e->buf + p->p_offset);
	n = p->p_filesz / sizeof(*dyn);
	for (size_t i = 0; i < n && dyn[i].d_tag != DT_NULL; i++) {
		if (dyn[i].d_tag == DT_STRTAB)
			strtab = dyn[i].d_un.d_ptr;
		if (dyn[i].d_tag == DT_RUNPATH)
			runpath = dyn[i].d_un.d_val;
	}
	if (runpath)
		w.own = string_at(e, strtab + runpath);
	for (size_t i = 0; !err && i < n && dyn[i].d_tag != DT_NULL; i++) {
		const char *name;

		if (dyn[i].d_tag != DT_NEEDED)
			continue;
		name = string_at(e, strtab + dyn[i].d_un.d_val);
		err = name ? add_library(name, &w, out) : -ENOEXEC;
	}
	return err;
}

static int add_interpreter(const struct elf *e, struct strlist *out)
{
	const Elf64_Phdr *p = segment(e, PT_INTERP);
	const char *name;

	if (!p)
		return 0;
	name = e->buf + p->p_offset;
	if (!p->p_filesz || name[p->p_filesz - 1])
		return -ENOEXEC;
	strlist_add_once(out, name);
	return 0;
}

static int add_of(const char *path, const char *tree, struct strlist *out)
{
	struct strbuf sb = STRBUF_INIT;
	struct elf e;
	int err = file_read(path, &sb);
	bool said = false;

	if (!err)
		err = elf_parse(&e, &sb);
	if (!err)
		err = add_interpreter(&e, out);
	if (!err) {
		err = add_needed(&e, path, tree, out);
		said = err == -ENOENT;
	}
	if (err == -ENOEXEC)
		log_error("%s: not a usable x86-64 ELF file", path);
	else if (err && !said)
		log_error("%s: %s", path, strerror(-err));
	strbuf_free(&sb);
	return err;
}

int elf_deps(const char *program, const char *tree, struct strlist *out)
{
	size_t next = out->n;
	int err = add_of(program, tree, out);

	for (; !err && next < out->n; next++) {
		char *path = xstrdup(out->v[next]); /* the list moves while it grows */

		err = add_of(path, tree, out);
		free(path);
	}
	return err;
}
