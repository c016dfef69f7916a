// SPDX-License-Identifier: MIT
/* virtio-net's data path between rings in plain memory and a socket that stands in for the TAP. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/drv_ring.h"
#include "vmm/devices/virtio_net/netq.h"
#include "vmm/devices/virtio_net/tx_hold.h"

#define RX_GPA  0x10000
#define TX_GPA  0x80000
#define BUF_GPA 0x200000
#define RAM     (8 * MIB)
#define SIZE    64
#define BULK 20000
#define FRAME_MAX 65550 /* as the kernel's largest GSO packet */

#define F(name) (1ull << VIRTIO_NET_F_##name)
#define OFFLOADS (F(CSUM) | F(HOST_TSO4) | F(HOST_TSO6) | F(HOST_ECN) | 1ull << NET_F_HOST_USO)

struct rig {
	struct gmem *gm;
	struct drv_ring rx, tx;
	struct netq q;
	struct stats_queue rxs, txs;
	int peer; /* the other end of q.fd */
	unsigned calls[2];
	uint8_t frame[NET_FRAME_MAX + 100], got[NET_FRAME_MAX + 100];
};

static struct rig rig;

static int setup(void **state)
{
	(void)state;
	log_init("test", LOG_ERROR);
	return gmem_create(&rig.gm, RAM) || netq_init(&rig.q);
}

static int teardown(void **state)
{
	(void)state;
	netq_free(&rig.q);
	gmem_destroy(rig.gm);
	close_fd(&rig.peer);
	close_fd(&rig.q.fd);
	return 0;
}

static void on_call(void *arg, bool tx)
{
	struct rig *r = arg;

	r->calls[tx]++;
}

static void start_sized(uint64_t features, uint16_t size)
{
	int sv[2], big = 1 << 20;

	if (rig.q.rx_on)
		netq_stop(&rig.q, false);
	if (rig.q.fd > 0) {
		close(rig.q.fd);
		close(rig.peer);
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sv), 0);
	setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	setsockopt(sv[1], SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	rig.q.fd = sv[0];
	rig.peer = sv[1];
	rig.q.features = features;
	rig.q.filter = NULL;
	rig.q.rx_stats = &rig.rxs;
	rig.q.tx_stats = &rig.txs;
	rig.q.call = on_call;
	rig.q.arg = &rig;
	rig.q.fd_readable = true;
	rig.q.fd_blocked = false;
	memset(&rig.rxs, 0, sizeof(rig.rxs));
	memset(&rig.txs, 0, sizeof(rig.txs));
	memset(rig.calls, 0, sizeof(rig.calls));
	drv_ring_init(&rig.rx, rig.gm, RX_GPA, size, features);
	drv_ring_init(&rig.tx, rig.gm, TX_GPA, size, features);
	assert_int_equal(netq_start(&rig.q, false, rig.gm, &rig.rx.l, virtq_base_new(features)), 0);
	assert_int_equal(netq_start(&rig.q, true, rig.gm, &rig.tx.l, virtq_base_new(features)), 0);
}

static void start(uint64_t features)
{
	start_sized(features, SIZE);
}

static const uint64_t layouts[] = {
	0,	    F_INDIRECT | F_EVENT_IDX, F_PACKED, F_PACKED | F_INDIRECT | F_EVENT_IDX,
	F_IN_ORDER, F_PACKED | F_IN_ORDER,
};

static void fill(uint8_t *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(seed * 31 + i * 7 + (i >> 8));
}

static void run(void)
{
	while (netq_run(&rig.q, 64, true) == 1)
		;
}

/* ---- transmit ---- */

/*
 * Lay frame (header and all) into guest memory, cut into n_hdr pieces for the header and one or more for
 * the rest.
 */
static uint16_t send_cut(size_t len, unsigned n_hdr, unsigned n_rest, bool indirect)
{
	struct drv_seg seg[DRV_TABLE];
	gpa_t at = BUF_GPA;
	size_t off = 0;
	unsigned n = 0;

	gmem_write(rig.gm, BUF_GPA, rig.frame, len);
	for (unsigned i = 0; i < n_hdr && off < len; i++) {
		size_t part = i + 1 == n_hdr ? NET_HDR_LEN - off : NET_HDR_LEN / n_hdr;

		part = MIN(part, len - off);
		seg[n++] = (struct drv_seg){at + off, (uint32_t)part, false};
		off += part;
	}
	for (unsigned i = 0; i < n_rest && off < len; i++) {
		size_t part = i + 1 == n_rest ? len - off : (len - off + n_rest - 1) / n_rest;

		seg[n++] = (struct drv_seg){at + off, (uint32_t)part, false};
		off += part;
	}
	return drv_add(&rig.tx, seg, n, indirect);
}

static void expect_sent(size_t len)
{
	uint16_t id;
	uint32_t used;

	assert_int_equal(recv(rig.peer, rig.got, sizeof(rig.got), 0), len);
	assert_memory_equal(rig.got + NET_HDR_LEN, rig.frame + NET_HDR_LEN, len - NET_HDR_LEN);
	assert_true(drv_get(&rig.tx, &id, &used));
	assert_int_equal(used, 0);
}

