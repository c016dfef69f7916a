// SPDX-License-Identifier: MIT
/*
 * Proof: whatever the driver writes into a split ring, and when, the device stays inside of it, and gets no
 * head twice, in any number of laps.
 *
 * By induction, as in virtq_packed.c.
 *
 * assumed: rings of 1, 2 and 4 entries, shared memory is read by shared_load() and virtq_fetch() only; the
 *          caller pushes and unpops what it popped, once
 * cbmc: --unwind 6
 * model: vmm/virtq/virtq_priv.h /^#define shared_/d; s/memcpy\(copy, shared, 16\)/any_fetch(copy, shared)/
 * mutant: vmm/virtq/virtq_split.c s/if \(i >= n\)/if (0)/
 * mutant: vmm/virtq/virtq_split.c s/head >= vq->map\.size \|\| //
 * mutant: vmm/virtq/virtq_split.c s/ \|\| vq->busy\[head\]//
 * mutant: vmm/virtq/virtq_split.c s/vq->used_idx & \(vq->map\.size - 1u\)/vq->used_idx/
 * mutant: vmm/virtq/virtqueue.c s/ \|\| n >= max_iov//
 * mutant: vmm/virtq/virtqueue.c s/ \|\| \(!packed && !is_pow2\(l->size\)\)//
 * mutant: vmm/virtq/virtqueue.c s/if \(!writable && c->n_in\)/if (0)/
 */
#include "tests/proofs/virtq.h"
#include "vmm/virtq/virtq_split.c"
#include "vmm/virtq/virtqueue.c"

static void try_start(void)
{
	struct virtq_layout l = {.size = nondet_u16()};
	uint64_t features = nondet_u64() & ~(1ull << VIRTIO_F_RING_PACKED);

	assume(l.size <= SIZE_PROVEN);
	if (virtq_start(&vq, NULL, &l, features, nondet_u32())) {
		prove(virtq_pop(&vq, &chain, iov, 1) == -EBADMSG);
		return;
	}
	prove(is_pow2(vq.map.size) && !vq.in_flight && !vq.order_n);
}

static void try_pop(void)
{
	bool was_broken = vq.broken, was_busy[SIZE_PROVEN];
	unsigned max_iov = nondet_u8();
	int r;

	assume(max_iov <= SIZE_PROVEN);
	for (unsigned i = 0; i < SIZE_PROVEN; i++)
		was_busy[i] = vq.busy[i] = nondet_bool();
	r = virtq_pop(&vq, &chain, iov, max_iov);
	prove(r == 1 || r == 0 || r == -EBADMSG);
	prove(vq.broken == (was_broken || r < 0));
	if (r != 1)
		return;
	prove(chain.id < vq.map.size && !was_busy[chain.id] && vq.busy[chain.id]);
	prove_chain(max_iov);
}

/* A chain that is in flight. */
static void any_chain(void)
{
	any_memory(&chain);
	assume(chain.id < vq.map.size && vq.busy[chain.id]);
}

int main(void)
{
	if (nondet_bool()) {
		try_start();
		return 0;
	}
	make_ring(false);
	switch (nondet_u8()) {
	case 0:
		try_pop();
		break;
	case 1:
		any_chain();
		virtq_push(&vq, &chain, nondet_u32());
		break;
	case 2:
		any_chain();
		virtq_unpop(&vq, &chain);
		break;
	case 3:
		virtq_publish(&vq);
		break;
	case 4:
		virtq_should_call(&vq);
		break;
	case 5:
		virtq_kicks_on(&vq);
		break;
	default:
		virtq_kicks_off(&vq);
	}
	return 0;
}
