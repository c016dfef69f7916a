// SPDX-License-Identifier: MIT
/*
 * libFuzzer: a driver that runs at the same time as the device and changes a ring between any two reads of
 * it. The input is a stream that both draw from: the device's next step (pop, push, publish, ...), and at
 * each shared read what the driver does to the ring. Each part of a ring ends where a page begins that
 * nobody may touch, and what is kept of a packed ring's progress is an allocation of just its size. What
 * is wrong: an access outside of those (a signal, ASan), a buffer that is no RAM, positions outside the ring.
 *
 * Bytes 0..2 choose the features and the size of the ring, 1 to 1024.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/unit/drv_ring.h"
#include "vmm/virtq/virtq_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void virtq_race(void);

#define PART     0x8000 /* room for each part of a ring */
#define RAM      0x10000
#define FLIGHT   64
#define RACES    4096 /* that many changes of the ring an input: it ends */

enum { DESC, DRIVER, DEVICE, BUFFERS, PARTS };

struct request {
	struct virtq_chain c;
	struct iovec iov[VIRTQ_SIZE_MAX];
};

static struct {
	const uint8_t *data;
	size_t left;
	unsigned races;
	char *host[PARTS];
	struct gmem *gm;
	struct virtq vq;
	struct virtq_layout l;
	struct request flight[FLIGHT];
	unsigned first, n; /* in flight, oldest first */
} f;

static unsigned draw(void)
{
	if (!f.left)
		return 0;
	f.left--;
	return *f.data++;
}

static unsigned draw16(void)
{
	unsigned low = draw();

	return low | draw() << 8;
}

/* ---- the driver ---- */

static uint16_t draw_flags(void)
{
	static const uint16_t flags[] = {0, VRING_DESC_F_WRITE, VRING_DESC_F_NEXT, VRING_DESC_F_INDIRECT,
					 VRING_DESC_F_NEXT | VRING_DESC_F_WRITE};

	return flags[draw() % ARRAY_SIZE(flags)];
}

/* A buffer that is good, or a table; else what the input says. */
static uint64_t draw_addr(void)
{
	unsigned how = draw();

	if (how < 200)
		return (uint64_t)BUFFERS * PART + how * 16;
	return (uint64_t)draw16() * 8;
}

static uint32_t draw_len(void)
{
	unsigned how = draw();

	return how < 128 ? 16 * (how % 8 + 1) : draw16();
}

static void spoil(void *desc, unsigned i, uint16_t avail)
{
	struct vring_packed_desc *p = (struct vring_packed_desc *)desc + i;
	struct vring_desc *s = (struct vring_desc *)desc + i;
	uint16_t flags = draw_flags();

	p->addr = draw_addr(); /* both kinds: the same place */
	p->len = draw_len();
	if (f.vq.packed) {
		p->id = (uint16_t)draw();
		p->flags = flags | avail;
	} else {
		s->flags = flags;
		s->next = (uint16_t)(draw() % (f.l.size + 1u));
	}
}

/* Available in the lap that the device is in, whoever owns the entry. */
static uint16_t avail_flag(void)
{
	return (uint16_t)(1u << (f.vq.avail_wrap ? VRING_PACKED_DESC_F_AVAIL : VRING_PACKED_DESC_F_USED));
}

static void offer(void)
{
	struct vring_avail *avail = (void *)f.host[DRIVER];
	unsigned i = f.vq.avail_idx;

	if (f.vq.packed) {
		spoil(f.host[DESC], i, avail_flag());
		return;
	}
	i = draw() % f.l.size;
	spoil(f.host[DESC], i, 0);
	avail->ring[avail->idx++ % f.l.size] = (uint16_t)i;
}

/* The plainest request, so that laps are cheap. */
static void offer_plain(void)
{
	struct vring_packed_desc *p = (struct vring_packed_desc *)f.host[DESC] + f.vq.avail_idx;

	if (f.vq.packed)
		*p = (struct vring_packed_desc){BUFFERS * PART, 64, 0, avail_flag()};
	else
		offer();
}

static void scribble(unsigned part, unsigned bytes)
{
	unsigned at = draw16() % bytes;

	f.host[part][at] = (char)draw();
}

static unsigned part_bytes(unsigned part)
{
	unsigned n = f.l.size;

	if (part == BUFFERS)
		return RAM;
	if (part == DESC)
		return 16 * n;
	if (f.vq.packed)
		return 4;
	return part == DRIVER ? 6 + 2 * n : 6 + 8 * n;
}

void virtq_race(void)
{
	unsigned what;

	if (!f.left || f.races++ > RACES)
		return;
	what = draw();
	if (what < 160)
		return;
	if (what < 200)
		offer_plain();
	else if (what < 220)
		offer();
	else if (what < 240)
		spoil(f.host[what & 1 ? BUFFERS : DESC], draw16() % f.l.size, avail_flag());
	else
		scribble(what % PARTS, part_bytes(what % PARTS));
}

