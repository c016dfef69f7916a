// SPDX-License-Identifier: MIT
/*
 * Our virtio-net beside QEMU's: the modern PCI registers, split and packed rings with and without event index
 * and indirect tables, frames both ways, the control queue, a queue's reset, and chains that break the rules.
 * What differs on purpose is left out of the traces, and stands in docs/vmm.md.
 */
#include <linux/pci_regs.h>
#include <linux/virtio_net.h>
#include <linux/virtio_pci.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/differential/both.h"
#include "tests/unit/drv_ring.h"
#include "tests/unit/fake_tap.h"
#include "vmm/devices.h"
#include "vmm/devices/virtio_net/net.h"

#define OPS	  30
#define LATE_NS	  (2 * NSEC_PER_SEC)
#define HDR	  12
#define RESET_REG 58 /* queue_reset */

enum { RXQ, TXQ, CTRLQ };

#define RING_GPA 0x100000u
#define RING_GAP 0x80000u
#define RX_BUF	 0x400000u
#define RX_STEP	 0x1000u
#define TX_BUF	 0x800000u
#define TX_STEP	 0x2000u
#define CTRL_BUF 0xc00000u

#define B(name) (1ull << VIRTIO_NET_F_##name)
#define V1	(1ull << VIRTIO_F_VERSION_1)
#define RRESET	(1ull << VIRTIO_F_RING_RESET)

/*
 * QEMU's only: any layout, which version 1 has without saying so; and offloads to switch, of which it has
 * none here. In order: QEMU writes each used entry, ours one for a batch.
 */
#define UNLIKE (1ull << VIRTIO_F_ANY_LAYOUT | B(CTRL_GUEST_OFFLOADS) | 1ull << VIRTIO_F_IN_ORDER)

struct region {
	uint8_t type;
	uint32_t ours, theirs; /* offset in BAR 4 */
};

static struct region regions[] = {
	{VIRTIO_PCI_CAP_COMMON_CFG, 0, 0},
	{VIRTIO_PCI_CAP_NOTIFY_CFG, 0, 0},
	{VIRTIO_PCI_CAP_ISR_CFG, 0, 0},
	{VIRTIO_PCI_CAP_DEVICE_CFG, 0, 0},
};
enum { COMMON, NOTIFY, ISR, CONFIG };

static uint64_t features;
static struct drv_ring ring[3];
static uint8_t seen[3][RING_GAP]; /* the rings' memory when both had last come to rest */
static bool called[3];		  /* used entries since its start */
static unsigned out[3];		  /* chains that the device has */

/* Receive buffers that the device has: where and how long, by the chain's ID; which places are taken. */
static struct {
	uint8_t place;
	uint32_t len;
} buffer[64];
static uint64_t places;
static uint32_t room; /* bytes in all of them */

/* ---- registers ---- */

static uint32_t our_config(unsigned off)
{
	return pci_cfg_read(both.dev, off, 4);
}

/* Where BAR 4 has the structure of this type. */
static uint32_t find_region(uint32_t (*config)(unsigned off), uint8_t type)
{
	unsigned at = config(PCI_CAPABILITY_LIST) & 0xfc;

	while (at) {
		uint32_t head = config(at);

		if ((head & 0xff) == PCI_CAP_ID_VNDR && head >> 24 == type && (config(at + 4) & 0xff) == 4)
			return config(at + 8);
		at = head >> 8 & 0xfc;
	}
	die(EXIT_FAILED, "no structure of type %u", type);
}

static const char *their_size(const char *const words[3], unsigned len)
{
	return words[len / 2];
}

static void write_reg(unsigned r, unsigned off, unsigned len, uint64_t value)
{
	static const char *const words[] = {"writeb", "writew", "writel"};

	both_say("write %u+%u/%u 0x%x", r, off, len, (unsigned)value);
	fake_write(both.dev, 4, regions[r].ours + off, len, value);
	their_order(their_size(words, len), BOTH_BAR + regions[r].theirs + off, value);
}

static uint32_t read_reg(unsigned r, unsigned off, unsigned len, uint32_t unlike)
{
	static const char *const words[] = {"readb", "readw", "readl"};
	uint32_t ours = (uint32_t)fake_read(both.dev, 4, regions[r].ours + off, len);
	uint32_t theirs = (uint32_t)their_value(their_size(words, len), BOTH_BAR + regions[r].theirs + off);

	both_say("read %u+%u/%u 0x%x", r, off, len, ours);
	if ((ours ^ theirs) & ~unlike)
		both_differ("register", (uint64_t)r << 16 | off, ours, theirs);
	return ours & ~unlike;
}

