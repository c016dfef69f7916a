// SPDX-License-Identifier: MIT
/* ELF kernels: the loadable segments, the entry point and the note of a PVH kernel. */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "vmm/boot/boot.h"

#define MAX_PHDRS       64
#define NOTE_PHYS32     18 /* XEN_ELFNOTE_PHYS32_ENTRY */
#define MAX_NOTES_BYTES 65536

/* The fields that matter, whatever the class. */
struct elf_info {
	bool is64;
	uint64_t entry, phoff;
	unsigned phnum, phentsize;
};

struct segment {
	uint32_t type;
	uint64_t offset, paddr, filesz, memsz;
};

bool elf_is(const struct blob *b)
{
	return b->size >= EI_NIDENT && !memcmp(b->data, ELFMAG, SELFMAG);
}

static bool info64(const struct blob *b, struct elf_info *info)
{
	Elf64_Ehdr h;

	if (b->size < sizeof(h))
		return false;
	memcpy(&h, b->data, sizeof(h));
	*info = (struct elf_info){true, h.e_entry, h.e_phoff, h.e_phnum, h.e_phentsize};
	return h.e_machine == EM_X86_64 && h.e_phentsize == sizeof(Elf64_Phdr);
}

static bool info32(const struct blob *b, struct elf_info *info)
{
	Elf32_Ehdr h;

	if (b->size < sizeof(h))
		return false;
	memcpy(&h, b->data, sizeof(h));
	*info = (struct elf_info){false, h.e_entry, h.e_phoff, h.e_phnum, h.e_phentsize};
	return (h.e_machine == EM_386 || h.e_machine == EM_X86_64) &&
	       h.e_phentsize == sizeof(Elf32_Phdr);
}

static bool elf_parse(const struct blob *b, struct elf_info *info)
{
	bool ok = false;

	if (!elf_is(b) || b->data[EI_DATA] != ELFDATA2LSB)
		return false;
	if (b->data[EI_CLASS] == ELFCLASS64)
		ok = info64(b, info);
	else if (b->data[EI_CLASS] == ELFCLASS32)
		ok = info32(b, info);
	return ok && info->phnum && info->phnum <= MAX_PHDRS &&
	       blob_at(b, info->phoff, (uint64_t)info->phnum * info->phentsize);
}

static struct segment segment_at(const struct blob *b, const struct elf_info *info, unsigned i)
{
	const uint8_t *p = b->data + info->phoff + (uint64_t)i * info->phentsize;
	Elf64_Phdr p64;
	Elf32_Phdr p32;

	if (info->is64) {
		memcpy(&p64, p, sizeof(p64));
		return (struct segment){p64.p_type, p64.p_offset, p64.p_paddr, p64.p_filesz,
					p64.p_memsz};
	}
	memcpy(&p32, p, sizeof(p32));
	return (struct segment){p32.p_type, p32.p_offset, p32.p_paddr, p32.p_filesz, p32.p_memsz};
}

static int load_segment(struct gmem *gm, const struct boot_image *img, const struct segment *s,
			struct loaded *out)
{
	/* Of nothing but zeros the offset may be anything. */
	const void *data = blob_at(&img->kernel, s->offset, s->filesz);
	int err;

	if (s->filesz > s->memsz || (s->filesz && !data))
		return boot_damaged(img, "the ELF file is truncated or damaged");
	err = boot_put(gm, img, s->paddr, data, s->filesz, s->memsz);
	if (err)
		return err;
	out->start = MIN(out->start, s->paddr);
	out->end = MAX(out->end, s->paddr + s->memsz);
	return 0;
}

int elf_load(struct gmem *gm, const struct boot_image *img, struct loaded *out)
{
	struct elf_info info;
	int err = 0;

	if (!elf_parse(&img->kernel, &info))
		return boot_damaged(img, "not an ELF file for x86, or a damaged one");
	*out = (struct loaded){.start = UINT64_MAX, .entry = info.entry};
	for (unsigned i = 0; i < info.phnum && !err; i++) {
		struct segment s = segment_at(&img->kernel, &info, i);

		if (s.type == PT_LOAD && s.memsz)
			err = load_segment(gm, img, &s, out);
	}
	if (!err && !out->end)
		return boot_damaged(img, "the ELF file has nothing to load");
	return err;
}

/* Walk one note segment; every record is three words, a name and a description, both padded to 4
 * bytes. */
static bool find_note(const uint8_t *p, size_t size, uint64_t *entry)
{
	size_t at = 0;

	while (range_ok(at, sizeof(Elf64_Nhdr), size)) {
		uint64_t name, desc;
		Elf64_Nhdr n;

		memcpy(&n, p + at, sizeof(n));
		name = at + sizeof(n);
		desc = name + align_up(n.n_namesz, 4);
		if (!range_ok(name, n.n_namesz, size) || !range_ok(desc, n.n_descsz, size))
			return false;
		if (n.n_type == NOTE_PHYS32 && n.n_namesz == 4 && !memcmp(p + name, "Xen", 4) &&
		    (n.n_descsz == 4 || n.n_descsz == 8)) {
			*entry = 0;
			memcpy(entry, p + desc, n.n_descsz);
			return true;
		}
		at = desc + align_up(n.n_descsz, 4);
	}
	return false;
}

bool elf_pvh_entry(const struct blob *b, uint64_t *entry)
{
	struct elf_info info;

	if (!elf_parse(b, &info))
		return false;
	for (unsigned i = 0; i < info.phnum; i++) {
		struct segment s = segment_at(b, &info, i);

		if (s.type == PT_NOTE && s.filesz <= MAX_NOTES_BYTES &&
		    blob_at(b, s.offset, s.filesz) &&
		    find_note(b->data + s.offset, s.filesz, entry))
			return true;
	}
	return false;
}