static void test_tx_header_framing(void **state)
{
	(void)state;
	for (size_t f = 0; f < ARRAY_SIZE(layouts); f++) {
		for (unsigned n_hdr = 1; n_hdr <= 12; n_hdr++) {
			for (unsigned n_rest = 1; n_rest <= 18; n_rest += 4) {
				size_t len = NET_HDR_LEN + 60 + 97 * n_rest;

				start(layouts[f]);
				fill(rig.frame, len, n_hdr);
				memset(rig.frame, 0, NET_HDR_LEN);
				send_cut(len, n_hdr, n_rest, layouts[f] & F_INDIRECT);
				run();
				expect_sent(len);
			}
		}
	}
}

/* Header and frame in one descriptor, as VIRTIO_F_ANY_LAYOUT allows, and cut in the middle of the header. */
static void test_tx_one_descriptor(void **state)
{
	static const unsigned cuts[] = {0, 1, 5, 11, 13, 30};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
		struct drv_seg seg[2] = {{BUF_GPA, cuts[i], false},
						 {BUF_GPA + cuts[i], 112 - cuts[i], false}};

		start(0);
		fill(rig.frame, 112, 3);
		memset(rig.frame, 0, NET_HDR_LEN);
		gmem_write(rig.gm, BUF_GPA, rig.frame, 112);
		drv_add(&rig.tx, seg + !cuts[i], 1 + !!cuts[i], false);
		run();
		expect_sent(112);
	}
}

static void test_tx_short_chains(void **state)
{
	(void)state;
	for (size_t len = 1; len < NET_HDR_LEN + 20; len++) {
		uint16_t id;
		uint32_t used;

		start(0);
		memset(rig.frame, 0, sizeof(rig.frame));
		send_cut(len, 1, 1, false);
		run();
		assert_true(drv_get(&rig.tx, &id, &used)); /* completed in any case */
		assert_int_equal(rig.txs.bad, len < NET_HDR_LEN + 14);
		assert_int_equal(recv(rig.peer, rig.got, sizeof(rig.got), 0) > 0, len >= NET_HDR_LEN + 14);
	}
}

/* Only writable segments: there is no header at all. */
static void test_tx_writable_chain(void **state)
{
	const struct drv_seg seg = {BUF_GPA, 100, true};
	uint16_t id;
	uint32_t used;

	(void)state;
	start(0);
	drv_add(&rig.tx, &seg, 1, false);
	run();
	assert_true(drv_get(&rig.tx, &id, &used));
	assert_int_equal(rig.txs.bad, 1);
}

static void test_tx_many_segments(void **state)
{
	(void)state;
	start_sized(0, 1024);
	struct drv_seg seg[1024];

	fill(rig.frame, 2048, 9);
	memset(rig.frame, 0, NET_HDR_LEN);
	gmem_write(rig.gm, BUF_GPA, rig.frame, 2048);
	for (unsigned i = 0; i < 1024; i++) /* header in one, then a byte each: as many as there are */
		seg[i] = (struct drv_seg){i ? BUF_GPA + NET_HDR_LEN + i - 1 : BUF_GPA, i ? 1 : NET_HDR_LEN,
					  false};
	drv_add(&rig.tx, seg, 1024, false);
	run();
	expect_sent(NET_HDR_LEN + 1023);
}

/* Answers that wait to be received must not wait until all that there is has been sent. */
static void test_a_turn_of_transmit_is_short(void **state)
{
	(void)state;
	start(0);
	memset(rig.frame, 0, sizeof(rig.frame));
	for (unsigned i = 0; i < 5; i++)
		send_cut(30000, 1, 1, false);
	assert_int_equal(netq_run(&rig.q, 64, false), 1);
	assert_int_equal(rig.txs.descs, 3);
	run();
	assert_int_equal(rig.txs.descs, 5);
}