static void write_common(unsigned off, unsigned len, uint64_t value)
{
	write_reg(COMMON, off, len, value);
}

static uint32_t read_common(unsigned off, unsigned len)
{
	return read_reg(COMMON, off, len, 0);
}

static void write_address(unsigned off, uint64_t value)
{
	write_common(off, 4, (uint32_t)value);
	write_common(off + 4, 4, value >> 32);
}

/* ---- coming to rest ---- */

/*
 * A call on our queue pair's thread runs between its rounds, so after three of them a round has followed
 * all that it was told. QEMU's main loop has had two turns when it has answered twice.
 */
static void settle(void)
{
	struct vnet *net = both.dev->priv;

	for (unsigned i = 0; i < 3; i++)
		net->be.ops->set_filter(&net->be, &net->filter);
	for (unsigned i = 0; i < 2; i++)
		their_value("readb", BOTH_BAR + regions[COMMON].theirs + VIRTIO_PCI_COMMON_STATUS);
}

static size_t ring_bytes(unsigned q)
{
	return DRV_RING_BYTES(ring[q].l.size);
}

static uint8_t *ring_memory(unsigned q)
{
	return gmem_ptr(vm_gmem(both.vm), RING_GPA + q * RING_GAP, RING_GAP);
}

/*
 * What the driver has written into our memory since then goes into QEMU's. Ours looks at a ring only when it
 * is kicked, which comes after this: a chain that it had used by then would reach QEMU as used, and wait.
 */
static void copy_ring(unsigned q)
{
	const uint8_t *now = ring_memory(q), *was = seen[q];
	size_t n = ring_bytes(q);

	for (size_t i = 0; i < n; i++) {
		size_t first = i;

		while (i < n && i - first < 4096 && now[i] != was[i])
			i++;
		if (i > first)
			their_memory_write(RING_GPA + q * RING_GAP + first, now + first, i - first);
	}
}

/* What the device writes of a ring; not what it wishes to be told: the flags in front, the event behind. */
struct ring_view {
	uint64_t at;
	size_t len;
	uint8_t ours[16 * 64], theirs[16 * 64];
};

/* QEMU does not say by WRITE whether a used entry's buffer was written to (2.8.4). */
static void drop_write_flags(uint8_t *p, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		p[16 * i + offsetof(struct vring_packed_desc, flags)] &= (uint8_t)~VRING_DESC_F_WRITE;
}

static void view_ring(const struct drv_ring *d, struct ring_view *v)
{
	v->at = d->packed ? d->l.desc : d->l.device + 2;
	v->len = d->packed ? 16ull * d->l.size : 2 + 8ull * d->l.size;
	gmem_read(vm_gmem(both.vm), v->at, v->ours, v->len);
	their_memory(v->at, v->theirs, v->len);
	if (!d->packed)
		return;
	drop_write_flags(v->ours, d->l.size);
	drop_write_flags(v->theirs, d->l.size);
}

/* What is to be sent, and a command, are used at once; a buffer waits for its frame. */
static bool all_used(unsigned q)
{
	struct drv_ring d = ring[q];
	unsigned n = 0;
	uint32_t len;
	uint16_t id;

	while (drv_get(&d, &id, &len))
		n++;
	return q == RXQ || n == out[q];
}

/* On a busy machine either may be later than it seemed to be. */
static void compare_ring(unsigned q)
{
	uint64_t deadline = clock_ns() + LATE_NS;
	struct ring_view v;

	view_ring(&ring[q], &v);
	while ((memcmp(v.ours, v.theirs, v.len) || !all_used(q)) && clock_ns() < deadline) {
		clock_sleep_ns(NSEC_PER_MSEC);
		view_ring(&ring[q], &v);
	}
	compare_bytes("ring", v.at, v.ours, v.theirs, v.len);
	memcpy(seen[q], ring_memory(q), ring_bytes(q));
}

