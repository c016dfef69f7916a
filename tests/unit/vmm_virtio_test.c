// SPDX-License-Identifier: MIT
/*
 * The PCI transport and the front half of virtio-net on a machine without KVM: what a driver may write
 * when, kicks, interrupts, the configuration window, and the control queue. The backend is a recorder.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_console.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ids.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "tests/unit/drv_virtio.h"
#include "tests/unit/fake.h"
#include "tests/unit/held_fd.h"
#include "vmm/devices.h"
#include "vmm/devices/virtio_net/net.h"

#define F(name) (1ull << VIRTIO_NET_F_##name)
#define RRESET	(1ull << VIRTIO_F_RING_RESET)

/* ---- a backend that records ---- */

static struct {
	unsigned starts, stops, ring_starts, ring_stops, pairs, filters;
	int fail_start;
	uint64_t features, offloads;
	struct net_filter filter;
	struct net_backend *be;
	struct served_ring rings[NET_RINGS_MAX];
} rec;

static int rec_open(struct net_backend *be, const struct dev_opts *opts)
{
	(void)opts;
	memset(&rec, 0, sizeof(rec));
	rec.be = be;
	be->features = NET_BACKEND_FEATURES;
	be->mtu = 1500;
	return 0;
}

static void rec_close(struct net_backend *be)
{
	(void)be;
}

static int rec_start(struct net_backend *be, uint64_t features, unsigned n)
{
	rec.starts++;
	rec.features = features;
	memcpy(rec.rings, be->rings, n * sizeof(be->rings[0]));
	return rec.fail_start;
}

static void rec_stop(struct net_backend *be)
{
	(void)be;
	rec.stops++;
}

static int rec_ring_start(struct net_backend *be, unsigned r)
{
	rec.ring_starts++;
	rec.rings[r] = be->rings[r];
	return 0;
}

static void rec_ring_stop(struct net_backend *be, unsigned r)
{
	(void)be;
	(void)r;
	rec.ring_stops++;
}

static int rec_set_pairs(struct net_backend *be, unsigned pairs)
{
	(void)be;
	rec.pairs = pairs;
	return 0;
}

static int rec_set_offloads(struct net_backend *be, uint64_t offloads)
{
	(void)be;
	rec.offloads = offloads;
	return 0;
}

static void rec_set_filter(struct net_backend *be, const struct net_filter *f)
{
	(void)be;
	rec.filters++;
	rec.filter = *f;
}

static const struct net_backend_ops recorder = {
	.name = "recorder",
	.open = rec_open,
	.close = rec_close,
	.start = rec_start,
	.stop = rec_stop,
	.ring_start = rec_ring_start,
	.ring_stop = rec_ring_stop,
	.set_pairs = rec_set_pairs,
	.set_offloads = rec_set_offloads,
	.set_filter = rec_set_filter,
};

/* ---- a driver: drv_virtio.h ---- */

static void attach(const char *opts)
{
	vm = fake_vm_create(32 * MIB);
	assert_non_null(vm);
	vnet_backends[3] = &recorder;
	dev = fake_attach(vm, &virtio_net_ops, opts);
	assert_non_null(dev);
}

static int setup(void **state)
{
	(void)state;
	log_init("test", LOG_ERROR);
	attach("mode=recorder,queues=2");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (vm)
		fake_vm_destroy(vm);
	vm = NULL;
	return 0;
}

static void reattach(const char *opts)
{
	fake_vm_destroy(vm);
	attach(opts);
}

/* ---- features and status ---- */

static void test_features_ok(void **state)
{
	static const struct {
		uint64_t f;
		bool ok;
	} t[] = {
		{V1, true},
		{0, false},
		{V1 | F(CSUM) | F(HOST_TSO4), true},
		{V1 | F(HOST_TSO4), false},
		{V1 | F(GUEST_TSO6), false},
		{V1 | F(GUEST_CSUM) | F(GUEST_TSO6), true},
		{V1 | F(HOST_ECN) | F(CSUM), false},
		{V1 | F(MQ), false},
		{V1 | F(MQ) | F(CTRL_VQ), true},
		{V1 | F(CTRL_VQ) | F(CTRL_RX_EXTRA), false},
		{V1 | 1ull << 63, false},
		{V1 | 1ull << 24, false},
	};

	(void)state;
	assert_true(offered() & V1);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(negotiate(t[i].f), t[i].ok);
	wr(VIRTIO_PCI_COMMON_DFSELECT, 4, 2);
	assert_int_equal(rd(VIRTIO_PCI_COMMON_DF, 4), 0);
}

