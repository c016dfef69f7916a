// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "bench/profile/symbols.h"

#define TOO_FAR (1u << 20) /* an address this far above the last symbol belongs to none */

struct symbol {
	uint64_t addr;
	char *name;
};

struct symbols {
	struct symbol *sym;
	size_t n;
};

static void add_symbol(struct symbols *s, uint64_t addr, const char *name)
{
	s->sym = xgrow(s->sym, s->n, sizeof(*s->sym));
	s->sym[s->n++] = (struct symbol){addr, xstrdup(name)};
}

/* "ffffffff81000000 T _stext" */
static void load_map(struct symbols *s, char *text)
{
	char type, name[256];
	uint64_t addr;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (sscanf(line, "%" SCNx64 " %c %255s", &addr, &type, name) == 3 && strchr("tTwW", type))
			add_symbol(s, addr, name);
}

static void load_section(struct symbols *s, Elf *elf, Elf_Scn *scn, const GElf_Shdr *sh)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	GElf_Sym sym;
	size_t n;

	if (!data || !sh->sh_entsize)
		return;
	n = sh->sh_size / sh->sh_entsize;
	for (size_t i = 0; i < n && gelf_getsym(data, (int)i, &sym); i++) {
		const char *name = elf_strptr(elf, sh->sh_link, sym.st_name);

		if (GELF_ST_TYPE(sym.st_info) == STT_FUNC && sym.st_value && name)
			add_symbol(s, sym.st_value, name);
	}
}

static void load_elf(struct symbols *s, int fd)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;

	while (elf && (scn = elf_nextscn(elf, scn)))
		if (gelf_getshdr(scn, &sh) && sh.sh_type == SHT_SYMTAB)
			load_section(s, elf, scn, &sh);
	elf_end(elf);
}

static int by_addr(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return compare_u64(x->addr, y->addr);
}

struct symbols *symbols_load(const char *path)
{
	struct symbols *s = xcalloc(1, sizeof(*s));
	struct strbuf text = STRBUF_INIT;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char magic[4] = "";

	if (fd < 0) {
		log_error("%s: %s; --symbols wants a System.map or a vmlinux with symbols", path, strerror(errno));
		free(s);
		return NULL;
	}
	elf_version(EV_CURRENT);
	if (fd_read_full(fd, magic, sizeof(magic)) == sizeof(magic) && !memcmp(magic, ELFMAG, SELFMAG))
		load_elf(s, fd);
	else if (!file_read(path, &text) && text.len)
		load_map(s, text.buf);
	strbuf_free(&text);
	close(fd);
	if (!s->n) {
		log_error("%s: no symbols in it; --symbols wants a System.map or a vmlinux with symbols", path);
		symbols_free(s);
		return NULL;
	}
	qsort(s->sym, s->n, sizeof(*s->sym), by_addr);
	return s;
}

void symbols_free(struct symbols *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		free(s->sym[i].name);
	free(s->sym);
	free(s);
}

bool symbols_find(const struct symbols *s, uint64_t addr, char *buf, size_t size)
{
	size_t low = 0, high;

	if (!s)
		return false;
	high = s->n;
	while (low < high) {
		size_t mid = (low + high) / 2;

		if (s->sym[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || addr - s->sym[low - 1].addr > TOO_FAR)
		return false;
	snprintf(buf, size, "%s+0x%" PRIx64, s->sym[low - 1].name, addr - s->sym[low - 1].addr);
	return true;
}
