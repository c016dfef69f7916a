// SPDX-License-Identifier: MIT
/* What a virtio-net driver can do wrong on purpose (virtio 1.3, 2.7 and 4.1.4.3). */
#include <string.h>

#include "workloads/micro/hostile.h"

#define RING          64
#define F_INDIRECT    (1ull << 28)
#define BASE_FEATURES (VIRTIO_F_VERSION_1 | VIRTIO_NET_F_MAC)
#define RUNNING       (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK)
#define HDR           12
#define IRQ_CARD      0 /* this job has no other */
#define NOTICE_NS     (3000 * NS_PER_MS) /* a busy host may keep the device's thread waiting */

static struct {
	struct pci_dev pci;
	struct virtio v;
	struct vq rx, tx;
	uint8_t *buf; /* an ARP request after an empty header, then room */
	unsigned frame;
} a;

/*
 * Fresh device, both queues allocated and empty; the device learns of them in run_victim(). Memory
 * is taken back after each case.
 */
static bool fresh_victim(uint64_t features)
{
	hostile_cases++;
	/* Finding the card takes longer than a case; these classes leave its BARs where they are. */
	if (!a.pci.vendor && (!pci_find(&a.pci, VIRTIO_VENDOR, VIRTIO_ID_NET) || !virtio_open(&a.v, &a.pci)))
		return false;
	if (!virtio_negotiate(&a.v, features) || !virtq_alloc(&a.v, &a.rx, 0, RING) ||
	    !virtq_alloc(&a.v, &a.tx, 1, RING))
		return false;
	a.buf = mem_alloc(8192, 4096);
	if (!a.buf)
		return false;
	a.frame = HDR + net_build_arp(a.buf + HDR, &hostile_net, false);
	/* Good ones just after the tables: whoever reads there does not stumble by himself. */
	a.tx.desc[RING] = (struct vring_desc){(uint64_t)a.buf, 64, 0, 0};
	a.rx.desc[RING] = (struct vring_desc){(uint64_t)a.buf + 4096, 2048, DESC_WRITE, 0};
	return true;
}

static struct vq *card_queue(bool rx)
{
	return rx ? &a.rx : &a.tx;
}

static uint16_t device_writes(const struct vq *q)
{
	return q == &a.rx ? DESC_WRITE : 0;
}

/* The whole table and the whole ring are good; the index says nothing yet. */
static void fill_ring(struct vq *q)
{
	for (unsigned i = 0; i < RING; i++) {
		q->desc[i] = q->desc[RING];
		q->avail->ring[i] = (uint16_t)i;
	}
}

static void offer_chain(struct vq *q, uint16_t head)
{
	q->avail->ring[q->avail_idx % q->size] = head;
	q->avail_idx++;
	__atomic_store_n(&q->avail->idx, q->avail_idx, __ATOMIC_RELEASE);
}

/* A good frame out, so that its answer meets the receive queue. */
static void good_tx(void)
{
	a.tx.desc[RING - 1] = (struct vring_desc){(uint64_t)a.buf, a.frame, 0, 0};
	offer_chain(&a.tx, RING - 1);
	virtq_ring(&a.tx);
}

static void good_rx(void)
{
	a.rx.desc[RING - 1] = (struct vring_desc){(uint64_t)a.buf + 4096, 2048, DESC_WRITE, 0};
	offer_chain(&a.rx, RING - 1);
}

/* Queues as they are, or at addresses of the caller's choice; then the doorbells. */
static void run_with(const struct vq *rx, const struct vq *tx)
{
	virtq_program(&a.v, rx);
	virtq_program(&a.v, tx);
	virtio_set_status(&a.v, RUNNING);
	virtq_ring(&a.rx);
	virtq_ring(&a.tx);
	hostile_settle();
}

static void run_victim(void)
{
	run_with(&a.rx, &a.tx);
}

/* A ring this wrong must have been noticed, not just survived. */
static void expect_broken(const char *what, unsigned i)
{
	uint64_t end = rdtsc() + ns_to_tsc(NOTICE_NS);

	while (!(virtio_status(&a.v) & VIRTIO_NEEDS_RESET) && rdtsc() < end)
		cpu_relax();
	if (!(virtio_status(&a.v) & VIRTIO_NEEDS_RESET))
		report_fail("hostile: %s %u: the device did not ask for a reset", what, i);
}

/* Stop the device before its memory is used again. */
static void end_case(uint64_t mark)
{
	virtio_reset(&a.v);
	mem_release(mark);
}

static void *bad_pointer(unsigned i)
{
	return (void *)bad_addr[i % n_bad_addr];
}