/* ---- the device ---- */

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_positions(void)
{
	if (f.vq.packed)
		must(f.vq.used_idx < f.l.size && f.vq.avail_idx < f.l.size && f.vq.held <= f.l.size);
}

static void check_chain(const struct virtq_chain *c)
{
	for (unsigned i = 0; i < c->n_out + c->n_in; i++) {
		char *p = c->iov[i].iov_base;
		bool in = false;

		for (unsigned part = 0; part < PARTS; part++)
			in |= p >= f.host[part] && p + c->iov[i].iov_len <= f.host[part] + part_bytes(part);
		must(in && c->iov[i].iov_len);
		if (i >= c->n_out)
			memset(p, 0x5a, MIN(c->iov[i].iov_len, 64u));
	}
}

static bool pop(void)
{
	struct request *r = &f.flight[(f.first + f.n) % FLIGHT];

	if (f.n == FLIGHT || virtq_pop(&f.vq, &r->c, r->iov, VIRTQ_SIZE_MAX) != 1)
		return false;
	check_chain(&r->c);
	f.n++;
	return true;
}

static void push(void)
{
	if (!f.n)
		return;
	virtq_push(&f.vq, &f.flight[f.first].c, f.flight[f.first].c.in_len);
	f.first = (f.first + 1) % FLIGHT;
	f.n--;
}

static void unpop(void)
{
	if (f.n)
		virtq_unpop(&f.vq, &f.flight[(f.first + --f.n) % FLIGHT].c);
}

/* A batch as a device serves it: each chain is done before the next is taken. */
static void serve(unsigned n)
{
	while (f.n)
		push();
	while (n-- && pop())
		push();
}

static void device_step(void)
{
	unsigned what = draw();

	switch (what % 8) {
	case 0: pop(); break;
	case 1: push(); break;
	case 2: unpop(); break;
	case 3: virtq_publish(&f.vq); break;
	case 4: virtq_should_call(&f.vq); break;
	case 5: virtq_kicks_on(&f.vq); break;
	case 6: serve(draw16() % 2048); break;
	case 7: offer(); break;
	}
	check_positions();
}

/* ---- set-up ---- */

/* Address space that stays reserved; each input opens what it needs, up against the end. */
static char *reserve_part(void)
{
	char *p = mmap(NULL, RAM + 2 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(p != MAP_FAILED);
	must(!mprotect(p + 4096, RAM, PROT_READ | PROT_WRITE));
	return p + 4096 + RAM;
}

static void lay_out(uint64_t features, char *const *end)
{
	struct gmem_region region[PARTS];

	f.vq.packed = features & F_PACKED;
	for (unsigned i = 0; i < PARTS; i++) {
		size_t bytes = part_bytes(i);

		f.host[i] = end[i] - align_up(bytes, i == DESC ? 16 : 4);
		memset(f.host[i], 0, bytes);
		region[i] = (struct gmem_region){(uint64_t)i * PART, bytes, f.host[i], 0};
	}
	f.l = (struct virtq_layout){f.l.size, DESC * PART, DRIVER * PART, DEVICE * PART};
	must(!gmem_adopt(&f.gm, region, PARTS));
}

static struct virtq_progress *start(uint64_t features)
{
	size_t bytes = sizeof(struct virtq_progress) + f.l.size * sizeof(struct virtq_saved);
	struct virtq_progress *progress = features & F_PACKED ? calloc(1, bytes) : NULL;

	must(!virtq_start(&f.vq, f.gm, &f.l, features, virtq_base_new(features)));
	virtq_track(&f.vq, progress);
	return progress;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *end[PARTS];
	struct virtq_progress *progress;
	uint64_t features;
	unsigned byte;

	for (unsigned i = 0; i < PARTS && !end[i]; i++)
		end[i] = reserve_part();
	memset(&f, 0, sizeof(f));
	f.data = data;
	f.left = size;
	byte = draw();
	features = (byte & 1 ? F_PACKED : 0) | (byte & 2 ? F_IN_ORDER : 0) | (byte & 4 ? F_INDIRECT : 0) |
		   (byte & 8 ? F_EVENT_IDX : 0);
	f.l.size = (uint16_t)(1 + draw16() % VIRTQ_SIZE_MAX);
	if (!(byte & 1))
		f.l.size = (uint16_t)(1u << (f.l.size % 11));
	lay_out(features, end);
	progress = start(features);
	while (f.left && !f.vq.broken)
		device_step();
	virtq_publish(&f.vq);
	check_positions();
	free(progress);
	gmem_destroy(f.gm);
	return 0;
}