static void test_features_frozen(void **state)
{
	(void)state;
	assert_true(negotiate(V1 | F(CSUM)));
	wr(VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
	wr(VIRTIO_PCI_COMMON_GF, 4, 0xffffffff);
	assert_int_equal(rd(VIRTIO_PCI_COMMON_GF, 4), F(CSUM));
}

static void test_driver_ok_needs_features_ok(void **state)
{
	(void)state;
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	wr(VIRTIO_PCI_COMMON_STATUS, 1,
	   VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_DRIVER_OK);
	assert_int_equal(get_status(), VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	assert_int_equal(rec.starts, 0);
}

static void test_status_bits_stay(void **state)
{
	(void)state;
	bring_up(0, 2);
	wr(VIRTIO_PCI_COMMON_STATUS, 1, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	assert_int_equal(get_status(), 0xf);
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0xff);
	assert_int_equal(get_status(), 0x8f); /* NEEDS_RESET is not the driver's to set */
	assert_int_equal(rec.starts, 1);
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	assert_int_equal(get_status(), 0);
	assert_int_equal(rec.stops, 1);
}

/* Each knob takes its bits out of the offer, and with them whatever needs them. */
static void test_knobs(void **state)
{
	static const struct {
		const char *opt;
		uint64_t gone, there;
	} t[] = {
		{"event_idx=off", F_EVENT_IDX, F_INDIRECT},
		{"indirect=off", F_INDIRECT, F_EVENT_IDX},
		{"ring=split", F_PACKED, V1},
		{"ring=packed", 0, F_PACKED},
		{"in_order=on", 0, F_IN_ORDER},
		{"in_order=off", F_IN_ORDER, V1},
		{"offload=off",
		 F(CSUM) | F(HOST_TSO4) | F(GUEST_TSO4) | F(GUEST_CSUM) | 1ull << NET_F_HOST_USO,
		 F(MRG_RXBUF)},
		{"csum=off", F(CSUM) | F(HOST_TSO4) | F(HOST_TSO6) | F(HOST_ECN), F(GUEST_CSUM)},
		{"tso4=off", F(HOST_TSO4), F(HOST_TSO6)},
		{"mrg_rxbuf=off", F(MRG_RXBUF), F(CSUM)},
		{"ctrl_vq=off", F(CTRL_VQ) | F(MQ) | F(CTRL_RX) | F(GUEST_ANNOUNCE), F(STATUS)},
		{"mq=off", F(MQ), F(CTRL_VQ)},
		{"status=off", F(STATUS) | F(GUEST_ANNOUNCE), F(CTRL_VQ)},
		{"queues=1", F(MQ), F(CTRL_VQ)},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		char opts[96];

		snprintf(opts, sizeof(opts), "mode=recorder%s,%s",
			 strstr(t[i].opt, "queues") ? "" : ",queues=2", t[i].opt);
		reattach(opts);
		assert_int_equal(offered() & t[i].gone, 0);
		assert_int_equal(offered() & t[i].there, t[i].there);
	}
}

static void test_bad_options(void **state)
{
	static const char *const bad[] = {
		"mode=recorder,queues=17",
		"mode=recorder,queues=0",
		"mode=recorder,irq=msi",
		"mode=recorder,size=100",
		"mode=recorder,mac=1:2:3",
		"mode=recorder,mac=52:54:00:00:00:09",
		"mode=recorder,mac=01:00:00:00:00:01",
		"mode=recorder,event_idx=perhaps",
		"mode=none",
		"mode=recorder,frobnicate=1",
		"mode=recorder,ioeventfd=2",
	};

	(void)state;
	reattach("mode=recorder,mac=52:54:00:00:00:09");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (fake_attach(vm, &virtio_net_ops, bad[i]))
			fail_msg("%s was taken", bad[i]);
}

/* ---- queue registers: class 7 ---- */

static void test_queue_registers_after_enable(void **state)
{
	static const struct {
		unsigned off, len;
		uint64_t val;
	} w[] = {
		{VIRTIO_PCI_COMMON_Q_SIZE, 2, 8},
		{VIRTIO_PCI_COMMON_Q_DESCLO, 4, 0xdead0000},
		{VIRTIO_PCI_COMMON_Q_DESCHI, 4, 0xdead},
		{VIRTIO_PCI_COMMON_Q_AVAILLO, 4, 0xdead0000},
		{VIRTIO_PCI_COMMON_Q_AVAILHI, 4, 0xdead},
		{VIRTIO_PCI_COMMON_Q_USEDLO, 4, 0xdead0000},
		{VIRTIO_PCI_COMMON_Q_USEDHI, 4, 0xdead},
		{VIRTIO_PCI_COMMON_Q_DESCLO, 8, 0xdeaddeaddeadd000},
		{VIRTIO_PCI_COMMON_Q_ENABLE, 2, 0},
	};

	(void)state;
	for (int running = 0; running < 2; running++) {
		assert_true(negotiate(V1));
		set_queue(0, 64, 0);
		set_queue(1, 64, 0);
		if (running)
			add_status(VIRTIO_CONFIG_S_DRIVER_OK);
		wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
		for (size_t i = 0; i < ARRAY_SIZE(w); i++)
			wr(w[i].off, w[i].len, w[i].val);
		assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_SIZE, 2), 64);
		assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 1);
		assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_DESCLO, 8), ring[1].l.desc);
		assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_AVAILLO, 4), ring[1].l.driver);
		assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_USEDLO, 4), ring[1].l.device);
	}
	/* A queue that was not set up in time stays as it is. */
	wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, 2);
	wr(VIRTIO_PCI_COMMON_Q_SIZE, 2, 8);
	wr(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
	assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_SIZE, 2), 256);
	/* A running queue keeps its vector. */
	wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
	wr(VIRTIO_PCI_COMMON_Q_MSIX, 2, 3);
	assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_MSIX, 2), 1);
}

static void test_queue_size_rules(void **state)
{
	static const struct {
		uint64_t features;
		unsigned size;
		unsigned expect;
	} t[] = {
		{V1, 0, 256},	{V1, 512, 256},	  {V1, 100, 256},
		{V1, 128, 128}, {V1, 65535, 256}, {V1 | F_PACKED, 100, 100},
	};

	(void)state;
	reattach("mode=recorder,ring=packed");
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		assert_true(negotiate(t[i].features));
		wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
		wr(VIRTIO_PCI_COMMON_Q_SIZE, 2, t[i].size);
		assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_SIZE, 2), t[i].expect);
	}
}

static void test_enable_needs_features_ok(void **state)
{
	(void)state;
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
	wr(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
}

static void test_queue_select_out_of_range(void **state)
{
	(void)state;
	assert_true(negotiate(V1));
	for (unsigned q = 5; q < 65536; q += q < 64 ? 1 : 997) {
		wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, q);
		for (unsigned off = VIRTIO_PCI_COMMON_Q_SIZE; off < 64; off += 2)
			wr(off, 2, 1);
		assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_SIZE, 2), 0);
		assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
	}
}

/* Every register, width and a few values in every status: whatever it means, the device lives. */
static void test_every_write_in_every_status(void **state)
{
	static const uint8_t statuses[] = {0, 1, 3, 11, 15, 0x8f};
	static const uint64_t values[] = {0,	  1,	    2,		4,	   0xff,
					  0xffff, 0x100000, 0xfee00000, UINT64_MAX};

	(void)state;
	for (size_t s = 0; s < ARRAY_SIZE(statuses); s++)
		for (unsigned off = 0; off < 72; off++)
			for (unsigned len = 1; len <= 8; len *= 2)
				for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
					if (statuses[s] >= 11)
						bring_up(0, 2);
					else
						wr(VIRTIO_PCI_COMMON_STATUS, 1, statuses[s]);
					wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, v % 6);
					wr(off, len, values[v]);
					rd(off, len);
					wr(VIRTIO_PCI_COMMON_STATUS, 1, 15);
				}
	assert_true(rec.starts - rec.stops <= 1);
}

static void test_queue_reset(void **state)
{
	(void)state;
	bring_up(RRESET, 2);
	wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
	wr(RESET_REG, 2, 1);
	assert_int_equal(rec.ring_stops, 1);
	assert_int_equal(rd(RESET_REG, 2), 0);
	assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
	assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_SIZE, 2), 256);
	set_queue(0, 32, 0);
	assert_int_equal(rec.ring_starts, 1);
	assert_int_equal(rec.rings[0].layout.size, 32);
	assert_true(rec.rings[0].ready);
	wr(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1); /* once is enough */
	assert_int_equal(rec.ring_starts, 1);
	bring_up(0, 2); /* not negotiated: nothing happens */
	wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
	wr(RESET_REG, 2, 1);
	assert_int_equal(rec.ring_stops, 1);
	assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 1);
}

/*
 * Rings outside RAM or on a BAR: class 4. The recorder takes any; the real backend's answer is
 * ring_broken.
 */