/* The socket is full: nothing is lost, nothing sent twice, and order is kept. */
static void test_tx_blocked(void **state)
{
	unsigned sent = 0, seen = 0;

	(void)state;
	for (size_t f = 0; f < 4; f++) {
		int small = 65536;

		start(layouts[f]);
		setsockopt(rig.q.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
		sent = seen = 0;
		memset(rig.frame, 0, sizeof(rig.frame));
		while (seen < 1000) {
			ssize_t n;
			uint16_t id;
			uint32_t used;

			while (sent < 1000 && sent - seen < SIZE / 2) {
				struct drv_seg seg = {BUF_GPA + 32768 * (sent % SIZE), 20000, false};

				memcpy(rig.frame + NET_HDR_LEN, &sent, sizeof(sent));
				gmem_write(rig.gm, seg.gpa, rig.frame, 20000);
				drv_add(&rig.tx, &seg, 1, false);
				sent++;
			}
			run();
			while (drv_get(&rig.tx, &id, &used))
				;
			for (unsigned k = 0; k < 3 && (n = recv(rig.peer, rig.got, sizeof(rig.got), 0)) > 0;
			     k++) {
				assert_int_equal(n, 20000);
				assert_memory_equal(rig.got + NET_HDR_LEN, &seen, sizeof(seen));
				seen++;
			}
			rig.q.fd_blocked = false; /* as EPOLLOUT says */
		}
		assert_true(rig.txs.stops > 0);
		assert_int_equal(rig.txs.descs, 1000);
	}
}

/* ---- headers: class 12 ---- */

struct hdr_case {
	const char *what;
	struct virtio_net_hdr h;
	size_t len;
	uint8_t eth[2], ip, proto;
	uint64_t features;
	bool ok;
};

#define CSUM VIRTIO_NET_HDR_F_NEEDS_CSUM
#define T4   VIRTIO_NET_HDR_GSO_TCPV4
#define T6   VIRTIO_NET_HDR_GSO_TCPV6
#define IP4  {8, 0}, 0x45, 6
#define IP6  {0x86, 0xdd}, 0x60, 6

static const struct hdr_case hdr_cases[] = {
	{"plain", {0}, 60, IP4, 0, true},
	{"13 bytes", {0}, 13, IP4, 0, false},
	{"14 bytes", {0}, 14, IP4, 0, true},
	{"no bytes", {0}, 0, IP4, 0, false},
	{"bits of flags that nobody knows", {0xfe, 0, 0, 0, 65535, 65535}, 60, IP4, 0, true},
	{"checksum", {CSUM, 0, 0, 0, 34, 16}, 60, IP4, OFFLOADS, true},
	{"checksum not negotiated", {CSUM, 0, 0, 0, 34, 16}, 60, IP4, 0, false},
	{"checksum field ends with the frame", {CSUM, 0, 0, 0, 42, 16}, 60, IP4, OFFLOADS, true},
	{"checksum field one over", {CSUM, 0, 0, 0, 43, 16}, 60, IP4, OFFLOADS, false},
	{"checksum start 65535", {CSUM, 0, 0, 0, 65535, 65535}, 60, IP4, OFFLOADS, false},
	{"checksum in the Ethernet header", {CSUM, 0, 0, 0, 0, 6}, 60, IP4, OFFLOADS, false},
	{"TSO4", {CSUM, T4, 54, 1448, 34, 16}, 4000, IP4, OFFLOADS, true},
	{"TSO4, ECN", {CSUM, T4 | VIRTIO_NET_HDR_GSO_ECN, 54, 1448, 34, 16}, 4000, IP4, OFFLOADS, true},
	{"ECN not negotiated",
	 {CSUM, T4 | VIRTIO_NET_HDR_GSO_ECN, 54, 1448, 34, 16},
	 4000,
	 IP4,
	 OFFLOADS & ~F(HOST_ECN),
	 false},
	{"TSO4 not negotiated", {CSUM, T4, 54, 1448, 34, 16}, 4000, IP4, F(CSUM), false},
	{"TSO4 without checksum", {0, T4, 54, 1448, 34, 16}, 4000, IP4, OFFLOADS, false},
	{"TSO4, segment size 0", {CSUM, T4, 54, 0, 34, 16}, 4000, IP4, OFFLOADS, false},
	{"TSO4, segment size 1", {CSUM, T4, 54, 1, 34, 16}, 4000, IP4, OFFLOADS, false},
	{"TSO4, checksum not at TCP", {CSUM, T4, 54, 1448, 38, 16}, 4000, IP4, OFFLOADS, false},
	{"TSO4, checksum at the wrong field", {CSUM, T4, 54, 1448, 34, 6}, 4000, IP4, OFFLOADS, false},
	{"TSO4 on an IPv6 frame", {CSUM, T4, 54, 1448, 34, 16}, 4000, IP6, OFFLOADS, false},
	{"TSO4 on UDP", {CSUM, T4, 54, 1448, 34, 16}, 4000, {8, 0}, 0x45, 17, OFFLOADS, false},
	{"TSO4 on ARP", {CSUM, T4, 54, 1448, 34, 16}, 4000, {8, 6}, 0x45, 6, OFFLOADS, false},
	{"TSO4 on a frame that ends in TCP", {CSUM, T4, 54, 1448, 34, 16}, 53, IP4, OFFLOADS, false},
	{"TSO4, header length 65535 is a hint", {CSUM, T4, 65535, 1448, 34, 16}, 4000, IP4, OFFLOADS, true},
	{"TSO6", {CSUM, T6, 74, 1428, 54, 16}, 4000, IP6, OFFLOADS, true},
	{"TSO6 behind extension headers", {CSUM, T6, 82, 1428, 62, 16}, 4000, IP6, OFFLOADS, true},
	{"TSO6, checksum inside the IP header", {CSUM, T6, 74, 1428, 34, 16}, 4000, IP6, OFFLOADS, false},
	{"TSO6 on an IPv4 frame", {CSUM, T6, 74, 1428, 54, 16}, 4000, IP4, OFFLOADS, false},
	{"USO4", {CSUM, NET_GSO_UDP_L4, 42, 1400, 34, 6}, 4000, {8, 0}, 0x45, 17, OFFLOADS, true},
	{"USO not negotiated",
	 {CSUM, NET_GSO_UDP_L4, 42, 1400, 34, 6},
	 4000,
	 {8, 0},
	 0x45,
	 17,
	 OFFLOADS & ~(1ull << NET_F_HOST_USO),
	 false},
	{"UFO, which is gone",
	 {CSUM, VIRTIO_NET_HDR_GSO_UDP, 42, 1400, 34, 6},
	 4000,
	 {8, 0},
	 0x45,
	 17,
	 OFFLOADS,
	 false},
	{"GSO type 2", {CSUM, 2, 54, 1448, 34, 16}, 4000, IP4, OFFLOADS, false},
	{"GSO type 0x7f", {CSUM, 0x7f, 54, 1448, 34, 16}, 4000, IP4, OFFLOADS, false},
	{"larger than any frame", {0}, NET_FRAME_MAX + 1, IP4, 0, false},
};

static void test_tx_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hdr_cases); i++) {
		const struct hdr_case *c = &hdr_cases[i];
		struct virtio_net_hdr_mrg_rxbuf h = {.hdr = c->h, .num_buffers = 0xbeef};
		uint8_t head[NET_HEAD_LEN] = {0};

		memcpy(head + 12, c->eth, 2);
		head[14] = c->ip;
		head[c->ip == 0x45 ? 23 : 20] = c->proto;
		if (net_hdr_check(&h, head, MIN(c->len, sizeof(head)), c->len, c->features) != c->ok)
			fail_msg("%s: should be %s", c->what, c->ok ? "sent" : "dropped");
		if (c->ok) {
			assert_int_equal(h.num_buffers, 0);
			assert_true(h.hdr.hdr_len <= c->len);
		}
	}
}

