// SPDX-License-Identifier: MIT
#include "vmm/vhost/user_mem.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define PAGE 4096ull

static bool ranges_overlap(uint64_t a, uint64_t b, uint64_t a_len, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

/* A region is malformed when it is empty, not page-aligned, or reaches beyond the end of the 64 bits. */
static bool region_malformed(const struct vu_region *r)
{
	uint64_t top = UINT64_MAX - r->size;

	return !r->size || (r->gpa | r->size | r->user_addr | r->mmap_offset) & (PAGE - 1) ||
	       r->gpa > top || r->user_addr > top || r->mmap_offset > top;
}

static const char *region_fault(const struct vu_mem *mem, const struct vu_region *r, int fd, struct stat *st)
{
	if (region_malformed(r))
		return "is malformed";
	for (unsigned i = 0; i < mem->n; i++) {
		const struct vu_region *o = &mem->slot[i].r;

		if (ranges_overlap(r->gpa, o->gpa, r->size, o->size) ||
		    ranges_overlap(r->user_addr, o->user_addr, r->size, o->size))
			return "overlaps another";
	}
	if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode))
		return "comes with no file of memory";
	if (st->st_size < 0 || r->mmap_offset + r->size > (uint64_t)st->st_size)
		return "reaches past the end of its file";
	return NULL;
}

static int map_region(struct vu_slot *s, const struct vu_region *r, int fd, const struct stat *st)
{
	/* On hugetlbfs the length must be whole pages too; st_blksize is their size. */
	uint64_t len = align_up(r->mmap_offset + r->size, MAX((uint64_t)st->st_blksize, PAGE));
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	*s = (struct vu_slot){*r, p, len};
	return 0;
}

int vu_mem_add(struct vu_mem *mem, const struct vu_region *r, int fd)
{
	const char *why;
	struct stat st;
	int err;

	if (mem->n == VU_SLOTS) {
		close_fd(&fd);
		return -ENOSPC;
	}
	why = region_fault(mem, r, fd, &st);
	if (why) {
		log_guest("vhost-user: memory region 0x%" PRIx64 "+0x%" PRIx64 " %s", r->gpa,
			  r->size, why);
		close_fd(&fd);
		return -EINVAL;
	}
	err = map_region(&mem->slot[mem->n], r, fd, &st);
	if (!err)
		mem->n++;
	else
		log_guest("vhost-user: memory region 0x%" PRIx64 "+0x%" PRIx64 ": %s", r->gpa,
			  r->size, strerror(-err));
	close_fd(&fd);
	return err;
}

int vu_mem_del(struct vu_mem *mem, const struct vu_region *r)
{
	for (unsigned i = 0; i < mem->n; i++) {
		struct vu_slot *s = &mem->slot[i];

		if (s->r.gpa != r->gpa || s->r.size != r->size || s->r.user_addr != r->user_addr)
			continue;
		munmap(s->map, s->map_len);
		*s = mem->slot[--mem->n];
		return 0;
	}
	return -ENOENT;
}

void vu_mem_clear(struct vu_mem *mem)
{
	while (mem->n) {
		mem->n--;
		munmap(mem->slot[mem->n].map, mem->slot[mem->n].map_len);
	}
}

int vu_mem_translate(const struct vu_mem *mem, uint64_t user_addr, uint64_t len, gpa_t *gpa)
{
	for (unsigned i = 0; i < mem->n; i++) {
		const struct vu_region *r = &mem->slot[i].r;

		if (user_addr >= r->user_addr && range_ok(user_addr - r->user_addr, len, r->size)) {
			*gpa = r->gpa + (user_addr - r->user_addr);
			return 0;
		}
	}
	return -EFAULT;
}

int vu_mem_gmem(const struct vu_mem *mem, struct gmem **out)
{
	struct gmem_region region[VU_SLOTS];

	for (unsigned i = 0; i < mem->n; i++) {
		const struct vu_slot *s = &mem->slot[i];

		region[i] = (struct gmem_region){
			s->r.gpa, s->r.size, (char *)s->map + s->r.mmap_offset, s->r.mmap_offset};
	}
	return gmem_adopt(out, region, mem->n);
}