static void test_broken_ring_needs_reset(void **state)
{
	(void)state;
	fake_msix_on(dev, 6);
	bring_up(0, 2);
	wr(VIRTIO_PCI_COMMON_MSIX, 2, 5);
	rec.be->front_ops->ring_broken(rec.be->front, 0);
	assert_int_equal(get_status(), 0x4f);
	assert_int_equal(fake_of(vm)->n_msi, 1);
	assert_int_equal(fake_of(vm)->msi[0].data, 0x4005);
	rec.be->front_ops->ring_broken(rec.be->front, 1); /* told once */
	assert_int_equal(fake_of(vm)->n_msi, 1);
	bring_up(0, 2);
	assert_int_equal(get_status(), 0x0f);
}

static void test_failed_start_needs_reset(void **state)
{
	(void)state;
	rec.fail_start = -EIO;
	bring_up(0, 2);
	assert_int_equal(get_status(), 0x4f);
	rec.fail_start = 0;
	bring_up(0, 2);
	assert_int_equal(get_status(), 0x0f);
}

/* ---- notifications and interrupts ---- */

static uint64_t kicks(unsigned q)
{
	struct vnet *net = dev->priv;
	uint64_t n = 0;

	return read(net->vd.q[q].kick_fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void test_kicks(void **state)
{
	(void)state;
	wr(NOTIFY, 2, 0);
	assert_int_equal(kicks(0), 0); /* nobody there yet */
	bring_up(0, 2);
	wr(NOTIFY, 2, 0);
	wr(NOTIFY + 4, 2, 1);
	fake_write(dev, 0, 4, 2, 1); /* the same through ports */
	assert_int_equal(kicks(0), 1);
	assert_int_equal(kicks(1), 2);
	wr(NOTIFY + 8, 2, 2); /* not enabled */
	for (unsigned off = 20; off < 0x1000; off += 4)
		wr(NOTIFY + off, 2, off);
	for (unsigned q = 0; q < 5; q++)
		assert_int_equal(kicks(q), 0);
}

static void test_ioeventfds(void **state)
{
	(void)state;
	bring_up(0, 2);
	assert_int_equal(fake_of(vm)->n_ioeventfd, 4); /* ports and memory for each */
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	assert_int_equal(fake_of(vm)->n_ioeventfd, 0);
	bring_up(RRESET, 2);
	wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
	wr(RESET_REG, 2, 1);
	assert_int_equal(fake_of(vm)->n_ioeventfd, 2);
	reattach("mode=recorder,ioeventfd=off");
	bring_up(0, 2);
	assert_int_equal(fake_of(vm)->n_ioeventfd, 0);
	wr(NOTIFY, 2, 0);
	assert_int_equal(kicks(0), 1);
	/* The control queue is served on the spot and has none. */
	reattach("mode=recorder");
	bring_up(F(CTRL_VQ), 3);
	assert_int_equal(fake_of(vm)->n_ioeventfd, 4);
}

static void test_intx(void **state)
{
	struct fake *f = fake_of(vm);
	bool up = false;

	(void)state;
	bring_up(0, 2);
	rec.be->front_ops->call(rec.be->front, 0);
	for (unsigned i = 0; i < 24; i++)
		up |= f->line[i];
	assert_true(up);
	assert_int_equal(f->n_line_changes, 1);
	rec.be->front_ops->call(rec.be->front, 1); /* still up: nothing to do */
	assert_int_equal(f->n_line_changes, 1);
	assert_int_equal(rd(ISR, 1), 1);
	assert_int_equal(f->n_line_changes, 2);
	assert_int_equal(rd(ISR, 1), 0); /* reading clears */
	rec.be->front_ops->link(rec.be->front, false);
	assert_int_equal(rd(ISR, 1), 2);
	rec.be->front_ops->call(rec.be->front, 0);
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0); /* reset lowers the line */
	assert_int_equal(rd(ISR, 1), 0);
	for (unsigned i = 0; i < 24; i++)
		assert_false(f->line[i]);
}

static void test_msix(void **state)
{
	uint64_t n;

	(void)state;
	fake_msix_on(dev, 6);
	bring_up(0, 2);
	assert_int_equal(fake_of(vm)->n_irqfd, 2); /* the backend was given irqfds */
	rec.be->front_ops->call(rec.be->front, 1);
	assert_int_equal(read(rec.rings[1].call_fd, &n, sizeof(n)), 8);
	assert_int_equal(n, 1);
	assert_int_equal(fake_of(vm)->n_line_changes, 0);
	assert_int_equal(rd(ISR, 1), 0); /* 4.1.4.5: untouched with MSI-X */
	wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, 3);
	wr(VIRTIO_PCI_COMMON_Q_MSIX, 2, 6); /* beyond the table */
	assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_MSIX, 2), VIRTIO_NO_VECTOR);
	wr(VIRTIO_PCI_COMMON_MSIX, 2, 4096);
	assert_int_equal(rd(VIRTIO_PCI_COMMON_MSIX, 2), VIRTIO_NO_VECTOR);
}

/* Class 19: a vhost-user back-end holds kick and call as well. */
static void test_eventfds_held_by_others(void **state)
{
	(void)state;
	fake_msix_on(dev, 6);
	bring_up(0, 2);
	held_full(rec.rings[1].call_fd);
	rec.be->front_ops->call(rec.be->front, 1);
	held_full(rec.rings[1].kick_fd);
	wr(NOTIFY + 4, 2, 1);
	held_empty(rec.rings[1].call_fd);
	held_empty(rec.rings[1].kick_fd);
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	bring_up(0, 2);
}

static void test_no_vector(void **state)
{
	(void)state;
	fake_msix_on(dev, 6);
	assert_true(negotiate(V1));
	set_queue(0, 64, 0);
	wr(VIRTIO_PCI_COMMON_Q_MSIX, 2, VIRTIO_NO_VECTOR);
	add_status(VIRTIO_CONFIG_S_DRIVER_OK);
	rec.be->front_ops->call(rec.be->front, 0);
	rec.be->front_ops->link(rec.be->front, false);
	assert_int_equal(fake_of(vm)->n_msi, 0);
	assert_int_equal(fake_of(vm)->n_line_changes, 0);
}

/* ---- configuration ---- */

static void test_device_config(void **state)
{
	uint8_t gen = (uint8_t)rd(VIRTIO_PCI_COMMON_CFGGENERATION, 1);

	(void)state;
	assert_int_equal(rd(DEVCFG, 1), 0x52);
	assert_int_equal(rd(DEVCFG + 6, 2), VIRTIO_NET_S_LINK_UP);
	assert_int_equal(rd(DEVCFG + 8, 2), 2);	    /* pairs */
	assert_int_equal(rd(DEVCFG + 10, 2), 1500); /* MTU */
	assert_int_equal(rd(DEVCFG + 12, 4), 0);    /* behind the end */
	assert_int_equal(rd(DEVCFG + 0xff8, 8), 0);
	wr(DEVCFG, 1, 0); /* read-only */
	assert_int_equal(rd(DEVCFG, 1), 0x52);
	bring_up(F(STATUS), 2);
	rec.be->front_ops->link(rec.be->front, false);
	assert_int_equal(rd(DEVCFG + 6, 2), 0);
	assert_int_not_equal(rd(VIRTIO_PCI_COMMON_CFGGENERATION, 1), gen);
}