/* Random headers on random frames: none of the accepted may point outside its frame. */
static void test_tx_random_headers(void **state)
{
	unsigned seed = 4242;

	(void)state;
	for (unsigned i = 0; i < 500000; i++) {
		size_t len = (unsigned)rand_r(&seed) % 200;
		struct virtio_net_hdr_mrg_rxbuf h = {
			.hdr = {(uint8_t)(rand_r(&seed) & 3), (uint8_t)(rand_r(&seed) % 8),
				(uint16_t)rand_r(&seed), (uint16_t)rand_r(&seed),
				(uint16_t)(rand_r(&seed) % 120), (uint16_t)(rand_r(&seed) % 20)}};
		uint8_t head[NET_HEAD_LEN];

		for (size_t k = 0; k < sizeof(head); k++)
			head[k] = (uint8_t)rand_r(&seed);
		head[12] = 8;
		head[13] = 0;
		head[14] = 0x40 | (rand_r(&seed) & 15);
		if (!net_hdr_check(&h, head, MIN(len, sizeof(head)), len, OFFLOADS))
			continue;
		assert_true(len >= 14 && h.hdr.hdr_len <= len);
		if (h.hdr.flags & CSUM)
			assert_true((size_t)h.hdr.csum_start + h.hdr.csum_offset + 2 <= len);
	}
}

static void *flip_version(void *arg)
{
	volatile uint8_t *ip = arg;

	while (ip[1] != 0xee)
		*ip = *ip == 0x45 ? 0x4f : 0x45;
	return NULL;
}

/*
 * Another vCPU changes the IP header while its frame is checked and sent: what was checked is what is
 * sent.
 */
static void test_tx_headers_cannot_change_behind_the_check(void **state)
{
	struct virtio_net_hdr_mrg_rxbuf h = {.hdr = {CSUM, VIRTIO_NET_HDR_GSO_TCPV4, 54, 1000, 34, 16}};
	uint8_t *frame = gmem_ptr(rig.gm, BUF_GPA, 4096);
	uint64_t end = clock_ns() + 10 * NSEC_PER_SEC, bad;
	unsigned sent = 0, turns = 0;
	pthread_t racer;

	(void)state;
	start(OFFLOADS);
	memset(rig.frame, 0, 4096);
	memcpy(rig.frame, &h, sizeof(h));
	rig.frame[NET_HDR_LEN + 12] = 8;
	rig.frame[NET_HDR_LEN + 14] = 0x45;
	rig.frame[NET_HDR_LEN + 23] = 6;
	gmem_write(rig.gm, BUF_GPA, rig.frame, 4096);
	assert_int_equal(pthread_create(&racer, NULL, flip_version, frame + NET_HDR_LEN + 14), 0);
	/* Until both threads have run at one time for a while: then frames pass and fail by turns. */
	for (bool was = false; turns < 2000 && clock_ns() < end;) {
		struct drv_seg seg[2] = {{BUF_GPA, NET_HDR_LEN, false}, {BUF_GPA + NET_HDR_LEN, 3000, false}};
		uint32_t used;
		uint16_t id;

		bad = rig.txs.bad;
		drv_add(&rig.tx, seg, 2, false);
		run();
		turns += was != (rig.txs.bad != bad);
		was = rig.txs.bad != bad;
		while (recv(rig.peer, rig.got, sizeof(rig.got), MSG_DONTWAIT) > 0) {
			assert_int_equal(rig.got[NET_HDR_LEN + 14], 0x45);
			sent++;
		}
		assert_true(drv_get(&rig.tx, &id, &used));
	}
	frame[NET_HDR_LEN + 15] = 0xee;
	pthread_join(racer, NULL);
	assert_true(sent > 0);
}

/* Frames as long as the copy of their headers, and a little shorter and longer, in pieces. */
static void test_tx_short_segmentation(void **state)
{
	(void)state;
	for (unsigned len = 54; len < NET_HEAD_LEN + 12; len++) {
		for (unsigned pieces = 1; pieces < 6; pieces++) {
			struct virtio_net_hdr_mrg_rxbuf h = {
				.hdr = {CSUM, VIRTIO_NET_HDR_GSO_TCPV4, 54, 1000, 34, 16}};

			start(OFFLOADS);
			fill(rig.frame, NET_HDR_LEN + len, len);
			memcpy(rig.frame, &h, sizeof(h));
			rig.frame[NET_HDR_LEN + 12] = 8;
			rig.frame[NET_HDR_LEN + 13] = 0;
			rig.frame[NET_HDR_LEN + 14] = 0x45;
			rig.frame[NET_HDR_LEN + 23] = 6;
			send_cut(NET_HDR_LEN + len, pieces, pieces, false);
			run();
			assert_int_equal(recv(rig.peer, rig.got, sizeof(rig.got), MSG_DONTWAIT),
					 NET_HDR_LEN + len);
			assert_memory_equal(rig.got, rig.frame, NET_HDR_LEN + len);
		}
	}
}

