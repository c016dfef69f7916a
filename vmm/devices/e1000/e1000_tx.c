// SPDX-License-Identifier: MIT
/* Transmit: descriptors of the guest's ring are collected into packets and sent. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "vmm/devices/e1000/e1000.h"
#include "vmm/net/net_hdr.h"
#include "vmm/virtq/iov.h"

/* 3.3.3, 3.3.6, 3.3.7: 16 bytes, little endian. */
struct tx_desc {
	uint64_t addr;
	uint32_t lower; /* length 15..0 (legacy) or 19..0, type 23..20, command 31..24 */
	uint32_t upper; /* status 7..0, options 15..8, VLAN 31..16 */
};

struct tx_context_desc {
	uint8_t ipcss, ipcso;
	uint16_t ipcse;
	uint8_t tucss, tucso;
	uint16_t tucse;
	uint32_t cmd_len; /* payload 19..0, type 23..20, command 31..24 */
	uint8_t status, hdr_len;
	uint16_t mss;
};

#define CMD_EOP  (1u << 24)
#define CMD_IC   (1u << 26) /* legacy: insert checksum; extended: TSE */
#define CMD_TSE  (1u << 26)
#define CMD_RS   (1u << 27)
#define CMD_RPS  (1u << 28)
#define CMD_DEXT (1u << 29)
#define CMD_VLE  (1u << 30)
#define CMD_IDE  (1u << 31)
#define CMD_TCP  (1u << 24) /* context descriptor */
#define CMD_IP   (1u << 25)
#define STATUS_DD 1u

void e1000_tx_reset(struct e1000 *e)
{
	memset(&e->ctx, 0, sizeof(e->ctx));
	memset(&e->tso_ctx, 0, sizeof(e->tso_ctx));
	memset(&e->pkt, 0, sizeof(e->pkt));
}

static void set_context(struct e1000 *e, const struct tx_desc *d)
{
	struct tx_context_desc c;
	struct e1000_context *to;

	memcpy(&c, d, sizeof(c));
	to = c.cmd_len & CMD_TSE ? &e->tso_ctx : &e->ctx;
	*to = (struct e1000_context){
		.ipcss = c.ipcss,
		.ipcso = c.ipcso,
		.ipcse = c.ipcse,
		.tucss = c.tucss,
		.tucso = c.tucso,
		.tucse = c.tucse,
		.mss = c.mss,
		.hdr_len = c.hdr_len,
		.tcp = c.cmd_len & CMD_TCP,
		.ipv4 = c.cmd_len & CMD_IP,
	};
}

static void add_data(struct e1000 *e, gpa_t addr, uint32_t len)
{
	struct e1000_packet *p = &e->pkt;
	void *ptr;

	if (!len)
		return;
	ptr = gmem_ptr(e->pci->gm, addr, len);
	/* Outside RAM, more pieces or more bytes than a packet can have: the packet is dropped as a whole. */
	if (!ptr || p->n == TX_SEGS || p->len + len > TX_FRAME_MAX) {
		p->bad = true;
		return;
	}
	p->iov[2 + p->n++] = (struct iovec){ptr, len};
	p->len += len;
}

/* What the host's kernel can do is left to it; what it cannot (or when offload=off) is done here. */
static bool kernel_can(struct e1000 *e, const struct e1000_context *c)
{
	const struct e1000_packet *p = &e->pkt;

	if (!e->offload || !e->tap.n || e1000_loopback(e) || p->insert_vlan)
		return false;
	memset(&e->tx_hdr, 0, sizeof(e->tx_hdr));
	if (p->tse)
		return e1000_prepare_gso(e, c);
	if (p->popts & 1)
		return false;
	if (!(p->popts & 2))
		return true;
	if (c->tucss < 14 || c->tucso < c->tucss || (size_t)c->tucso + 2 > p->len || c->tucse)
		return false;
	e->tx_hdr.hdr = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
						.csum_start = c->tucss,
						.csum_offset = (uint16_t)(c->tucso - c->tucss)};
	return true;
}