static unsigned find_cap(uint8_t type, unsigned nth)
{
	for (unsigned at = dev->cfg[PCI_CAPABILITY_LIST]; at; at = dev->cfg[at + 1])
		if (dev->cfg[at] == PCI_CAP_ID_VNDR && dev->cfg[at + 3] == type && !nth--)
			return at;
	return 0;
}

static void test_pci_cfg_window(void **state)
{
	unsigned at = find_cap(VIRTIO_PCI_CAP_PCI_CFG, 0);

	(void)state;
	assert_true(at);
	pci_cfg_write(dev, at + 4, 1, BAR);
	pci_cfg_write(dev, at + 8, 4, DEVCFG);
	pci_cfg_write(dev, at + 12, 4, 2);
	assert_int_equal(pci_cfg_read(dev, at + 16, 2), 0x5452);
	pci_cfg_write(dev, at + 8, 4, VIRTIO_PCI_COMMON_Q_SELECT);
	pci_cfg_write(dev, at + 16, 2, 1);
	assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_SELECT, 2), 1);
	/* Places that are not there read as 0 and take nothing. */
	for (unsigned bar = 0; bar < 256; bar++)
		for (unsigned len = 0; len < 9; len++) {
			pci_cfg_write(dev, at + 4, 1, bar);
			pci_cfg_write(dev, at + 12, 4, len);
			pci_cfg_write(dev, at + 8, 4, bar == BAR ? 0xfffffffe : 0x7fffffff);
			assert_int_equal(pci_cfg_read(dev, at + 16, 4), 0);
			pci_cfg_write(dev, at + 16, 4, 0xffffffff);
		}
}

static void test_capabilities(void **state)
{
	(void)state;
	assert_true(find_cap(VIRTIO_PCI_CAP_COMMON_CFG, 0));
	assert_true(find_cap(VIRTIO_PCI_CAP_ISR_CFG, 0));
	assert_true(find_cap(VIRTIO_PCI_CAP_DEVICE_CFG, 0));
	assert_int_equal(dev->cfg[find_cap(VIRTIO_PCI_CAP_NOTIFY_CFG, 0) + 4], 0); /* ports first */
	assert_int_equal(dev->cfg[find_cap(VIRTIO_PCI_CAP_NOTIFY_CFG, 1) + 4], BAR);
	reattach("mode=recorder,notify=mmio,irq=intx");
	assert_int_equal(dev->cfg[find_cap(VIRTIO_PCI_CAP_NOTIFY_CFG, 0) + 4], BAR);
	assert_int_equal(find_cap(VIRTIO_PCI_CAP_NOTIFY_CFG, 1), 0);
	assert_int_equal(dev->msix_cap, 0);
}

/* ---- what holds of every device on this transport ---- */

static const struct device_case {
	const struct pci_ops *ops;
	const char *opts;
	unsigned id, queues;
} every_device[] = {
	{&virtio_net_ops, "mode=recorder,queues=2", VIRTIO_ID_NET, 5},
	{&virtio_net_ops, "mode=recorder,notify=mmio", VIRTIO_ID_NET, 3},
	{&virtio_rng_ops, "", VIRTIO_ID_RNG, 1},
	{&virtio_console_ops, "", VIRTIO_ID_CONSOLE, 2},
};

static void attach_case(const struct device_case *c)
{
	fake_vm_destroy(vm);
	vm = fake_vm_create(32 * MIB);
	dev = fake_attach(vm, c->ops, c->opts);
	assert_non_null(dev);
}

static uint32_t cfg32(unsigned at)
{
	return pci_cfg_read(dev, at, 4);
}

/* 4.1.4.4: offset, multiplier and length of a notification capability, for queues as many as there are. */
static void check_notify(unsigned at, unsigned queues)
{
	uint32_t offset = cfg32(at + 8), len = cfg32(at + 12), multiplier = cfg32(at + 16);

	assert_int_equal(dev->cfg[at + 2], 20);
	assert_int_equal(offset % 2, 0);
	assert_true(!multiplier || (!(multiplier & (multiplier - 1)) && multiplier % 2 == 0));
	for (unsigned q = 0; q < queues; q++) {
		wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, q);
		assert_true(rd(VIRTIO_PCI_COMMON_Q_NOFF, 2) * multiplier + 2 <= len);
	}
}

static void test_identity_and_layout(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(every_device); i++) {
		const struct device_case *c = &every_device[i];

		attach_case(c);
		assert_int_equal(pci_cfg_read(dev, PCI_VENDOR_ID, 2), 0x1af4);
		assert_int_equal(pci_cfg_read(dev, PCI_DEVICE_ID, 2), 0x1040 + c->id);
		assert_true(offered() & V1);
		assert_int_equal(offered() & (1ull << 37 | 1ull << 41), 0); /* SR_IOV, ADMIN_VQ */
		for (unsigned type = VIRTIO_PCI_CAP_COMMON_CFG; type <= VIRTIO_PCI_CAP_PCI_CFG; type++) {
			unsigned at = find_cap((uint8_t)type, 0);

			assert_true(at);
			for (unsigned n = 0; (at = find_cap((uint8_t)type, n)); n++) {
				assert_true(dev->cfg[at + 2] >= 16 && dev->cfg[at + 4] < 6);
				if (type == VIRTIO_PCI_CAP_NOTIFY_CFG)
					check_notify(at, c->queues);
				else if (type != VIRTIO_PCI_CAP_PCI_CFG)
					assert_int_equal(cfg32(at + 8) % 4, 0);
			}
		}
		assert_int_equal((pci_cfg_read(dev, dev->msix_cap + 2, 2) & 0x7ff) + 1, dev->n_vectors);
		wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, c->queues);
		assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_SIZE, 2), 0);
	}
}

/* 4.1.5.1.2: any event to any vector, and to none. */
static void test_every_event_to_every_vector(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(every_device); i++) {
		unsigned regs[] = {VIRTIO_PCI_COMMON_MSIX, VIRTIO_PCI_COMMON_Q_MSIX};

		attach_case(&every_device[i]);
		assert_true(negotiate(V1));
		for (unsigned q = 0; q < every_device[i].queues; q++)
			for (unsigned v = 0; v < 2 * dev->n_vectors; v++) {
				wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, q);
				wr(regs[v & 1], 2, v / 2);
				assert_int_equal(rd(regs[v & 1], 2), v / 2);
				wr(regs[v & 1], 2, VIRTIO_NO_VECTOR);
				assert_int_equal(rd(regs[v & 1], 2), VIRTIO_NO_VECTOR);
			}
	}
}