/* Without merging QEMU leaves the number of buffers in the header alone, which is to be 1 (5.1.6.4.1). */
static void take_buffer(uint16_t id, uint32_t len)
{
	uint64_t at = RX_BUF + buffer[id].place * RX_STEP;

	if (features & B(MRG_RXBUF)) {
		compare_memory("received data", at, len);
	} else {
		compare_memory("received header", at, HDR - 2);
		compare_memory("received data", at + HDR, sub_floor(len, HDR));
	}
	places &= ~(1ull << buffer[id].place);
	room -= buffer[id].len;
}

/* Used entries, of which the driver takes back the descriptors. */
static void take_back(unsigned q)
{
	uint32_t len;
	uint16_t id;

	while (drv_get(&ring[q], &id, &len)) {
		both_say("queue %u: used %u, %u bytes", q, id, len);
		called[q] = true;
		out[q]--;
		if (q == RXQ)
			take_buffer(id, len);
	}
}

static void compare_all(void)
{
	unsigned n = features & B(CTRL_VQ) ? 3 : 2;

	settle();
	read_common(VIRTIO_PCI_COMMON_STATUS, 1);
	for (unsigned q = 0; q < n; q++)
		compare_ring(q);
	compare_wire(HDR, NULL);
	if (both_below(2))
		read_reg(ISR, 0, 1, 0);
	for (unsigned q = 0; q < n; q++)
		take_back(q);
}

/*
 * The next interrupt: for the next used entry, or later. QEMU's first after a start comes whatever is asked
 * for.
 */
static void wish_interrupt(unsigned q)
{
	struct drv_ring *d = &ring[q];
	uint16_t far = (uint16_t)(called[q] && both_below(2) ? d->l.size / 2 : 0);

	if (d->packed || !(features & F_EVENT_IDX))
		return;
	d->avail->ring[d->l.size] = (uint16_t)(d->seen + far);
}

static void kick_queue(unsigned q)
{
	wish_interrupt(q);
	copy_ring(q);
	write_reg(NOTIFY, 4 * q, 2, q);
}

/* ---- chains ---- */

/* len bytes from gpa in up to max pieces. */
static unsigned cut_up(struct drv_seg *seg, uint64_t gpa, uint32_t len, unsigned max, bool write)
{
	unsigned n = 0;

	while (len) {
		uint32_t part = len;

		if (n + 1 < max && len > 1 && both_below(3))
			part = 1 + both_below(len - 1);
		seg[n++] = (struct drv_seg){gpa, part, write};
		gpa += part;
		len -= part;
	}
	return n;
}

/* Is there room for a chain of n? */
static bool fits(unsigned q, unsigned n)
{
	unsigned run = 0, taken = 0, most = 0;

	for (unsigned i = 0; i < ring[q].l.size; i++) {
		taken += ring[q].n_desc[i];
		run = ring[q].n_desc[i] ? 0 : run + 1;
		most = MAX(most, run);
	}
	if (ring[q].packed)
		return most && taken + n <= ring[q].l.size;
	return most >= n;
}

static uint16_t add_chain(unsigned q, const struct drv_seg *seg, unsigned n)
{
	bool indirect = features & F_INDIRECT && both_below(2);

	both_say("queue %u: chain of %u, %s", q, n, indirect ? "indirect" : "direct");
	out[q]++;
	return drv_add(&ring[q], seg, n, indirect);
}

/* ---- steps ---- */

static void do_transmit(void)
{
	unsigned frames = 1 + both_below(4);

	for (unsigned i = 0; i < frames && fits(TXQ, 6); i++) {
		uint8_t data[HDR + 1514] = {0};
		uint32_t len = 14 + both_below(1501);
		struct drv_seg seg[6];

		for (unsigned k = 0; k < len; k++)
			data[HDR + k] = (uint8_t)rng_next(&both.rng);
		both_memory_write(TX_BUF + i * TX_STEP, data, HDR + len);
		add_chain(TXQ, seg, cut_up(seg, TX_BUF + i * TX_STEP, HDR + len, 6, false));
	}
	kick_queue(TXQ);
}

static uint32_t buffer_size(void)
{
	if (!(features & B(MRG_RXBUF)))
		return HDR + 1514 + both_below(400);
	return HDR + both_below(2000);
}

static void give_buffer(void)
{
	uint8_t place = (uint8_t)__builtin_ctzll(~places);
	uint32_t len = buffer_size();
	struct drv_seg seg[4];
	uint16_t id;

	id = add_chain(RXQ, seg, cut_up(seg, RX_BUF + place * RX_STEP, len, 4, true));
	both_say("buffer %u of %u bytes", id, len);
	places |= 1ull << place;
	buffer[id].place = place;
	buffer[id].len = len;
	room += len;
}

