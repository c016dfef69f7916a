// SPDX-License-Identifier: MIT
/*
 * Proof: no access to a BAR leaves the vectors that there are, and what is neither table nor pending bits is
 * left alone.
 *
 * assumed: 1 to 66 vectors (two words of pending bits); accesses as the core lets them through (1, 2, 4, 8
 *          bytes, aligned); table and pending bits anywhere at a multiple of 8, as pci_add_msix_at takes
 *          them; the guest cannot write the table's size (pci_add_msix_at sets no such bit in wmask)
 * cbmc: --unwind 65
 * model: vmm/pci/msix.c s/^static bool vector_pending\(/static bool real_vector_pending(/
 * mutant: vmm/pci/msix.c s/range_ok\(off - dev->msix_table[^;]+;/true;/
 * mutant: vmm/pci/msix.c s/vectors \* 16ull\);/vectors * 16ull + 8);/
 * mutant: vmm/pci/msix.c s/ && off \* 8 \+ i < dev->n_vectors//
 * mutant: vmm/pci/msix.c s/bar == dev->msix_bar && //
 */
#include "tests/proofs/model.h"
#include "vmm/pci/pci.h"

#define VECTORS 66

static struct pci_msix_vector all[VECTORS];
static unsigned vectors;
static bool refreshed;
static const struct pci_dev *the_dev;

/* In the place of msix.c's, which asks an eventfd. */
static bool vector_pending(const struct pci_msix_vector *vec)
{
	prove(__CPROVER_same_object(vec, all) && __CPROVER_POINTER_OFFSET(vec) < sizeof(all));
	prove(vec >= the_dev->vector);
	return nondet_bool();
}

#include "vmm/pci/msix.c"

uint16_t pci_msix_control(const struct pci_dev *dev)
{
	(void)dev;
	/* Enable and mask bits as they may be. */
	return (uint16_t)((vectors - 1) | (nondet_u16() & ~PCI_MSIX_FLAGS_QSIZE));
}

void pci_vector_refresh(struct pci_dev *dev, unsigned v)
{
	prove(v < vectors && v < dev->n_vectors);
	refreshed = true;
}

static void changed(struct pci_dev *dev, int v)
{
	(void)dev;
	prove(v >= 0 && (unsigned)v < vectors);
}

static const struct pci_ops ops = {.irq_changed = changed};

static bool inside(uint64_t off, unsigned len, uint64_t start, uint64_t bytes)
{
	return off >= start && (unsigned __int128)off + len <= (unsigned __int128)start + bytes;
}

int main(void)
{
	struct pci_dev dev = {
		.ops = &ops, .msix_cap = nondet_u8(), .msix_bar = nondet_u8(), .msix_pba_bar = nondet_u8()};
	uint64_t off = nondet_u64(), val = nondet_u64(), was = val;
	unsigned len = 1u << (nondet_u8() & 3);
	int bar = nondet_u8();
	bool write = nondet_bool(), taken, table, pba;

	vectors = nondet_u16();
	dev.n_vectors = nondet_u16(); /* an assigned device may have more with MSI */
	dev.msix_table = nondet_u64();
	dev.msix_pba = nondet_u64();
	assume(vectors && vectors <= VECTORS && dev.n_vectors >= vectors && dev.n_vectors <= VECTORS);
	assume(!((dev.msix_table | dev.msix_pba) & 7) && !(off & (len - 1)));
	assume(dev.msix_table <= UINT64_MAX - 65536 && dev.msix_pba <= UINT64_MAX - 65536);
	dev.vector = all + VECTORS - dev.n_vectors; /* it ends where the object ends */
	table = dev.msix_cap && bar == dev.msix_bar && inside(off, len, dev.msix_table, vectors * 16ull);
	pba = dev.msix_cap && bar == dev.msix_pba_bar &&
	      inside(off, len, dev.msix_pba, (vectors + 63) / 64 * 8ull);

	the_dev = &dev;
	taken = pci_msix_access(&dev, bar, off, len, &val, write);
	prove(taken == (table || pba));
	prove(!refreshed || (table && write));
	if (!taken || write)
		prove(val == was);
	return 0;
}