/* 2.4, 4.1.4.3.1, 4.1.5.1.2.1: a reset leaves nothing of what the driver has set up. */
static void test_reset_leaves_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(every_device); i++) {
		const struct device_case *c = &every_device[i];
		uint16_t size[8];

		attach_case(c);
		for (unsigned q = 0; q < c->queues; q++) {
			wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, q);
			size[q] = (uint16_t)rd(VIRTIO_PCI_COMMON_Q_SIZE, 2);
			assert_true(size[q] && !(size[q] & (size[q] - 1)));
		}
		fake_msix_on(dev, dev->n_vectors);
		bring_up(RRESET, c->queues);
		wr(VIRTIO_PCI_COMMON_MSIX, 2, 0);
		wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
		assert_int_equal(get_status(), 0);
		assert_int_equal(rd(VIRTIO_PCI_COMMON_MSIX, 2), VIRTIO_NO_VECTOR);
		assert_int_equal(fake_of(vm)->n_ioeventfd, 0);
		for (unsigned q = 0; q < c->queues; q++) {
			wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, q);
			assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
			assert_int_equal(rd(RESET_REG, 2), 0);
			assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_MSIX, 2), VIRTIO_NO_VECTOR);
			assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_SIZE, 2), size[q]);
		}
		assert_int_equal(fake_of(vm)->n_msi, 0);
	}
}

/* 2.2.1: whatever is switched off takes along what needs it; any subset that is whole is taken. */
static void test_offers_are_whole(void **state)
{
	static const char *const knobs[] = {"csum",	 "guest_csum", "tso4",	     "tso6",	  "ecn",
					    "uso",	 "guest_tso4", "guest_tso6", "guest_uso", "mrg_rxbuf",
					    "status",	 "mtu",	       "announce",   "ctrl_vq",	  "ctrl_rx",
					    "ctrl_vlan", "ctrl_mac",   "mq",	     "offload"};
	static const struct {
		uint64_t of, need;
	} rule[] = {
		{F(HOST_TSO4), F(CSUM)}, {F(HOST_TSO6), F(CSUM)}, {1ull << NET_F_HOST_USO, F(CSUM)},
		{F(HOST_ECN), F(HOST_TSO4) | F(HOST_TSO6)}, {F(GUEST_TSO4), F(GUEST_CSUM)},
		{F(GUEST_TSO6), F(GUEST_CSUM)}, {F(GUEST_ECN), F(GUEST_TSO4) | F(GUEST_TSO6)},
		{F(CTRL_RX), F(CTRL_VQ)}, {F(CTRL_VLAN), F(CTRL_VQ)}, {F(GUEST_ANNOUNCE), F(CTRL_VQ)},
		{F(MQ), F(CTRL_VQ)}, {F(CTRL_MAC_ADDR), F(CTRL_VQ)}, {F(CTRL_GUEST_OFFLOADS), F(CTRL_VQ)},
	};

	(void)state;
	for (size_t a = 0; a < ARRAY_SIZE(knobs); a++)
		for (size_t b = a; b < ARRAY_SIZE(knobs); b++) {
			char opts[96];

			snprintf(opts, sizeof(opts), "mode=recorder,queues=2,%s=off%s%s%s", knobs[a],
				 text_if(a != b, ","), text_if(a != b, knobs[b]), text_if(a != b, "=off"));
			reattach(opts);
			for (size_t i = 0; i < ARRAY_SIZE(rule); i++)
				if (offered() & rule[i].of)
					assert_true(offered() & rule[i].need);
			assert_true(negotiate(offered()));
		}
}