static void do_give(void)
{
	unsigned k = 1 + both_below(6);

	for (unsigned i = 0; i < k && fits(RXQ, 4); i++)
		give_buffer();
	kick_queue(RXQ);
}

static void do_receive(void)
{
	static const uint8_t to[][6] = {
		{0x52, 0x54, 0, 0x12, 0x34, 0x56}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		{0x33, 0x33, 0, 0, 0, 1}, {0x52, 0x54, 0, 0x12, 0x34, 0x57},
	};
	uint8_t frame[HDR + 1514] = {0}, *f = frame + HDR;
	uint32_t len = 60 + both_below(1454);

	if (room < HDR + len)
		return;
	for (unsigned k = 0; k < len; k++)
		f[k] = (uint8_t)rng_next(&both.rng);
	memcpy(f, to[both_below(ARRAY_SIZE(to))], 6);
	f[12] = 0x08;
	f[13] = 0;
	/* With CTRL_VLAN QEMU's filter lets all pass from the start, ours what the driver has named. */
	if (!both_below(3) && !(features & B(CTRL_VLAN))) {
		f[12] = 0x81;
		f[14] = 0;
		f[15] &= 7;
	}
	both_say("frame of %u bytes to %02x, type %02x%02x %02x%02x", len, f[0], f[12], f[13], f[14], f[15]);
	both_arrive(frame, HDR, len);
}

/* A command for the control queue: its class, its number, its data. */
struct command {
	uint8_t class, cmd;
	uint64_t feature;
};

static uint32_t command_data(const struct command *c, uint8_t *data)
{
	uint32_t n_uni = both_below(4), n_multi = both_below(4), at;

	for (unsigned i = 0; i < 64; i++)
		data[i] = (uint8_t)rng_next(&both.rng);
	if (c->class == VIRTIO_NET_CTRL_RX) {
		data[0] &= 1;
		return 1;
	}
	if (c->class == VIRTIO_NET_CTRL_VLAN) {
		data[1] = 0;
		data[0] &= 7;
		return 2;
	}
	if (c->cmd == VIRTIO_NET_CTRL_MAC_ADDR_SET) {
		data[0] &= 0xfe;
		return both_below(6) ? 6 : both_below(10);
	}
	memcpy(data, &n_uni, 4);
	at = 4 + 6 * n_uni;
	memcpy(data + at, &n_multi, 4);
	return at + 4 + 6 * n_multi;
}

static void do_control(void)
{
	static const struct command commands[] = {
		{VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, B(CTRL_RX)},
		{VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, B(CTRL_RX)},
		{VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLUNI, B(CTRL_RX_EXTRA)},
		{VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOMULTI, B(CTRL_RX_EXTRA)},
		{VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOUNI, B(CTRL_RX_EXTRA)},
		{VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOBCAST, B(CTRL_RX_EXTRA)},
		{VIRTIO_NET_CTRL_RX, 6, B(CTRL_RX_EXTRA)},
		{VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, B(CTRL_RX)},
		{VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, B(CTRL_MAC_ADDR)},
		{VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, B(CTRL_VLAN)},
		{VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_DEL, B(CTRL_VLAN)},
		{VIRTIO_NET_CTRL_VLAN, 2, B(CTRL_VLAN)},
		{77, 0, 0},
	};
	const struct command *c = &commands[both_below(ARRAY_SIZE(commands))];
	uint8_t data[2 + 64] = {c->class, c->cmd}, none = 0xee;
	struct drv_seg seg[5];
	unsigned n;
	uint32_t len;

	if (!(features & B(CTRL_VQ)) || c->feature & ~features)
		return;
	len = command_data(c, data + 2);
	both_say("command %u.%u with %u bytes, first %02x%02x", c->class, c->cmd, len, data[2], data[3]);
	both_memory_write(CTRL_BUF, data, 2 + len);
	both_memory_write(CTRL_BUF + 0x1000, &none, 1);
	n = cut_up(seg, CTRL_BUF, 2 + len, 4, false);
	seg[n++] = (struct drv_seg){CTRL_BUF + 0x1000, 1, true};
	add_chain(CTRLQ, seg, n);
	kick_queue(CTRLQ);
	settle();
	compare_memory("answer", CTRL_BUF + 0x1000, 1);
}