/* ---- receive ---- */

static void post_rx(unsigned n, uint32_t len, unsigned segs)
{
	static unsigned next;

	while (n--) {
		struct drv_seg seg[4];
		gpa_t at = BUF_GPA + (next++ % SIZE) * 70000ull;

		for (unsigned k = 0; k < segs; k++)
			seg[k] = (struct drv_seg){at + k * (len / segs), len / segs, true};
		drv_add(&rig.rx, seg, segs, false);
	}
}

static void peer_send(size_t frame_len, unsigned seed)
{
	fill(rig.frame, NET_HDR_LEN + frame_len, seed);
	memset(rig.frame, 0, NET_HDR_LEN);
	assert_int_equal(send(rig.peer, rig.frame, NET_HDR_LEN + frame_len, 0), NET_HDR_LEN + frame_len);
	rig.q.fd_readable = true;
}

/* Where a split-ring or packed request's first segment lies: by ID as drv_add wrote it. */
static gpa_t addr_of(const gpa_t *table, uint16_t id)
{
	return table[id];
}

/* Collect one frame from the used ring; frame length or 0. */
static size_t take_frame(const gpa_t *addr, uint32_t buf_len)
{
	struct virtio_net_hdr_mrg_rxbuf h;
	unsigned left = 1, first = 1;
	size_t n = 0;
	uint16_t id;
	uint32_t len;

	while (left && drv_get(&rig.rx, &id, &len)) {
		assert_true(len <= buf_len);
		gmem_read(rig.gm, addr_of(addr, id), rig.got + n, len);
		if (first) {
			memcpy(&h, rig.got, sizeof(h));
			left = h.num_buffers;
			assert_true(left >= 1);
			first = 0;
		}
		n += len;
		left--;
	}
	assert_int_equal(left, first ? 1 : 0);
	return n;
}

static void rx_case(uint64_t features, uint32_t buf_len, size_t frame_len)
{
	gpa_t addr[SIZE];
	unsigned need = (unsigned)((NET_HDR_LEN + frame_len + buf_len - 1) / buf_len);

	if (need > SIZE - 1 || (!(features & F(MRG_RXBUF)) && need > 1))
		return;
	start(features);
	for (unsigned i = 0; i < SIZE; i++) {
		struct drv_seg seg = {BUF_GPA + i * 70000ull, buf_len, true};
		uint16_t id = drv_add(&rig.rx, &seg, 1, false);

		addr[id] = seg.gpa;
	}
	for (unsigned round = 0; round < 3 && need * (round + 1) <= SIZE; round++) {
		peer_send(frame_len, round);
		run();
		assert_int_equal(take_frame(addr, buf_len), NET_HDR_LEN + frame_len);
		assert_memory_equal(rig.got + NET_HDR_LEN, rig.frame + NET_HDR_LEN, frame_len);
		assert_true(rig.calls[0] >= 1);
	}
}

static void test_rx_sizes(void **state)
{
	static const uint32_t bufs[] = {60, 1526, 1536, 4096, 65562};
	static const size_t frames[] = {14, 15, 47, 48, 49, 60, 1514, 1515, 3000, 9000, 65535, FRAME_MAX};

	(void)state;
	for (size_t f = 0; f < ARRAY_SIZE(layouts); f++)
		for (size_t b = 0; b < ARRAY_SIZE(bufs); b++)
			for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
				rx_case(layouts[f] | F(MRG_RXBUF), bufs[b], frames[i]);
				rx_case(layouts[f], bufs[b], frames[i]);
			}
}

/* More frames than buffers: they wait, in order, and none is lost; the guest is asked to kick. */
static void test_rx_waits_for_buffers(void **state)
{
	unsigned sent = 0, seen = 0;
	uint32_t stamp, len;
	uint16_t id;

	(void)state;
	for (size_t f = 0; f < 4; f++) {
		gpa_t addr[SIZE];

		start(layouts[f] | F(MRG_RXBUF));
		sent = seen = 0;
		for (unsigned lap = 0; lap < 400; lap++) {
			while (sent < seen + 20) {
				peer_send(200 + sent % 1000, sent);
				sent++;
			}
			run();
			for (unsigned i = 0; i < 3; i++) { /* 512-byte buffers: 1 to 3 a frame */
				struct drv_seg seg = {BUF_GPA + ((lap * 3 + i) % SIZE) * 2048ull, 512, true};

				id = drv_add(&rig.rx, &seg, 1, false);
				addr[id] = seg.gpa;
			}
			run();
			while (take_frame(addr, 512)) {
				fill(rig.frame, 16, seen);
				memcpy(&stamp, rig.got + NET_HDR_LEN, 4);
				assert_memory_equal(rig.got + NET_HDR_LEN, rig.frame + NET_HDR_LEN, 4);
				seen++;
			}
		}
		assert_true(seen > 400);
		assert_int_equal(rig.rxs.bad, 0);
		assert_true(rig.rxs.stops > 0);
		(void)len;
	}
}

