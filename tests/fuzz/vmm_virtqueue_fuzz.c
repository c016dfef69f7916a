// SPDX-License-Identifier: MIT
/*
 * libFuzzer: a driver that lays whatever the input says over both rings of a queue pair, and kicks. Byte 0
 * chooses the features; the rest is pasted over the rings in pieces (where: 2 bytes, how long: 1 byte, the
 * bytes), with a run of the device after each. The "TAP" is /dev/zero: it takes all, and gives frames of
 * the longest kind.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/unit/drv_ring.h"
#include "vmm/devices/virtio_net/netq.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RAM   (1 * MIB)
#define SIZE  16
#define RX    0x1000
#define TX    0x3000
#define RINGS 0x4000 /* bytes from RX that the input can reach */

static struct gmem *gm;
static struct netq q;
static struct net_filter filter;
static struct stats_queue rx_stats, tx_stats;

static void on_call(void *arg, bool tx)
{
	(void)arg;
	(void)tx;
}

static void set_up(void)
{
	if (gm)
		return;
	log_init("fuzz", LOG_ERROR);
	q.fd = open("/dev/zero", O_RDWR | O_NONBLOCK);
	q.rx_stats = &rx_stats;
	q.tx_stats = &tx_stats;
	q.call = on_call;
	if (gmem_create(&gm, RAM) || netq_init(&q) || q.fd < 0)
		abort();
}

static uint64_t features_of(uint8_t b)
{
	return (b & 1 ? F_PACKED : 0) | (b & 2 ? F_INDIRECT : 0) | (b & 4 ? F_EVENT_IDX : 0) |
	       (b & 8 ? F_IN_ORDER : 0) | (b & 16 ? 1ull << VIRTIO_NET_F_MRG_RXBUF : 0) |
	       (b & 32 ? 1ull << VIRTIO_NET_F_CSUM | 1ull << VIRTIO_NET_F_HOST_TSO4 |
				 1ull << VIRTIO_NET_F_HOST_TSO6
		       : 0);
}

static struct virtq_layout layout(gpa_t at)
{
	return (struct virtq_layout){SIZE, at, at + 0x400, at + 0x800};
}

static void serve(void)
{
	q.fd_readable = true;
	q.fd_blocked = false;
	for (unsigned i = 0; i < 4 && netq_run(&q, 8, true) > 0; i++)
		;
	/* The owner stops what is broken. */
	if (q.rx_on && q.rx.broken)
		netq_stop(&q, false);
	if (q.tx_on && q.tx.broken)
		netq_stop(&q, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct virtq_layout rx = layout(RX), tx = layout(TX);

	set_up();
	if (!size)
		return 0;
	q.features = features_of(data[0]);
	q.filter = data[0] & 64 ? &filter : NULL;
	memset(gmem_ptr(gm, RX, RINGS), 0, RINGS);
	if (netq_start(&q, false, gm, &rx, virtq_base_new(q.features)) ||
	    netq_start(&q, true, gm, &tx, virtq_base_new(q.features)))
		abort();
	for (data++, size--; size > 3;) {
		unsigned at = (data[0] | (unsigned)data[1] << 8) % RINGS,
			 len = MIN((size_t)data[2], size - 3);

		len = MIN(len, RINGS - at);
		gmem_write(gm, RX + at, data + 3, len);
		data += 3 + len;
		size -= 3 + len;
		serve();
	}
	netq_stop(&q, false);
	netq_stop(&q, true);
	return 0;
}