static void do_read(void)
{
	static const struct {
		uint8_t off, len;
	} regs[] = {
		{VIRTIO_PCI_COMMON_NUMQ, 2},	 {VIRTIO_PCI_COMMON_STATUS, 1},
		{VIRTIO_PCI_COMMON_MSIX, 2},
		{VIRTIO_PCI_COMMON_Q_SIZE, 2},	 {VIRTIO_PCI_COMMON_Q_MSIX, 2},
		{VIRTIO_PCI_COMMON_Q_ENABLE, 2}, {VIRTIO_PCI_COMMON_Q_NOFF, 2},
		{VIRTIO_PCI_COMMON_Q_DESCLO, 4}, {VIRTIO_PCI_COMMON_Q_DESCHI, 4},
		{VIRTIO_PCI_COMMON_Q_AVAILLO, 4}, {VIRTIO_PCI_COMMON_Q_USEDLO, 4},
	};
	unsigned i = both_below(ARRAY_SIZE(regs)), off = both_below(8);

	if (both_below(3)) {
		write_common(VIRTIO_PCI_COMMON_Q_SELECT, 2, both_below(features & B(CTRL_VQ) ? 3 : 2));
		read_common(regs[i].off, regs[i].len);
	} else {
		read_reg(CONFIG, off, 1, 0);
	}
}

