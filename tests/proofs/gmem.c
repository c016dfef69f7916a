// SPDX-License-Identifier: MIT
/*
 * Proof: what gmem_ptr gives lies in one region as a whole, and what lies in one region is given.
 *
 * assumed: at most 2 regions, which do not wrap the address space and do not overlap; else any addresses,
 *          sizes and lengths of 64 bits
 * cbmc: --unwind 3
 * mutant: vmm/core/gmem.c s/range_ok\(gpa - r->gpa, len, r->size\)/gpa - r->gpa < r->size/
 * mutant: vmm/core/gmem.c s/range_ok\(gpa - r->gpa, len, r->size\)/gpa - r->gpa + len <= r->size/
 * mutant: vmm/core/gmem.c s/len && i < gm->n/i < gm->n/
 * mutant: base/util.h s/return off <= size && len <= size - off;/return len <= size - off;/
 */
#include "tests/proofs/model.h"
#include "vmm/core/gmem.c"

#define REGIONS 2
#define LARGEST (1ull << 46) /* more than a processor addresses */

/* Where the regions are mapped: only how far from their first bytes a pointer is matters. */
static char host_0, host_1;

static bool in_region(const struct gmem_region *r, gpa_t gpa, uint64_t len)
{
	/* With a type that cannot wrap. */
	return gpa >= r->gpa && (unsigned __int128)(gpa - r->gpa) + len <= r->size;
}

static void make_regions(struct gmem *gm)
{
	gm->n = nondet_u8();
	assume(gm->n <= REGIONS);
	for (size_t i = 0; i < gm->n; i++) {
		struct gmem_region *r = &gm->region[i];

		r->gpa = nondet_u64();
		r->size = nondet_u64();
		assume(r->size && r->size <= LARGEST && r->gpa <= UINT64_MAX - r->size);
		assume(!i || r[-1].gpa + r[-1].size <= r->gpa);
		r->hva = i ? &host_1 : &host_0;
	}
}

int main(void)
{
	struct gmem gm = {0};
	gpa_t gpa = nondet_u64();
	uint64_t len = nondet_u64();
	bool whole = false;
	char *p;

	make_regions(&gm);
	p = gmem_ptr(&gm, gpa, len);
	for (size_t i = 0; i < gm.n; i++) {
		const struct gmem_region *r = &gm.region[i];

		whole |= len && in_region(r, gpa, len);
		if (p && gpa >= r->gpa && gpa - r->gpa < r->size) {
			prove(in_region(r, gpa, len));
			prove(__CPROVER_same_object(p, r->hva));
			prove(__CPROVER_POINTER_OFFSET(p) == gpa - r->gpa);
		}
	}
	prove(!p == !whole);
	return 0;
}