/* Class 4: descriptor table, avail ring and used ring of each queue where there is no RAM. */
static void rings_elsewhere(void)
{
	uint64_t mark = mem_mark();

	for (unsigned i = 0; i < n_bad_addr * 6; i++) {
		struct vq q[2], *bad_q = &q[i % 2];

		if (!fresh_victim(BASE_FEATURES))
			return;
		good_rx();
		good_tx();
		q[0] = a.rx;
		q[1] = a.tx;
		if (i / 2 % 3 == 0)
			bad_q->desc = bad_pointer(i / 6);
		else if (i / 2 % 3 == 1)
			bad_q->avail = bad_pointer(i / 6);
		else
			bad_q->used = bad_pointer(i / 6);
		run_with(&q[0], &q[1]);
		end_case(mark);
	}
}

/* Class 4: buffers where there is no RAM; the VMM reads a frame from there, or writes one there. */
static void buffers_elsewhere(void)
{
	uint64_t mark = mem_mark();

	for (unsigned i = 0; i < n_bad_addr * 2; i++) {
		struct vq *q = card_queue(i % 2);

		if (!fresh_victim(BASE_FEATURES))
			return;
		q->desc[0] = (struct vring_desc){bad_addr[i / 2], 2048, device_writes(q), 0};
		offer_chain(q, 0);
		good_tx();
		run_victim();
		end_case(mark);
	}
}

/* Classes 5 and 9. addr 0 stands for the buffer. */
enum { ODD, BROKEN }; /* allowed, though useless; or against the rules, for either queue */
static const struct chain {
	struct vring_desc d[3];
	unsigned n, kind;
} chains[] = {
	{{{0, 64, DESC_NEXT, 0}}, 1, BROKEN},  /* points at itself */
	{{{0, 64, DESC_NEXT, 1}, {0, 64, DESC_NEXT, 0}}, 2, BROKEN},  /* at one another */
	{{{0, 64, DESC_NEXT, 0xffff}}, 1, BROKEN},  /* out of the table */
	{{{0, 64, DESC_NEXT, RING}}, 1, BROKEN},  /* just out of it */
	{{{0, 0, 0, 0}}, 1, ODD},  /* empty */
	{{{0, 0, DESC_NEXT, 1}, {0, 0, 0, 0}}, 2, ODD},  /* empty twice */
	{{{0, UINT32_MAX, 0, 0}}, 1, BROKEN},  /* 4 GiB */
	{{{0, UINT32_MAX, DESC_NEXT, 1}, {0, UINT32_MAX, 0, 0}}, 2, BROKEN},  /* a sum over 32 bits */
	{{{UINT64_MAX - 15, 64, 0, 0}}, 1, BROKEN},  /* wraps the address */
	{{{0, 64, DESC_WRITE, 0}}, 1, ODD},  /* wrong direction for transmit */
	{{{0, 64, DESC_WRITE | DESC_NEXT, 1}, {0, 64, 0, 0}}, 2, ODD},  /* readable after writable */
	{{{0, 1, 0, 0}}, 1, ODD},  /* shorter than the header */
	{{{0, HDR, 0, 0}}, 1, ODD},  /* nothing but the header */
	{{{0, HDR + 13, 0, 0}}, 1, ODD},  /* shorter than an Ethernet header */
	{{{0, 5, DESC_NEXT, 1}, {0, 3, DESC_NEXT, 2}, {0, 64, 0, 0}}, 3, ODD},  /* a header in pieces */
	{{{0, 64, DESC_INDIRECT, 0}}, 1, BROKEN},  /* indirect, not negotiated */
	{{{0, 64, 0xfff8, 0}}, 1, ODD},  /* unknown flags */
	{{{0, 0, DESC_NEXT, 0}}, 1, BROKEN},  /* a loop without a byte in it */
};

static void put_chain(struct vq *q, const struct chain *c, uint16_t extra_flags)
{
	for (unsigned i = 0; i < c->n; i++) {
		q->desc[i] = c->d[i];
		q->desc[i].flags |= extra_flags;
		if (!q->desc[i].addr)
			q->desc[i].addr = (uint64_t)a.buf + (q == &a.rx) * 4096;
	}
	offer_chain(q, 0);
}

static void bad_chains(void)
{
	uint64_t mark = mem_mark();

	for (unsigned i = 0; i < 2 * ARRAY_SIZE(chains); i++) {
		if (!fresh_victim(BASE_FEATURES))
			return;
		put_chain(card_queue(i % 2), &chains[i / 2], device_writes(card_queue(i % 2)));
		good_tx();
		run_victim();
		if (chains[i / 2].kind == BROKEN && i % 2 == 0)
			expect_broken("chain", i / 2);
		end_case(mark);
	}
}

