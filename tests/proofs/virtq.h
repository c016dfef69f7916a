/* SPDX-License-Identifier: MIT */
/*
 * For the proofs of both rings: memory that an enemy writes, and a queue in any state in which it may be.
 *
 * Each part of the ring ends where an object ends, so that one byte beyond it is an error. Each read of it
 * gives anything at all, as if its driver wrote between any two of them. Guest memory is modelled: what
 * gmem_ptr gives is nothing, or anywhere inside an object (proof gmem), its end among others, as far as it
 * can be an indirect table; what is longer is never looked at.
 */
#ifndef TESTS_PROOFS_VIRTQ_H
#define TESTS_PROOFS_VIRTQ_H

#include <string.h>
#include "tests/proofs/model.h"

/* What takes the place of virtq_priv.h's. */
#define shared_load(p)             ((__typeof__(*(p) + 0))any_load(p, sizeof(*(p))))
#define shared_load_acquire(p)     shared_load(p)
#define shared_store(p, v)         (prove(__CPROVER_w_ok(p, sizeof(*(p)))), (void)(v))
#define shared_store_release(p, v) shared_store(p, v)

static uint64_t any_load(const void *p, unsigned size)
{
	uint64_t v = nondet_u64();

	prove(__CPROVER_r_ok(p, size));
	assume(size == 8 || v >> 8 * size == 0);
	return v;
}

static void any_fetch(void *copy, const void *shared)
{
	prove(__CPROVER_r_ok(shared, 16));
	any_memory(copy);
}

#include "vmm/virtq/virtq_priv.h"

#define SIZE_PROVEN 4 /* entries of a ring, at most */

static struct virtq vq;
static struct virtq_chain chain;
static struct iovec iov[SIZE_PROVEN];
static char desc[16 * SIZE_PROVEN] __attribute__((aligned(16))), driver[6 + 2 * SIZE_PROVEN],
	device[8 + 8 * SIZE_PROVEN] __attribute__((aligned(4))),
	table[16 * SIZE_PROVEN] __attribute__((aligned(16)));

void *gmem_ptr(const struct gmem *gm, gpa_t gpa, uint64_t len)
{
	size_t at = nondet_u8();

	(void)gm;
	(void)gpa;
	if (!len || nondet_bool())
		return NULL;
	if (len > sizeof(table))
		return table + sizeof(table);
	assume(at <= sizeof(table) - len);
	return table + at;
}

static inline void make_ring(bool packed)
{
	uint16_t size = nondet_u16();

	assume(size && size <= SIZE_PROVEN && (packed || is_pow2(size)));
	any_memory(&vq);
	vq.packed = packed;
	vq.event_idx = nondet_bool();
	vq.indirect = nondet_bool();
	vq.in_order = nondet_bool();
	vq.broken = nondet_bool();
	vq.batch_pending = nondet_bool();
	vq.avail_wrap = nondet_bool();
	vq.used_wrap = nondet_bool();
	vq.progress = NULL;
	vq.map = (struct virtq_map){
		.size = size,
		.desc = desc + sizeof(desc) - 16 * size,
		.driver = driver + sizeof(driver) - virtq_driver_bytes(packed, size),
		.device = device + sizeof(device) - virtq_device_bytes(packed, size),
	};
}

/* What a popped chain is for its device: as long as said, no longer than it has room for. */
static inline void prove_chain(unsigned max_iov)
{
	uint64_t out = 0, in = 0;

	prove(chain.n_out + chain.n_in <= max_iov);
	for (unsigned i = 0; i < chain.n_out + chain.n_in; i++) {
		prove(iov[i].iov_base && iov[i].iov_len);
		if (i < chain.n_out)
			out += iov[i].iov_len;
		else
			in += iov[i].iov_len;
	}
	prove(out == chain.out_len && in == chain.in_len);
}

#endif