/* Without mergeable buffers a frame that does not fit is dropped; the next one is not. */
static void test_rx_too_small(void **state)
{
	gpa_t addr[SIZE];

	(void)state;
	start(0);
	for (unsigned i = 0; i < 4; i++) {
		struct drv_seg seg = {BUF_GPA + i * 2048ull, 600, true};

		addr[drv_add(&rig.rx, &seg, 1, false)] = seg.gpa;
	}
	peer_send(1000, 1);
	peer_send(100, 2);
	run();
	assert_int_equal(rig.rxs.bad, 1);
	assert_int_equal(take_frame(addr, 600), NET_HDR_LEN + 100);
	assert_memory_equal(rig.got + NET_HDR_LEN, rig.frame + NET_HDR_LEN, 100);
}

/* Mergeable, but the whole ring is smaller than the frame: it can never fit and must not block the queue. */
static void test_rx_larger_than_ring(void **state)
{
	gpa_t addr[SIZE];

	(void)state;
	start(F(MRG_RXBUF));
	for (unsigned i = 0; i < SIZE; i++) {
		struct drv_seg seg = {BUF_GPA + i * 2048ull, 100, true};

		addr[drv_add(&rig.rx, &seg, 1, false)] = seg.gpa;
	}
	peer_send(9000, 1);
	peer_send(90, 2);
	run();
	assert_int_equal(rig.rxs.bad, 1);
	assert_int_equal(take_frame(addr, 100), NET_HDR_LEN + 90);
}

static void test_rx_bad_buffers(void **state)
{
	static const struct drv_seg bad[][2] = {
		{{BUF_GPA, 2000, false}},
		{{BUF_GPA, NET_HDR_LEN - 1, true}},
		{{BUF_GPA, 64, false}, {BUF_GPA + 64, 2000, true}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		start(F(MRG_RXBUF));
		drv_add(&rig.rx, bad[i], bad[i][1].len ? 2 : 1, false);
		peer_send(100, 1);
		assert_int_equal(netq_run(&rig.q, 64, true), -EBADMSG);
		assert_true(rig.q.rx.broken);
		assert_false(rig.q.tx.broken);
		assert_int_equal(rig.rxs.bad, 1);
	}
}

/* Stopping gives the window back: the base is that of the first buffer the guest has not seen used. */
static void test_rx_stop_and_go_on(void **state)
{
	gpa_t addr[SIZE];
	uint32_t base;

	(void)state;
	for (size_t f = 0; f < 4; f++) {
		start(layouts[f] | F(MRG_RXBUF));
		for (unsigned i = 0; i < SIZE; i++) {
			struct drv_seg seg = {BUF_GPA + i * 2048ull, 1526, true};

			addr[drv_add(&rig.rx, &seg, 1, false)] = seg.gpa;
		}
		for (unsigned i = 0; i < SIZE; i++) {
			peer_send(300, i);
			run();
			base = netq_stop(&rig.q, false);
			assert_int_equal(netq_start(&rig.q, false, rig.gm, &rig.rx.l, base), 0);
			assert_int_equal(take_frame(addr, 1526), NET_HDR_LEN + 300);
			assert_memory_equal(rig.got + NET_HDR_LEN, rig.frame + NET_HDR_LEN, 300);
		}
	}
}

struct filter_case {
	const char *what;
	struct net_filter f;
	uint8_t dst[6];
	uint16_t vlan; /* 0: untagged */
	bool pass;
};

#define MAC  {2, 0, 0, 0, 0, 1}
#define GRP  {1, 0, 0x5e, 0, 0, 1}
#define ALL  {255, 255, 255, 255, 255, 255}

static const struct filter_case filter_cases[] = {
	{"ours", {.mac = MAC}, MAC, 0, true},
	{"another's", {.mac = MAC}, {2, 0, 0, 0, 0, 2}, 0, false},
	{"another's, promiscuous", {.promisc = true}, {2, 0, 0, 0, 0, 2}, 0, true},
	{"another's, all unicast", {.alluni = true}, {2, 0, 0, 0, 0, 2}, 0, true},
	{"another's, in the table", {.n_uni = 1, .uni = {{2, 0, 0, 0, 0, 2}}}, {2, 0, 0, 0, 0, 2}, 0, true},
	{"another's, table too long to keep", {.uni_overflow = true}, {2, 0, 0, 0, 0, 2}, 0, true},
	{"ours, no unicast", {.mac = MAC, .nouni = true}, MAC, 0, false},
	{"broadcast", {.mac = MAC}, ALL, 0, true},
	{"broadcast, none wanted", {.mac = MAC, .nobcast = true}, ALL, 0, false},
	{"group", {.mac = MAC}, GRP, 0, false},
	{"group in the table", {.n_multi = 1, .multi = {GRP}}, GRP, 0, true},
	{"group, all", {.allmulti = true}, GRP, 0, true},
	{"group, all but none", {.allmulti = true, .nomulti = true}, GRP, 0, false},
	{"VLAN 5, not known", {.mac = MAC, .vlan_on = true}, MAC, 5, false},
	{"VLAN 5, known", {.mac = MAC, .vlan_on = true, .vlan = {1 << 5}}, MAC, 5, true},
	{"VLAN 4095, known", {.mac = MAC, .vlan_on = true, .vlan = {[63] = 1ull << 63}}, MAC, 4095, true},
	{"VLAN 5, no filter", {.mac = MAC}, MAC, 5, true},
	{"untagged, VLAN filter", {.mac = MAC, .vlan_on = true}, MAC, 0, true},
};

static void test_rx_filter(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(filter_cases); i++) {
		const struct filter_case *c = &filter_cases[i];
		gpa_t addr[SIZE];
		struct drv_seg seg = {BUF_GPA, 1526, true};

		start(F(MRG_RXBUF));
		rig.q.filter = &c->f;
		addr[drv_add(&rig.rx, &seg, 1, false)] = seg.gpa;
		memset(rig.frame, 0, 100);
		memcpy(rig.frame + NET_HDR_LEN, c->dst, 6);
		if (c->vlan) {
			const uint8_t tag[4] = {0x81, 0, (uint8_t)(c->vlan >> 8), (uint8_t)c->vlan};

			memcpy(rig.frame + NET_HDR_LEN + 12, tag, 4);
		}
		assert_int_equal(send(rig.peer, rig.frame, 100, 0), 100);
		run();
		if (!!take_frame(addr, 1526) != c->pass)
			fail_msg("%s: should %s", c->what, c->pass ? "pass" : "not pass");
	}
}