/* Headers that were rewritten come from the private copy, the rest straight from guest memory. */
static unsigned skip_header(struct e1000_packet *p, size_t skip)
{
	unsigned first = 2;

	while (skip && first < 2 + p->n) {
		size_t n = MIN(skip, p->iov[first].iov_len);

		p->iov[first].iov_base = (char *)p->iov[first].iov_base + n;
		p->iov[first].iov_len -= n;
		skip -= n;
		first += !p->iov[first].iov_len;
	}
	return first;
}

/* What the kernel makes of the packet: each segment has the headers. */
static void count_segments(struct e1000 *e, const struct virtio_net_hdr *h)
{
	size_t len = e->pkt.len, more = 0;

	if (h->gso_type && len > h->hdr_len)
		more = (len - h->hdr_len - 1) / h->gso_size;
	e1000_count_sent(e, (unsigned)more + 1, len + more * h->hdr_len);
}

static void send_to_kernel(struct e1000 *e)
{
	struct e1000_packet *p = &e->pkt;
	unsigned first = 2, end = 2 + p->n;
	ssize_t n;

	if (e->tx_hdr.hdr.gso_type) {
		first = skip_header(p, e->tx_hdr.hdr.hdr_len);
		p->iov[--first] = (struct iovec){e->head, e->tx_hdr.hdr.hdr_len};
	}
	p->iov[--first] = (struct iovec){&e->tx_hdr, sizeof(e->tx_hdr)};
	n = writev(e->tap.fd[0], p->iov + first, (int)(end - first));
	if (n < 0)
		e1000_stat(&e->tx_stats->stops, 1);
	count_segments(e, &e->tx_hdr.hdr);
}

void e1000_count_sent(struct e1000 *e, unsigned frames, size_t len)
{
	uint64_t octets = len + (uint64_t)frames * E1000_CRC_LEN;

	e1000_count(e, GPTC, frames);
	e1000_count(e, TPT, frames);
	e1000_count_octets(e, GOTCL, octets);
	e1000_count_octets(e, TOTL, octets);
}

static void send_packet(struct e1000 *e)
{
	struct e1000_packet *p = &e->pkt;
	const struct e1000_context *c = p->tse ? &e->tso_ctx : &e->ctx;

	if (p->bad || p->len < 14) {
		e1000_stat(&e->tx_stats->bad, 1);
		return;
	}
	e1000_stat(&e->tx_stats->bytes, p->len);
	if (kernel_can(e, c))
		send_to_kernel(e);
	else
		e1000_send_software(e, c);
}

static void packet_end(struct e1000 *e)
{
	send_packet(e);
	e->pkt.n = 0;
	e->pkt.len = 0;
	e->pkt.bad = false;
	e->pkt.started = false;
}

/* Options of a packet are those of its first descriptor (3.3.7). */
static void packet_start(struct e1000 *e, const struct tx_desc *d)
{
	struct e1000_packet *p = &e->pkt;

	if (p->started)
		return;
	p->started = true;
	p->popts = (uint8_t)bits_if(d->lower & CMD_DEXT, d->upper >> 8);
	p->tse = (d->lower & CMD_DEXT) && (d->lower & CMD_TSE);
}

static void legacy_checksum(struct e1000 *e, const struct tx_desc *d)
{
	/* css in bits 15..8 of upper, cso in 23..16 of lower. */
	if (!(d->lower & CMD_IC))
		return;
	e->ctx.tucss = (uint8_t)(d->upper >> 8);
	e->ctx.tucso = (uint8_t)(d->lower >> 16);
	e->ctx.tucse = 0;
	e->pkt.popts = 2;
}

static void serve_descriptor(struct e1000 *e, const struct tx_desc *d)
{
	struct e1000_packet *p = &e->pkt;
	bool dext = d->lower & CMD_DEXT;

	if (dext && !((d->lower >> 20) & 0xf)) {
		set_context(e, d);
		return;
	}
	packet_start(e, d);
	add_data(e, d->addr, d->lower & (dext ? 0xfffffu : 0xffffu));
	if (!(d->lower & CMD_EOP))
		return;
	p->insert_vlan = (d->lower & CMD_VLE) && (e1000_get(e, CTRL) & CTRL_VME);
	p->vlan = (uint16_t)(d->upper >> 16);
	if (!dext)
		legacy_checksum(e, d);
	packet_end(e);
}