/* Class 6: what an indirect descriptor can point at. */
static void indirect_tables(void)
{
	static const struct {
		uint32_t len;
		uint16_t flags, inner_flags;
		bool bad_table;
	} cases[] = {
		{16, DESC_INDIRECT, 0, false},
		{0, DESC_INDIRECT, 0, false},
		{15, DESC_INDIRECT, 0, false},
		{17, DESC_INDIRECT, 0, false},
		{65536 * 16, DESC_INDIRECT, DESC_NEXT, false},
		{0xfffffff0, DESC_INDIRECT, DESC_NEXT, false},
		{64, DESC_INDIRECT | DESC_NEXT, 0, false},
		{64, DESC_INDIRECT, DESC_INDIRECT, false},
		{64, DESC_INDIRECT, DESC_NEXT, false}, /* the inner table points at itself */
		{64, DESC_INDIRECT, 0, true},
	};
	uint64_t mark = mem_mark();

	for (unsigned i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		struct vq *q = card_queue(i % 2);
		struct vring_desc *table;

		if (!fresh_victim(BASE_FEATURES | F_INDIRECT))
			return;
		table = (struct vring_desc *)(a.buf + 6144);
		for (unsigned j = 0; j < 64; j++)
			table[j] = (struct vring_desc){(uint64_t)a.buf, 64, cases[i / 2].inner_flags, 0};
		q->desc[0] = (struct vring_desc){(uint64_t)table, cases[i / 2].len, cases[i / 2].flags, 0};
		if (cases[i / 2].bad_table)
			q->desc[0].addr = mem_end() - 24;
		offer_chain(q, 0);
		good_tx();
		run_victim();
		end_case(mark);
	}
}

/* Avail index and heads: jumps beyond the ring, heads beyond the table, one head twice (classes 5 and 8). */
static void wild_indices(void)
{
	static const uint16_t jumps[] = {RING + 1, 2 * RING, 0x7fff, 0x8000, 0xfffe};
	uint64_t mark = mem_mark();

	for (unsigned i = 0; i < 2 * (ARRAY_SIZE(jumps) + 3); i++) {
		struct vq *q = card_queue(i % 2);
		unsigned n = i / 2;

		if (!fresh_victim(BASE_FEATURES))
			return;
		good_rx();
		good_tx();
		if (n < ARRAY_SIZE(jumps)) {
			fill_ring(q);
			q->avail_idx = (uint16_t)(q->avail_idx + jumps[n]);
			q->avail->idx = q->avail_idx;
		} else if (n == ARRAY_SIZE(jumps)) {
			offer_chain(q, 0xffff);
		} else {
			bool same = n == ARRAY_SIZE(jumps) + 1;

			for (unsigned j = 0; j < RING; j++)
				offer_chain(q, (uint16_t)(same ? RING - 1 : j));
		}
		run_victim();
		/* Jumps by more than the ring, and heads outside it; what the transmit queue sees at once. */
		if (i % 2 == 0 && n <= ARRAY_SIZE(jumps))
			expect_broken("index", n);
		end_case(mark);
	}
}

/*
 * Class 7: every field of the common configuration, in every status, at every width; then
 * doorbells of no queue.
 */
static void common_writes(void)
{
	static const uint8_t statuses[] = {0, 1, 3, 11, 15, 0x80, 0xff};
	uint64_t mark = mem_mark();

	for (unsigned s = 0; s < ARRAY_SIZE(statuses); s++) {
		if (!fresh_victim(BASE_FEATURES))
			return;
		virtio_set_status(&a.v, statuses[s]);
		for (unsigned off = 0; off < COMMON_BYTES; off++, hostile_cases++) {
			uint64_t v = off % 3 ? hostile_random() : UINT64_MAX;

			if (off == COMMON_STATUS)
				continue;
			mmio_write8(a.v.common + off, (uint8_t)v);
			mmio_write16(a.v.common + off, (uint16_t)v);
			mmio_write32(a.v.common + off, (uint32_t)v);
			mmio_write64(a.v.common + off, v);
		}
		virtio_set_status(&a.v, RUNNING);
		for (unsigned q = 0; q < 20; q++) {
			struct vq none = a.tx;

			none.index = q * 4001;
			virtq_ring(&none);
		}
		hostile_settle();
		end_case(mark);
	}
}

/* Class 8: reset, and rings moved, while frames are in flight. */
static void reset_while_busy(void)
{
	uint64_t mark = mem_mark();

	for (unsigned i = 0; i < 50; i++) {
		if (!fresh_victim(BASE_FEATURES))
			return;
		for (unsigned j = 0; j < RING - 1; j++) {
			a.tx.desc[j] = (struct vring_desc){(uint64_t)a.buf, a.frame, 0, 0};
			offer_chain(&a.tx, (uint16_t)j);
		}
		good_rx();
		virtq_program(&a.v, &a.rx);
		virtq_program(&a.v, &a.tx);
		virtio_set_status(&a.v, RUNNING);
		virtq_ring(&a.tx);
		if (i % 2) {
			a.tx.desc = bad_pointer(i);
			virtq_program(&a.v, &a.tx);
			virtq_ring(&a.tx);
		}
		end_case(mark);
	}
}