/* Runs of frames raise one interrupt; a single frame, as in request and response, its own at once. */
static void test_rx_interrupts(void **state)
{
	(void)state;
	start(F(MRG_RXBUF));
	post_rx(SIZE, 1526, 1);
	for (unsigned i = 0; i < 10; i++)
		peer_send(100, i);
	run();
	for (unsigned i = 0; i < 10; i++)
		peer_send(100, i);
	rig.calls[0] = 0;
	run();
	assert_int_equal(rig.calls[0], 1);
	assert_int_equal(rig.rxs.descs, 20);
	assert_int_equal(rig.rxs.bytes, 2000);
}

static void send_lone(void)
{
	fill(rig.frame, NET_HDR_LEN + 60, 1);
	memset(rig.frame, 0, NET_HDR_LEN);
	send_cut(NET_HDR_LEN + 60, 1, 1, false);
	run();
}

/* To one request one answer comes: the read for another is left out if the owner tells of what is left. */
static void test_rx_lone_answer(void **state)
{
	(void)state;
	for (unsigned level = 0; level < 2; level++) {
		start(F(MRG_RXBUF));
		post_rx(SIZE, 1526, 1);
		rig.q.fd_level = level;
		run();
		rig.q.sent = 0;
		send_lone();
		peer_send(100, 1);
		peer_send(100, 2);
		run();
		assert_int_equal(rig.rxs.descs, level ? 1 : 2);
		assert_false(rig.q.fd_readable);
		rig.q.fd_readable = true;
		peer_send(100, 3); /* to no request */
		run();
		assert_int_equal(rig.rxs.descs, 3);
	}
	rig.q.fd_level = false;
}

/* As Linux does when it takes sent buffers back, on receiving or on sending: the event moves on. */
static void reap(uint16_t *event)
{
	uint16_t id;
	uint32_t len;

	while (drv_get(&rig.tx, &id, &len))
		(*event)++;
	rig.tx.avail->ring[SIZE] = *event;
}

/* What was sent is given back at once; its interrupt waits, and is not needed if the guest has looked. */
static void test_interrupt_is_held(void **state)
{
	uint16_t event = 0;

	(void)state;
	start(F_EVENT_IDX);
	rig.q.hold = true;
	send_lone();
	assert_true(rig.q.tx_held);
	assert_int_equal(rig.calls[1], 0);
	assert_int_equal(rig.tx.used->idx, 1);
	reap(&event);
	netq_flush(&rig.q);
	assert_int_equal(rig.calls[1], 0);
	assert_int_equal(rig.txs.suppressed, 1);

	send_lone(); /* and two that the guest does not look for: one interrupt */
	send_lone();
	assert_int_equal(rig.calls[1], 0);
	assert_int_equal(rig.tx.used->idx, 3);
	netq_flush(&rig.q);
	assert_int_equal(rig.calls[1], 1);
	reap(&event);

	send_lone(); /* a stopped queue leaves nothing behind */
	netq_stop(&rig.q, true);
	assert_int_equal(rig.calls[1], 2);
	rig.q.hold = false;
}

/* Nothing is held when the guest could wait: half of the ring, or few when it says itself how many. */
static void test_held_are_few(void **state)
{
	static const struct {
		uint64_t features;
		unsigned few;
	} cases[] = {{0, SIZE / 2}, {F_EVENT_IDX, 16}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		start(cases[i].features);
		rig.q.hold = true;
		for (unsigned n = 1; n < cases[i].few; n++)
			send_lone();
		assert_true(rig.q.tx_held);
		assert_int_equal(rig.calls[1], 0);
		send_lone();
		assert_false(rig.q.tx_held);
		assert_int_equal(rig.calls[1], 1);
		rig.q.hold = false;
	}
}

static void send_bulk(void)
{
	fill(rig.frame, NET_HDR_LEN + BULK, 1);
	memset(rig.frame, 0, NET_HDR_LEN);
	send_cut(NET_HDR_LEN + BULK, 1, 1, false);
}

/*
 * A sender of large frames may have two out and wait for the first: it is told of each, in the midst of a run
 * as well, and nothing of it is held. A small frame after it is.
 */
