// SPDX-License-Identifier: MIT
/*
 * Proof: whatever the driver writes into a packed ring, and when, the device stays inside of it, in any
 * number of laps.
 *
 * By induction: a queue that starts holds what virtq_holds() says, and each call from any such state, with a
 * chain that is in flight, leaves a state of which the same holds.
 *
 * assumed: rings of 1 to 4 entries; shared memory is read by shared_load() and virtq_fetch() only; the caller
 *          pushes and unpops what it popped, once
 * cbmc: --unwind 6
 * model: vmm/virtq/virtq_priv.h /^#define shared_/d; s/memcpy\(copy, shared, 16\)/any_fetch(copy, shared)/
 * mutant: vmm/virtq/virtq_packed.c s/vq->held \+ c->n_desc >= vq/c->n_desc >= vq/
 * mutant: vmm/virtq/virtq_packed.c s/vq->held \+ c->n_desc >= vq/vq->held + c->n_desc > vq/
 * mutant: vmm/virtq/virtq_packed.c s/if \(\+\+i == vq->map\.size\)/if (++i > vq->map.size)/
 * mutant: vmm/virtq/virtq_packed.c s/BUG_ON\(by > size\);//; s/if \(i >= size\) \{/if (i > size) {/
 * mutant: vmm/virtq/virtqueue.c s/vq->order_n\+\+;/vq->order_n++; vq->held -= c->n_desc;/
 * mutant: vmm/virtq/virtqueue.c s/ \|\| n >= max_iov//
 * mutant: vmm/virtq/virtqueue.c s/ \|\| len > UINT32_MAX - \*total//
 * mutant: vmm/virtq/virtqueue.c s/ \|\| len \/ 16 > vq->map\.size//
 * mutant: vmm/virtq/virtqueue.c s/vq->broken = err;//
 */
#include "tests/proofs/virtq.h"
#include "vmm/virtq/virtq_packed.c"
#include "vmm/virtq/virtqueue.c"

static bool virtq_holds(void)
{
	if (vq.avail_idx >= vq.map.size || vq.used_idx >= vq.map.size || vq.held > vq.map.size)
		return false;
	/* What is deferred is still held. */
	if (vq.order_desc > vq.held || (vq.order_n && !vq.order_desc) || vq.order_n > vq.order_desc)
		return false;
	if (vq.batch_n && !vq.order_n && !vq.batch_pending)
		return false;
	return !vq.batch_pending || vq.batch_start < vq.map.size;
}

static void try_start(void)
{
	struct virtq_layout l = {.size = nondet_u16()};
	uint64_t features = nondet_u64() | 1ull << VIRTIO_F_RING_PACKED;

	assume(l.size <= SIZE_PROVEN);
	if (virtq_start(&vq, NULL, &l, features, nondet_u32())) {
		prove(virtq_pop(&vq, &chain, iov, 1) == -EBADMSG);
		return;
	}
	prove(vq.avail_idx < vq.map.size && vq.used_idx < vq.map.size && !vq.held && !vq.order_n &&
	      !vq.order_desc);
	prove(!vq.batch_pending && !vq.progress);
}

static void try_pop(void)
{
	unsigned max_iov = nondet_u8();
	uint16_t held = vq.held;
	bool was_broken = vq.broken;
	int r;

	assume(max_iov <= SIZE_PROVEN);
	r = virtq_pop(&vq, &chain, iov, max_iov);
	prove(r == 1 || r == 0 || r == -EBADMSG);
	prove(vq.broken == (was_broken || r < 0));
	prove(vq.held == held + (r == 1 ? chain.n_desc : 0));
	if (r != 1)
		return;
	prove(chain.n_desc && chain.n_desc <= vq.map.size);
	prove_chain(max_iov);
}

/* A chain that is in flight: some of what is held and not deferred. */
static void any_chain(void)
{
	any_memory(&chain);
	assume(chain.n_desc && chain.n_desc <= vq.held - vq.order_desc);
}

static void try_call(void)
{
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
}

int main(void)
{
	if (nondet_bool()) {
		try_start();
		return 0;
	}
	make_ring(true);
	assume(virtq_holds());
	try_call();
	prove(virtq_holds());
	return 0;
}