/* Class 10: another CPU changes descriptors while the device reads them. */
static void flip_descriptors(void *arg)
{
	volatile bool *stop = arg;

	for (unsigned i = 0; !*stop; i++) {
		volatile struct vring_desc *d = &a.tx.desc[i % RING];

		d->len = i % 3 ? a.frame : UINT32_MAX;
		d->addr = i % 5 ? (uint64_t)a.buf : bad_addr[i % n_bad_addr];
		d->flags = (uint16_t)((i % 7 == 0) * DESC_NEXT);
		d->next = (uint16_t)i;
	}
}

static void double_fetch(void)
{
	static volatile bool stop;
	uint64_t mark = mem_mark(), end;

	stop = false;
	if (!fresh_victim(BASE_FEATURES))
		return;
	for (unsigned j = 0; j < RING; j++)
		a.tx.desc[j] = (struct vring_desc){(uint64_t)a.buf, a.frame, 0, 0};
	virtq_program(&a.v, &a.tx);
	if (cpu_start(flip_descriptors, (void *)&stop))
		return;
	end = rdtsc() + ns_to_tsc(200 * NS_PER_MS);
	while (rdtsc() < end) {
		virtio_set_status(&a.v, RUNNING);
		for (unsigned j = 0; j < RING; j++)
			offer_chain(&a.tx, (uint16_t)j);
		virtq_ring(&a.tx);
		hostile_settle();
		hostile_cases++;
		if (!(virtio_status(&a.v) & VIRTIO_NEEDS_RESET))
			continue;
		virtio_negotiate(&a.v, BASE_FEATURES);
		a.tx.avail_idx = 0;
		virtq_program(&a.v, &a.tx);
	}
	stop = true;
	hostile_settle();
	end_case(mark);
}

static void one_more_rx(unsigned n)
{
	a.rx.desc[n] = (struct vring_desc){(uint64_t)a.buf + 4096, 2048, DESC_WRITE, 0};
	offer_chain(&a.rx, (uint16_t)n);
	virtq_ring(&a.rx);
}

/* The answer to a question, and whether its interrupt came. */
static bool card_interrupts(unsigned n, uint64_t ns)
{
	uint32_t seen = irq_seen(IRQ_CARD);

	one_more_rx(n);
	a.tx.desc[n] = (struct vring_desc){(uint64_t)a.buf, a.frame, 0, 0};
	offer_chain(&a.tx, (uint16_t)n);
	virtq_ring(&a.tx);
	return irq_wait(IRQ_CARD, seen, ns);
}

static void mask_vector(bool on)
{
	mmio_write32(a.pci.msix_table + 12, on);
}

/*
 * Class 15: a vector that is masked and unmasked while frames come in. Nothing passes the mask, and
 * what was pending comes when it is gone.
 */
static void msix_live(void)
{
	uint64_t mark = mem_mark();

	if (!fresh_victim(BASE_FEATURES) || !pci_msix_route(&a.pci, 0, IRQ_CARD))
		return;
	a.rx.avail->flags = 0;
	virtq_program(&a.v, &a.tx);
	virtq_program(&a.v, &a.rx);
	mmio_write16(a.v.common + COMMON_Q_MSIX, 0);
	virtio_set_status(&a.v, RUNNING);
	for (unsigned n = 0; n < RING; n += 2, hostile_cases++) {
		uint32_t seen;

		if (!card_interrupts(n, NOTICE_NS))
			report_fail("hostile: msix %u: no interrupt", n);
		mask_vector(true);
		if (card_interrupts(n + 1, 5 * NS_PER_MS))
			report_fail("hostile: msix %u: an interrupt in spite of the mask", n);
		seen = irq_seen(IRQ_CARD);
		mask_vector(false);
		if (!irq_wait(IRQ_CARD, seen, NOTICE_NS))
			report_fail("hostile: msix %u: what was pending is lost", n);
		if (report_failed())
			break;
	}
	end_case(mark);
}

const struct hostile_class hostile_virtio[] = {
	{"rings-elsewhere", VIRTIO_CARD, rings_elsewhere},
	{"buffers-elsewhere", VIRTIO_CARD, buffers_elsewhere},
	{"bad-chains", VIRTIO_CARD, bad_chains},
	{"indirect", VIRTIO_CARD, indirect_tables},
	{"indices", VIRTIO_CARD, wild_indices},
	{"common-config", VIRTIO_CARD, common_writes},
	{"reset-busy", VIRTIO_CARD, reset_while_busy},
	{"double-fetch", TWO_CPUS, double_fetch},
	{"msix-live", VIRTIO_CARD, msix_live},
	{NULL, ANY_CARD, NULL},
};