/* 5.3.5.1: before anything is set up. */
static void test_console_emergency_write(void **state)
{
	char opts[32], got;
	int sock[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	snprintf(opts, sizeof(opts), "out=fd=%d", sock[1]);
	attach_case(&(struct device_case){&virtio_console_ops, opts, VIRTIO_ID_CONSOLE, 2});
	wr(DEVCFG + offsetof(struct virtio_console_config, emerg_wr), 4, '!');
	assert_int_equal(recv(sock[0], &got, 1, 0), 1);
	assert_int_equal(got, '!');
	close(sock[0]);
	close(sock[1]);
}

/* ---- the control queue: class 11 ---- */

#define CTRL_ALL                                                                                   \
	(F(CTRL_VQ) | F(CTRL_RX) | F(CTRL_RX_EXTRA) | F(CTRL_VLAN) | F(CTRL_MAC_ADDR) | F(MQ) |    \
	 F(STATUS) | F(GUEST_ANNOUNCE) | F(CTRL_GUEST_OFFLOADS) | F(GUEST_CSUM) | F(GUEST_TSO4))

/* The answer, or 0xff when there was none. */
static uint8_t ctrl_sized(uint8_t class, uint8_t cmd, const void *data, size_t len,
			  unsigned out_segs)
{
	struct drv_ring *d = &ring[4];
	struct drv_seg seg[8];
	uint8_t ack = 0xff, hdr[2] = {class, cmd};
	unsigned n = 0;
	uint32_t used;
	uint16_t id;

	gmem_write(dev->gm, BUF_GPA, hdr, 2);
	gmem_write(dev->gm, BUF_GPA + 2, data, len);
	gmem_write(dev->gm, BUF_GPA + 0x10000, &ack, 1);
	len += 2;
	for (unsigned i = 0; i < out_segs && len; i++) {
		uint32_t part = (uint32_t)(i + 1 == out_segs ? len : 1);

		seg[n] = (struct drv_seg){BUF_GPA + n, part, false};
		n++;
		len -= part;
	}
	seg[n++] = (struct drv_seg){BUF_GPA + 0x10000, 1, true};
	drv_add(d, seg, n, false);
	wr(NOTIFY + 4 * 4, 2, 4);
	if (drv_get(d, &id, &used))
		assert_int_equal(used, 1);
	gmem_read(dev->gm, BUF_GPA + 0x10000, &ack, 1);
	return ack;
}

static uint8_t ctrl(uint8_t class, uint8_t cmd, const void *data, size_t len)
{
	return ctrl_sized(class, cmd, data, len, 1);
}

/* A driver's address ends with it: the next one, or the firmware, finds the device's own. */
static void test_reset_forgets_the_drivers_mac(void **state)
{
	static const uint8_t mac[6] = {2, 1, 2, 3, 4, 5};
	uint64_t own, now;

	(void)state;
	own = rd(DEVCFG, 4) | rd(DEVCFG + 4, 2) << 32;
	bring_up(F(CTRL_VQ) | F(CTRL_MAC_ADDR) | F(MQ), 5);
	assert_int_equal(ctrl(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6), VIRTIO_NET_OK);
	now = rd(DEVCFG, 4) | rd(DEVCFG + 4, 2) << 32;
	assert_memory_equal(&now, mac, 6);
	assert_memory_equal(rec.filter.mac, mac, 6);
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	assert_true((rd(DEVCFG, 4) | rd(DEVCFG + 4, 2) << 32) == own);
	bring_up(F(CTRL_VQ), 3);
	assert_memory_equal(rec.filter.mac, &own, 6);
}

static void test_ctrl_commands(void **state)
{
	static const uint8_t on = 1, mac[6] = {2, 1, 2, 3, 4, 5};
	uint16_t v = 2, id = 4095;
	uint64_t offloads = F(GUEST_CSUM);

	(void)state;
	bring_up(CTRL_ALL, 5);
	assert_true(rec.filter.promisc);
	assert_int_equal(ctrl(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, "", 1),
			 VIRTIO_NET_OK);
	assert_false(rec.filter.promisc);
	assert_int_equal(ctrl(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOBCAST, &on, 1),
			 VIRTIO_NET_OK);
	assert_true(rec.filter.nobcast);
	assert_int_equal(ctrl(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6),
			 VIRTIO_NET_OK);
	assert_memory_equal(rec.filter.mac, mac, 6);
	assert_int_equal(rd(DEVCFG + 5, 1), 5);
	assert_int_equal(ctrl(VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, &id, 2),
			 VIRTIO_NET_OK);
	assert_true(rec.filter.vlan[63] >> 63);
	assert_int_equal(ctrl(VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_DEL, &id, 2),
			 VIRTIO_NET_OK);
	assert_false(rec.filter.vlan[63] >> 63);
	assert_int_equal(ctrl(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &v, 2),
			 VIRTIO_NET_OK);
	assert_int_equal(rec.pairs, 2);
	assert_int_equal(ctrl(VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET,
			      &offloads, 8),
			 VIRTIO_NET_OK);
	assert_int_equal(rec.offloads, offloads);
	offloads |= F(GUEST_TSO6); /* not negotiated */
	assert_int_equal(ctrl(VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET,
			      &offloads, 8),
			 VIRTIO_NET_ERR);
}

/* 5.1.6.5.2.1: the next driver finds empty filters. */
static void test_ctrl_after_reset(void **state)
{
	static const uint8_t one_mac[] = {1, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0};
	uint16_t id = 7;

	(void)state;
	bring_up(CTRL_ALL, 5);
	assert_int_equal(ctrl(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, one_mac, sizeof(one_mac)),
			 VIRTIO_NET_OK);
	assert_int_equal(ctrl(VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, &id, 2), VIRTIO_NET_OK);
	assert_int_equal(rec.filter.n_uni, 1);
	bring_up(CTRL_ALL, 5);
	assert_int_equal(rec.filter.n_uni, 0);
	assert_false(rec.filter.vlan[0]);
}

static void test_ctrl_mac_tables(void **state)
{
	struct {
		uint32_t n_uni;
		uint8_t uni[2][6];
		uint8_t n_multi[4];
		uint8_t multi[3][6];
	} __attribute__((packed))
	t = {2, {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}, {3, 0, 0, 0}, {{1, 1}, {1, 2}, {1, 3}}};
	static uint8_t big[8 + 40 * 6] = {40};

	(void)state;
	bring_up(CTRL_ALL, 5);
	assert_int_equal(ctrl(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, &t, sizeof(t)),
			 VIRTIO_NET_OK);
	assert_int_equal(rec.filter.n_uni, 2);
	assert_int_equal(rec.filter.n_multi, 3);
	assert_int_equal(rec.filter.multi[2][1], 3);
	assert_int_equal(ctrl(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, big, sizeof(big)),
			 VIRTIO_NET_OK);
	assert_true(rec.filter.uni_overflow); /* more than we keep: take all */
	assert_int_equal(rec.filter.n_uni, 0);
	/* Counts that promise more than there is change nothing. */
	for (uint64_t n = 3; n < 1ull << 32; n = n * 2 + 1) {
		t.n_uni = (uint32_t)n;
		if (n !=
		    3) /* 3 x 6 bytes still lie within the data: then the second count is what fails */
			assert_int_equal(ctrl(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET,
					      &t, sizeof(t)),
					 VIRTIO_NET_ERR);
	}
	t.n_uni = 2;
	for (unsigned n = 4; n < 256; n++) { /* the last table's count too */
		t.n_multi[0] = (uint8_t)n;
		assert_int_equal(
			ctrl(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, &t, sizeof(t)),
			VIRTIO_NET_ERR);
	}
	assert_true(rec.filter.uni_overflow);
}

/* Commands whose data ends too early do nothing. */
static void test_ctrl_short_data(void **state)
{
	static const struct {
		uint8_t class, cmd, len;
	} need[] = {
		{VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 1},
		{VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, 8},
		{VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, 6},
		{VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, 2},
		{VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 2},
		{VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET, 8},
	};
	uint8_t data[8] = {0};

	(void)state;
	bring_up(CTRL_ALL, 5);
	for (size_t i = 0; i < ARRAY_SIZE(need); i++) {
		data[0] = need[i].class == VIRTIO_NET_CTRL_MQ;
		for (uint8_t len = 0; len <= need[i].len; len++)
			assert_int_equal(ctrl(need[i].class, need[i].cmd, data, len),
					 len < need[i].len ? VIRTIO_NET_ERR : VIRTIO_NET_OK);
	}
}

/*
 * Every class and command, with data of every short length: an answer, no access behind the data, and no
 * surprise.
 */
static void test_ctrl_sweep(void **state)
{
	uint8_t data[16];

	(void)state;
	memset(data, 0xff, sizeof(data));
	bring_up(CTRL_ALL, 5);
	for (unsigned class = 0; class < 256; class += class < 8 ? 1 : 31)
		for (unsigned cmd = 0; cmd < 256; cmd += cmd < 8 ? 1 : 61)
			for (size_t len = 0; len <= sizeof(data); len++)
				assert_in_range(ctrl((uint8_t) class, (uint8_t)cmd, data, len), 0,
						1);
	for (unsigned v = 0; v < 65536; v++) { /* 16-bit fields */
		uint16_t w = (uint16_t)v;

		assert_int_equal(ctrl(VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, &w, 2),
				 v < 4096 ? VIRTIO_NET_OK : VIRTIO_NET_ERR);
		assert_int_equal(ctrl(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &w, 2),
				 v == 1 || v == 2 ? VIRTIO_NET_OK : VIRTIO_NET_ERR);
	}
	assert_int_equal(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
}

static void test_ctrl_header_split(void **state)
{
	static const uint8_t mac[6] = {2, 1, 2, 3, 4, 6};

	(void)state;
	for (unsigned segs = 1; segs < 7; segs++) {
		bring_up(CTRL_ALL, 5);
		assert_int_equal(
			ctrl_sized(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6, segs),
			VIRTIO_NET_OK);
		assert_memory_equal(rec.filter.mac, mac, 6);
	}
}

/* No room for the answer, or no header: the device needs a reset, and lives. */
static void test_ctrl_malformed(void **state)
{
	const struct drv_seg bad[][2] = {
		{{BUF_GPA, 8, false}, {0, 0, false}},
		{{BUF_GPA, 1, true}, {0, 0, false}},
		{{BUF_GPA, 1, false}, {BUF_GPA, 1, true}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		bring_up(CTRL_ALL, 5);
		drv_add(&ring[4], bad[i], bad[i][1].len ? 2 : 1, false);
		wr(NOTIFY + 4 * 4, 2, 4);
		assert_true(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET);
		wr(NOTIFY + 4 * 4, 2, 4);
	}
	bring_up(CTRL_ALL, 5);
	assert_int_equal(ctrl(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, "", 1),
			 VIRTIO_NET_OK);
}

/* Without MQ the control queue is the third, whatever the device could do (5.1.2). */
static void test_ctrl_without_mq(void **state)
{
	static const uint8_t off;
	struct drv_seg seg[2] = {{BUF_GPA, 3, false}, {BUF_GPA + 0x10000, 1, true}};
	uint8_t cmd[3] = {VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, off};
	uint32_t used;
	uint16_t id;

	(void)state;
	bring_up(F(CTRL_VQ) | F(CTRL_RX), 3);
	gmem_write(dev->gm, BUF_GPA, cmd, 3);
	drv_add(&ring[2], seg, 2, false);
	wr(NOTIFY + 4 * 2, 2, 2);
	assert_true(drv_get(&ring[2], &id, &used));
	assert_false(rec.filter.promisc);
}

static void test_announce(void **state)
{
	(void)state;
	bring_up(CTRL_ALL, 5);
	rec.be->front_ops->link(rec.be->front, false);
	assert_int_equal(rd(DEVCFG + 6, 2), 0);
	rec.be->front_ops->link(rec.be->front, true);
	assert_int_equal(rd(DEVCFG + 6, 2), VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE);
	assert_int_equal(ctrl(VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK, "", 0),
			 VIRTIO_NET_OK);
	assert_int_equal(rd(DEVCFG + 6, 2), VIRTIO_NET_S_LINK_UP);
}

/* ---- virtio-rng: the shortest whole device ---- */

static void rng_up(uint64_t features)
{
	fake_vm_destroy(vm);
	vm = fake_vm_create(32 * MIB);
	dev = fake_attach(vm, &virtio_rng_ops, features & F_PACKED ? "ring=packed" : "");
	assert_non_null(dev);
	bring_up(features, 1);
}

static void test_rng(void **state)
{
	static const uint64_t f[] = {0, F_INDIRECT | F_EVENT_IDX, F_PACKED,
				     F_PACKED | F_INDIRECT | F_EVENT_IDX};
	static const uint8_t zero[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(f); i++) {
		struct drv_seg seg[2] = {{BUF_GPA, 32, true}, {BUF_GPA + 32, 32, true}},
			       huge = {BUF_GPA, 8 << 20, true};
		uint8_t got[64];
		uint32_t len;
		uint16_t id;

		rng_up(f[i]);
		drv_add(&ring[0], seg, 2, f[i] & F_INDIRECT);
		wr(NOTIFY, 2, 0);
		assert_true(drv_get(&ring[0], &id, &len));
		assert_int_equal(len, 64);
		gmem_read(dev->gm, BUF_GPA, got, sizeof(got));
		assert_memory_not_equal(got, zero, 32);
		assert_memory_not_equal(got + 32, zero, 32);
		drv_add(&ring[0], &huge, 1, false);
		wr(NOTIFY, 2, 0);
		assert_true(drv_get(&ring[0], &id, &len));
		assert_in_range(len, 1, 4096); /* bounded work per request */
	}
}

/* The vCPU that raises a vector makes no eventfd: the start has. */
static void test_rng_vector(void **state)
{
	(void)state;
	rng_up(0);
	assert_true(pci_irq_fd_made(dev, 0) >= 0);
	assert_true(pci_irq_fd_made(dev, 1) < 0);
}

/* A whole ring in one kick: after it the driver's next buffer must ask for a kick again. */
static void test_rng_full(void **state)
{
	const struct drv_seg seg = {BUF_GPA, 32, true};
	uint16_t id, event;
	uint32_t len;

	(void)state;
	rng_up(F_EVENT_IDX);
	for (unsigned i = 0; i < ring[0].l.size; i++)
		drv_add(&ring[0], &seg, 1, false);
	wr(NOTIFY, 2, 0);
	for (unsigned i = 0; i < ring[0].l.size; i++)
		assert_true(drv_get(&ring[0], &id, &len));
	memcpy(&event, &ring[0].used->ring[ring[0].l.size], sizeof(event));
	assert_int_equal(event, ring[0].next);
}

static void test_rng_bad(void **state)
{
	const struct drv_seg out = {BUF_GPA, 32, false}, bar = {0xfee00000, 32, true};
	const struct drv_seg *const bad[] = {&out, &bar};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		rng_up(0);
		drv_add(&ring[0], bad[i], 1, false);
		wr(NOTIFY, 2, 0);
		assert_true(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET);
		wr(NOTIFY, 2, 0);
		wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
		assert_int_equal(get_status(), 0);
	}
}

/* ---- console ---- */

/* The device's own thread serves it: the length that it says it wrote, or a failure after 5 s. */
static uint32_t used_soon(struct drv_ring *d)
{
	uint32_t len = 0;
	uint16_t id;

	for (unsigned ms = 0; !drv_get(d, &id, &len); ms++) {
		assert_true(ms < 5000);
		usleep(1000);
	}
	return len;
}

/* The driver believes used.len: of input it is what was written, of output nothing. */
static void test_console_used_len(void **state)
{
	static const uint64_t f[] = {0, F_INDIRECT | F_EVENT_IDX, F_PACKED, F_PACKED | F_INDIRECT};
	static const char text[] = "0123456789";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(f); i++) {
		struct drv_seg in[2] = {{BUF_GPA, 4, true}, {BUF_GPA + 64, 60, true}},
			       out = {BUF_GPA + 256, 10, false};
		char opts[48], got[16];
		int sock[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
		snprintf(opts, sizeof(opts), "out=fd=%d%s", sock[1], f[i] & F_PACKED ? ",ring=packed" : "");
		teardown(NULL);
		vm = fake_vm_create(32 * MIB);
		dev = fake_attach(vm, &virtio_console_ops, opts);
		assert_non_null(dev);
		bring_up(f[i], 2);
		drv_add(&ring[0], in, 2, f[i] & F_INDIRECT);
		wr(NOTIFY, 2, 0);
		assert_int_equal(write(sock[0], text, 10), 10);
		assert_int_equal(used_soon(&ring[0]), 10);
		gmem_read(dev->gm, BUF_GPA, got, 4);
		gmem_read(dev->gm, BUF_GPA + 64, got + 4, 6);
		assert_memory_equal(got, text, 10);
		gmem_write(dev->gm, BUF_GPA + 256, text, 10);
		drv_add(&ring[1], &out, 1, f[i] & F_INDIRECT);
		wr(NOTIFY + 4, 2, 1);
		assert_int_equal(used_soon(&ring[1]), 0);
		assert_int_equal(recv(sock[0], got, 10, MSG_WAITALL), 10);
		assert_memory_equal(got, text, 10);
		teardown(NULL);
		close(sock[0]);
		close(sock[1]);
	}
}

/* Rings on every BAR, on the LAPIC, and over the end of RAM: class 4. */
static void test_rings_off_ram(void **state)
{
	(void)state;
	rng_up(0);
	for (unsigned i = 0; i < 9; i++) {
		const gpa_t bad[] = {0xfee00000, dev->bar[BAR].base, 32 * MIB - 16};

		assert_true(negotiate(V1));
		set_queue(0, 64, 0);
		wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
		assert_true(negotiate(V1));
		wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
		wr64(VIRTIO_PCI_COMMON_Q_DESCLO, i / 3 == 0 ? bad[i % 3] : ring[0].l.desc);
		wr64(VIRTIO_PCI_COMMON_Q_AVAILLO, i / 3 == 1 ? bad[i % 3] : ring[0].l.driver);
		wr64(VIRTIO_PCI_COMMON_Q_USEDLO, i / 3 == 2 ? bad[i % 3] : ring[0].l.device);
		wr(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
		add_status(VIRTIO_CONFIG_S_DRIVER_OK);
		assert_true(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET);
		wr(NOTIFY, 2, 0);
	}
}

/*
 * The first ring of a device's life lies nowhere, and is kicked all the same: there is no older one to
 * fall back on.
 */
static void test_kick_of_a_ring_nowhere(void **state)
{
	static const gpa_t bad[] = {0, 0xfee00000, 32 * MIB - 16, UINT64_MAX - 15};

	(void)state;
	for (unsigned i = 0; i < 6 * ARRAY_SIZE(bad); i++) {
		const unsigned regs[] = {VIRTIO_PCI_COMMON_Q_DESCLO, VIRTIO_PCI_COMMON_Q_AVAILLO,
					 VIRTIO_PCI_COMMON_Q_USEDLO};
		bool rng = i % 2;
		unsigned q = rng ? 0 : 4;

		fake_vm_destroy(vm);
		vm = fake_vm_create(32 * MIB);
		dev = rng ? fake_attach(vm, &virtio_rng_ops, "")
			  : fake_attach(vm, &virtio_net_ops, "mode=recorder,queues=2");
		assert_non_null(dev);
		assert_true(negotiate(V1 | (rng ? 0 : CTRL_ALL)));
		wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, q);
		wr64(VIRTIO_PCI_COMMON_Q_DESCLO, RING_GPA);
		wr64(VIRTIO_PCI_COMMON_Q_AVAILLO, RING_GPA + 0x1000);
		wr64(VIRTIO_PCI_COMMON_Q_USEDLO, RING_GPA + 0x2000);
		wr64(regs[i / 2 % 3], bad[i / 6] ? bad[i / 6] : RING_GPA + 1); /* or misaligned */
		wr(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
		add_status(VIRTIO_CONFIG_S_DRIVER_OK);
		assert_true(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET);
		wr(NOTIFY + 4 * q, 2, q);
	}
}

/* A control queue that was reset and comes back nowhere: its old ring is not served. */
static void test_old_ctrl_ring_is_forgotten(void **state)
{
	static const uint8_t off;

	(void)state;
	bring_up(CTRL_ALL | RRESET, 5);
	wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, 4);
	wr(RESET_REG, 2, 1);
	wr64(VIRTIO_PCI_COMMON_Q_DESCLO, 0xfee00000);
	wr(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	assert_true(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET);
	rec.filters = 0;
	assert_int_equal(ctrl(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1),
			 0xff); /* no answer */
	assert_int_equal(rec.filters, 0);
}

/* Two cards with one address, of one kind and of two. */
static void test_one_mac_twice(void **state)
{
	static const char mac[] = "mac=52:54:00:00:00:09";
	char net[64];

	(void)state;
	snprintf(net, sizeof(net), "mode=recorder,%s", mac);
	for (unsigned i = 0; i < 4; i++) {
		fake_vm_destroy(vm);
		vm = fake_vm_create(32 * MIB);
		assert_non_null(i & 1 ? fake_attach(vm, &virtio_net_ops, net)
				      : fake_attach(vm, &e1000_ops, mac));
		assert_null(i & 2 ? fake_attach(vm, &virtio_net_ops, net)
				  : fake_attach(vm, &e1000_ops, mac));
		assert_non_null(fake_attach(vm, &e1000_ops, "mac=52:54:00:00:00:0a"));
		assert_non_null(fake_attach(vm, &e1000_ops, ""));
		assert_non_null(fake_attach(vm, &e1000_ops,
					    "")); /* those without mac= differ by their slots */
	}
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_features_ok),
		T(test_features_frozen),
		T(test_driver_ok_needs_features_ok),
		T(test_status_bits_stay),
		T(test_knobs),
		T(test_bad_options),
		T(test_queue_registers_after_enable),
		T(test_queue_size_rules),
		T(test_enable_needs_features_ok),
		T(test_queue_select_out_of_range),
		T(test_every_write_in_every_status),
		T(test_queue_reset),
		T(test_broken_ring_needs_reset),
		T(test_failed_start_needs_reset),
		T(test_kicks),
		T(test_ioeventfds),
		T(test_intx),
		T(test_msix),
		T(test_no_vector),
		T(test_eventfds_held_by_others),
		T(test_device_config),
		T(test_pci_cfg_window),
		T(test_capabilities),
		T(test_identity_and_layout),
		T(test_every_event_to_every_vector),
		T(test_reset_leaves_nothing),
		T(test_offers_are_whole),
		T(test_console_emergency_write),
		T(test_ctrl_after_reset),
		T(test_reset_forgets_the_drivers_mac),
		T(test_ctrl_commands),
		T(test_ctrl_mac_tables),
		T(test_ctrl_short_data),
		T(test_ctrl_sweep),
		T(test_ctrl_header_split),
		T(test_ctrl_malformed),
		T(test_ctrl_without_mq),
		T(test_announce),
		T(test_rng),
		T(test_rng_full),
		T(test_rng_vector),
		T(test_rng_bad),
		T(test_console_used_len),
		T(test_rings_off_ram),
		T(test_kick_of_a_ring_nowhere),
		T(test_old_ctrl_ring_is_forgotten),
		T(test_one_mac_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