static void test_bulk_is_not_held(void **state)
{
	(void)state;
	start(F_EVENT_IDX);
	rig.q.hold = true;
	send_bulk();
	send_bulk();
	run();
	assert_int_equal(rig.tx.used->idx, 2);
	assert_int_equal(rig.calls[1], 1); /* the driver's event is the first */
	assert_int_equal(rig.txs.suppressed, 1);
	assert_false(rig.q.tx_held);
	send_lone();
	assert_true(rig.q.tx_held);
	rig.q.hold = false;
}

/* Frames either way, and a guest that is busy, begin the wait anew; it ends all the same. */
static void test_how_long_is_held(void **state)
{
	struct tx_hold h = {.ns = 500};

	(void)state;
	tx_hold_begin(&h, 10000);
	assert_int_equal(tx_hold_left(&h, 10000, true), 500);
	tx_hold_begin(&h, 10400);
	assert_int_equal(tx_hold_left(&h, 10400, false), 500);
	assert_int_equal(tx_hold_left(&h, 10899, false), 1);
	assert_int_equal(tx_hold_left(&h, 10900, false), 0);
	assert_int_equal(tx_hold_left(&h, 10900, true), 500);
	assert_int_equal(tx_hold_left(&h, 13800, true), 200);
	assert_int_equal(tx_hold_left(&h, 14000, true), 0);
	tx_hold_end(&h);
	tx_hold_begin(&h, 13900);
	assert_int_equal(tx_hold_left(&h, 14000, true), 400);
}

/* Kicks are asked for only when there is something to wait for. */
static void test_kick_suppression(void **state)
{
	(void)state;
	start(F(MRG_RXBUF));
	post_rx(1, 1526, 1);
	run();
	assert_int_equal(rig.rx.used->flags, VRING_USED_F_NO_NOTIFY); /* no frame waits for a buffer */
	assert_int_equal(rig.tx.used->flags, 0);
	peer_send(100, 1);
	peer_send(100, 2);
	run();
	assert_int_equal(rig.rx.used->flags, 0); /* now one does */
	post_rx(2, 1526, 1);
	run();
	assert_int_equal(rig.rx.used->flags, VRING_USED_F_NO_NOTIFY);
	assert_int_equal(rig.rxs.descs, 2);
}

/* Garbage in both rings, with traffic: it ends, and everything read or written lies in RAM (ASan watches). */
static void test_random_rings(void **state)
{
	unsigned seed = 99;

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		uint64_t features = layouts[(unsigned)rand_r(&seed) % ARRAY_SIZE(layouts)] |
				    (rand_r(&seed) & 1 ? F(MRG_RXBUF) : 0) | OFFLOADS;
		struct drv_ring *rings[] = {&rig.rx, &rig.tx};

		start_sized(features, 8);
		for (unsigned k = 0; k < 2; k++) {
			uint8_t *p = (void *)rings[k]->desc;

			for (unsigned i = 0; i < 128; i++)
				p[i] = (uint8_t)((i % 16 >= 3 && i % 16 < 8) || (i % 16 >= 10 && i % 16 < 12)
							 ? 0
							 : rand_r(&seed) >> 7);
			if (!rings[k]->packed) {
				for (unsigned i = 0; i < 8; i++)
					rings[k]->avail->ring[i] = (uint16_t)(rand_r(&seed) % 9);
				rings[k]->avail->idx = (uint16_t)(rand_r(&seed) % 10);
			}
		}
		for (unsigned i = 0; i < 3; i++)
			if (send(rig.peer, rig.frame, 40 + (unsigned)rand_r(&seed) % 3000, 0) < 0)
				break;
		for (unsigned i = 0; i < 20 && netq_run(&rig.q, 8, true) == 1; i++)
			;
		while (recv(rig.peer, rig.got, sizeof(rig.got), 0) > 0)
			;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tx_header_framing),
		cmocka_unit_test(test_tx_one_descriptor),
		cmocka_unit_test(test_tx_short_chains),
		cmocka_unit_test(test_tx_writable_chain),
		cmocka_unit_test(test_tx_many_segments),
		cmocka_unit_test(test_a_turn_of_transmit_is_short),
		cmocka_unit_test(test_tx_blocked),
		cmocka_unit_test(test_tx_headers),
		cmocka_unit_test(test_tx_random_headers),
		cmocka_unit_test(test_tx_headers_cannot_change_behind_the_check),
		cmocka_unit_test(test_tx_short_segmentation),
		cmocka_unit_test(test_rx_sizes),
		cmocka_unit_test(test_rx_waits_for_buffers),
		cmocka_unit_test(test_rx_too_small),
		cmocka_unit_test(test_rx_larger_than_ring),
		cmocka_unit_test(test_rx_bad_buffers),
		cmocka_unit_test(test_rx_stop_and_go_on),
		cmocka_unit_test(test_rx_filter),
		cmocka_unit_test(test_rx_interrupts),
		cmocka_unit_test(test_rx_lone_answer),
		cmocka_unit_test(test_interrupt_is_held),
		cmocka_unit_test(test_held_are_few),
		cmocka_unit_test(test_bulk_is_not_held),
		cmocka_unit_test(test_how_long_is_held),
		cmocka_unit_test(test_kick_suppression),
		cmocka_unit_test(test_random_rings),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