struct tx_ring {
	gpa_t base;
	uint32_t size; /* descriptors */
};

static struct tx_ring ring_of(struct e1000 *e)
{
	return (struct tx_ring){(gpa_t)e1000_get(e, TDBAH) << 32 | (e1000_get(e, TDBAL) & ~0xfu),
				(e1000_get(e, TDLEN) & 0xfff80u) /
					(uint32_t)sizeof(struct tx_desc)};
}

/* Serves one descriptor and returns the interrupt cause that it asks for, or 0. */
static uint32_t serve_at(struct e1000 *e, const struct tx_ring *r, uint32_t head, bool *delayed)
{
	gpa_t at = r->base + (gpa_t)head * sizeof(struct tx_desc);
	struct tx_desc d;

	if (gmem_read(e->pci->gm, at, &d, sizeof(d))) {
		e1000_stat(&e->tx_stats->bad, 1);
		return 0;
	}
	serve_descriptor(e, &d);
	if (!(d.lower & (CMD_RS | CMD_RPS)))
		return 0;
	*delayed &= (d.lower & CMD_IDE) != 0;
	d.upper |= STATUS_DD;
	gmem_write(e->pci->gm, at + 12, &d.upper, 1);
	return ICR_TXDW;
}

static void account_run(struct e1000 *e, unsigned n)
{
	unsigned log2;

	if (!n) {
		e1000_stat(&e->tx_stats->spurious_kicks, 1);
		return;
	}
	log2 = 31 - (unsigned)__builtin_clz(n);
	e1000_stat(&e->tx_stats->descs, n);
	e1000_stat(&e->tx_stats->batch[MIN(log2, STATS_BATCH - 1)], 1);
}

/*
 * One descriptor can become 65,000 frames, a ring 4 billion: after this many the thread looks at its other
 * work. With io=vcpu the rest waits for the next kick.
 */
#define FRAMES_PER_RUN 0x40000u

static void go_on_later(struct e1000 *e)
{
	uint64_t one = 1;

	if (!e->io_vcpu && write(e->kick_fd, &one, sizeof(one)) < 0)
		e1000_stat(&e->tx_stats->bad, 1);
}

void e1000_tx_run(struct e1000 *e)
{
	struct tx_ring r = ring_of(e);
	uint32_t head = e1000_get(e, TDH), cause = 0;
	uint64_t turn = e->io_vcpu ? UINT64_MAX : e->tx_stats->bytes + NET_TX_TURN;
	bool delayed = true;
	unsigned n = 0;

	if (!(e1000_get(e, TCTL) & TCTL_EN) || !pci_bus_master(e->pci))
		return;
	/*
	 * A head or tail outside the ring moves nothing, and a ring is served once at most (classes of
	 * CVE-2016-1981).
	 */
	if (!r.size || head >= r.size || e1000_get(e, TDT) >= r.size)
		return;
	/* The tail is read again each time: what the guest adds meanwhile needs no kick of its own. */
	e->tx_frames = 0;
	while (head != e1000_get(e, TDT) && e1000_get(e, TDT) < r.size && n < r.size &&
	       e->tx_frames < FRAMES_PER_RUN && e->tx_stats->bytes < turn) {
		cause |= serve_at(e, &r, head, &delayed);
		if (++head == r.size)
			head = 0;
		e1000_set(e, TDH, head);
		n++;
	}
	account_run(e, n);
	if (!n)
		return;
	if (head != e1000_get(e, TDT))
		go_on_later(e);
	if (cause && delayed)
		e1000_irq_raise_delayed(e, cause, DELAY_TX);
	else if (cause)
		e1000_irq_raise(e, cause | bits_if(head == e1000_get(e, TDT), ICR_TXQE));
}