static void set_queue(unsigned q)
{
	static const uint16_t sizes[] = {16, 32, 64};
	uint16_t size = sizes[both_below(ARRAY_SIZE(sizes))];
	struct drv_ring *d = &ring[q];

	both_say("queue %u has %u entries", q, size);
	drv_ring_init(d, vm_gmem(both.vm), RING_GPA + q * RING_GAP, size, features);
	their_memory_clear(RING_GPA + q * RING_GAP, RING_GAP);
	memset(ring_memory(q), 0, RING_GAP);
	memset(seen[q], 0, RING_GAP);
	called[q] = false;
	out[q] = 0;
	if (q == RXQ)
		room = places = 0;
	write_common(VIRTIO_PCI_COMMON_Q_SELECT, 2, q);
	read_common(VIRTIO_PCI_COMMON_Q_SIZE, 2);
	write_common(VIRTIO_PCI_COMMON_Q_SIZE, 2, size);
	read_common(VIRTIO_PCI_COMMON_Q_SIZE, 2);
	write_address(VIRTIO_PCI_COMMON_Q_DESCLO, d->l.desc);
	write_address(VIRTIO_PCI_COMMON_Q_AVAILLO, d->l.driver);
	write_address(VIRTIO_PCI_COMMON_Q_USEDLO, d->l.device);
	write_common(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	read_common(VIRTIO_PCI_COMMON_Q_ENABLE, 2);
}

static void do_queue_reset(void)
{
	unsigned q = both_below(2);

	if (!(features & RRESET) || both_below(4))
		return;
	write_common(VIRTIO_PCI_COMMON_Q_SELECT, 2, q);
	write_common(RESET_REG, 2, 1);
	settle();
	read_common(RESET_REG, 2);
	read_common(VIRTIO_PCI_COMMON_Q_ENABLE, 2);
	set_queue(q);
}

/* Ways to break a split ring. */
enum wrong { NEXT_OUTSIDE, HEAD_OUTSIDE, LOOP, RAGGED_TABLE, WRONGS };

static void spoil_chain(struct drv_ring *d, uint16_t head, enum wrong wrong)
{
	struct vring_desc *second = &d->desc[head + 1];

	switch (wrong) {
	case NEXT_OUTSIDE:
		second->flags |= VRING_DESC_F_NEXT;
		second->next = d->l.size;
		break;
	case HEAD_OUTSIDE:
		d->avail->ring[(uint16_t)(d->next - 1) % d->l.size] = d->l.size;
		break;
	case LOOP:
		second->flags |= VRING_DESC_F_NEXT;
		second->next = head;
		break;
	default:
		d->desc[head] = (struct vring_desc){d->tables, 24, VRING_DESC_F_INDIRECT, 0};
		break;
	}
}

/* Ends the trace: both need a reset. */
static void break_ring(void)
{
	struct drv_ring *d = &ring[TXQ];
	struct drv_seg seg[2] = {{TX_BUF, HDR, false}, {TX_BUF + HDR, 60, false}};
	enum wrong wrong = both_below(WRONGS);

	if (d->packed || !fits(TXQ, 6) || (wrong == RAGGED_TABLE && !(features & F_INDIRECT)))
		return;
	both_say("ring is broken in way %d", (int)wrong);
	spoil_chain(d, drv_add(d, seg, 2, false), wrong);
	kick_queue(TXQ);
	settle();
	read_common(VIRTIO_PCI_COMMON_STATUS, 1);
}

/* ---- a trace ---- */

static uint64_t read_offer(void)
{
	uint64_t f;

	write_common(VIRTIO_PCI_COMMON_DFSELECT, 4, 0);
	f = read_reg(COMMON, VIRTIO_PCI_COMMON_DF, 4, (uint32_t)UNLIKE);
	write_common(VIRTIO_PCI_COMMON_DFSELECT, 4, 1);
	return f | (uint64_t)read_reg(COMMON, VIRTIO_PCI_COMMON_DF, 4, UNLIKE >> 32) << 32;
}

/* Any of them, with what each needs. */
static uint64_t choose_features(uint64_t offer)
{
	uint64_t f = (offer & rng_next(&both.rng)) | V1;

	if (!(f & B(CTRL_VQ)))
		f &= ~(B(CTRL_RX) | B(CTRL_VLAN) | B(GUEST_ANNOUNCE) | B(CTRL_MAC_ADDR) | B(MQ));
	if (!(f & B(CTRL_RX)))
		f &= ~B(CTRL_RX_EXTRA);
	if (!(f & B(STATUS)))
		f &= ~B(GUEST_ANNOUNCE);
	return f;
}

static void add_status(uint8_t bit)
{
	write_common(VIRTIO_PCI_COMMON_STATUS, 1, read_common(VIRTIO_PCI_COMMON_STATUS, 1) | bit);
	read_common(VIRTIO_PCI_COMMON_STATUS, 1);
}

static void set_up(void)
{
	write_common(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	settle();
	compare_wire(HDR, NULL);
	add_status(VIRTIO_CONFIG_S_ACKNOWLEDGE);
	add_status(VIRTIO_CONFIG_S_DRIVER);
	features = choose_features(read_offer());
	both_say("features 0x%llx", (unsigned long long)features);
	write_common(VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
	write_common(VIRTIO_PCI_COMMON_GF, 4, (uint32_t)features);
	read_common(VIRTIO_PCI_COMMON_GF, 4);
	write_common(VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	write_common(VIRTIO_PCI_COMMON_GF, 4, features >> 32);
	add_status(VIRTIO_CONFIG_S_FEATURES_OK);
	for (unsigned q = 0; q < (features & B(CTRL_VQ) ? 3 : 2); q++)
		set_queue(q);
	add_status(VIRTIO_CONFIG_S_DRIVER_OK);
}

static void run_trace(void)
{
	static void (*const ops[])(void) = {do_transmit, do_transmit, do_give,	  do_give,	 do_receive,
					    do_receive,	 do_receive,  do_control, do_control, do_read,
					    do_queue_reset};

	set_up();
	for (unsigned i = 0; i < OPS; i++) {
		ops[both_below(ARRAY_SIZE(ops))]();
		compare_all();
	}
	if (both_below(2))
		break_ring();
}

static void start_cards(void)
{
	char opts[96];

	both_start_qemu("virtio-net-pci,disable-legacy=on,ioeventfd=off,packed=on,"
			"mac=52:54:00:12:34:56",
			PCI_BASE_ADDRESS_4);
	snprintf(opts, sizeof(opts),
		 "mode=virtio,fd=%d,offload=off,coalesce_us=0,ring=packed,mac=52:54:00:12:34:56",
		 both_open_wire());
	both.vm = fake_vm_create(BOTH_RAM);
	both.dev = fake_attach(both.vm, &virtio_net_ops, opts);
	if (!both.dev)
		die(EXIT_FAILED, "no card");
	for (unsigned r = 0; r < ARRAY_SIZE(regions); r++) {
		regions[r].ours = find_region(our_config, regions[r].type);
		regions[r].theirs = find_region(their_config, regions[r].type);
	}
}

const struct card card_virtio_net = {"virtio-net", OPS, start_cards, run_trace};
