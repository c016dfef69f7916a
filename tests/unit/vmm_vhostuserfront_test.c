// SPDX-License-Identifier: MIT
/*
 * The VMM's end of vhost-user: against our own back-end half, which dies and comes back, and against
 * back-ends that answer wrongly. The other end runs in a thread of the test.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/held_fd.h"
#include "vmm/devices/virtio_net/net_back.h"
#include "vmm/core/eventfd.h"
#include "vmm/core/threads.h"

static struct threads running = {.started = true};

#define BIT(n) (1ull << (n))
#define FEATURES (BIT(0) | BIT(28) | BIT(29))
#define ALL (FEATURES | BIT(34))
#define QUEUE_SIZE 256

static char path[64];

/* ---- a net_backend below the back-end, and what the front half is told ---- */

#define LOAD(v) __atomic_load_n(&(v), __ATOMIC_ACQUIRE)

static struct {
	unsigned starts;
	bool served; /* stop finds that chains were served */
	uint32_t base[4];
	bool ready[4];
	struct virtq_progress *progress[4];
	unsigned pairs;
} seen;

static int up, down, broken; /* calls of the front half */

static int sink_start(struct net_backend *be, uint64_t features, unsigned n)
{
	(void)features;
	for (unsigned i = 0; i < n; i++) {
		seen.base[i] = be->rings[i].base;
		seen.ready[i] = be->rings[i].ready;
		seen.progress[i] = be->rings[i].progress;
	}
	__atomic_add_fetch(&seen.starts, 1, __ATOMIC_RELEASE);
	return 0;
}

static void sink_stop(struct net_backend *be)
{
	for (unsigned i = 0; i < 2 * be->pairs; i++)
		if (be->rings[i].ready && LOAD(seen.served))
			be->rings[i].base = 40 + i;
}

static int sink_set_pairs(struct net_backend *be, unsigned pairs)
{
	(void)be;
	__atomic_store_n(&seen.pairs, pairs, __ATOMIC_RELEASE);
	return 0;
}

static int sink_set_offloads(struct net_backend *be, uint64_t f)
{
	(void)be;
	(void)f;
	return 0;
}

static const struct net_backend_ops sink_ops = {"sink", NULL, NULL, sink_start, sink_stop, NULL, NULL,
						sink_set_pairs, sink_set_offloads, NULL};

static void on_call(void *front, unsigned ring)
{
	(void)front;
	(void)ring;
}

static void on_broken(void *front, unsigned ring)
{
	(void)front;
	(void)ring;
	__atomic_add_fetch(&broken, 1, __ATOMIC_RELEASE);
}

static void on_link(void *front, bool is_up)
{
	(void)front;
	__atomic_add_fetch(is_up ? &up : &down, 1, __ATOMIC_RELEASE);
}

static const struct net_front_ops front_ops = {on_call, on_broken, on_link};

/* ---- the other end ---- */

enum bad {
	GOOD,
	WRONG_REQUEST,
	NO_REPLY_FLAG,
	SHORT_ANSWER,
	LONG_ANSWER,
	BIG_SIZE,
	FDS_IN_ANSWER,
	MANY_FDS_IN_ANSWER,
	HANGS_UP,
	HALF_ANSWER,
	NO_VERSION_1,
	BAD_KINDS,
	TALKS, /* well, and by itself */
};

static struct {
	pthread_t thread;
	int listener;
	bool stop;
	enum bad bad;
	struct net_backend be;
	struct net_back back;
} peer;

/* An answer to m as the kind of badness wants it; false: hang up. */
static bool answer_badly(int sock, const struct vu_msg *m)
{
	struct vu_msg r = vu_msg_u64(m->request, BIT(32) | BIT(30) | FEATURES);
	char control[CMSG_SPACE(200 * sizeof(int))] __attribute__((aligned(8))) = {0};
	uint32_t hdr[3];
	struct iovec iov[2] = {{hdr, 12}, {r.p.raw, 0}};
	struct msghdr h = {.msg_iov = iov, .msg_iovlen = 2};
	unsigned n_fds = 0;

	r.flags |= VU_FLAG_REPLY;
	switch (peer.bad) {
	case WRONG_REQUEST:
		r.request++;
		break;
	case NO_REPLY_FLAG:
		r.flags &= ~VU_FLAG_REPLY;
		break;
	case SHORT_ANSWER:
		r.size = 4;
		break;
	case LONG_ANSWER:
		r.size = 16;
		break;
	case BIG_SIZE:
		r.size = UINT32_MAX;
		break;
	case FDS_IN_ANSWER:
		n_fds = 1;
		break;
	case MANY_FDS_IN_ANSWER:
		n_fds = 200;
		break;
	case HANGS_UP:
		return false;
	case NO_VERSION_1:
		r.p.u64 = BIT(0);
		break;
	default:
		break;
	}
	memcpy(hdr, &r.request, sizeof(hdr));
	iov[1].iov_len = MIN(r.size, sizeof(r.p));
	if (n_fds) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		h.msg_control = control;
		h.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		for (unsigned i = 0; i < n_fds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &sock, sizeof(int));
	}
	if (peer.bad == HALF_ANSWER)
		return send(sock, hdr, 7, MSG_NOSIGNAL) < 0;
	return sendmsg(sock, &h, MSG_NOSIGNAL) > 0;
}

static void serve_badly(int sock)
{
	struct vu_msg m;

	while (vu_recv(sock, VU_FROM_FRONT, &m, NSEC_PER_SEC) > 0) {
		bool want = vu_has_reply(m.request) || m.flags & VU_FLAG_NEED_REPLY;

		vu_close_fds(&m);
		if (want && !answer_badly(sock, &m))
			break;
	}
	close(sock);
}

/* A back-end with a channel of its own, on which it says what a test wants. */
static struct {
	int sock, channel;
	uint16_t status; /* of its link */
	unsigned verdict[2]; /* answers on the channel: done, refused */
} talk;

static void say_on_channel(uint32_t request)
{
	struct vu_msg m = vu_msg_empty(request);

	m.flags |= VU_FLAG_NEED_REPLY;
	assert_int_equal(vu_send(talk.channel, &m, NSEC_PER_SEC), 0);
}

static void talk_answer(struct vu_msg *m)
{
	struct virtio_net_config c = {.status = LOAD(talk.status), .mtu = 1300};
	struct vu_msg r = vu_msg_u64(m->request, 0);

	if (m->request == VU_SET_BACKEND_REQ_FD)
		__atomic_store_n(&talk.channel, vu_take_fd(m, 0), __ATOMIC_RELEASE);
	if (m->request == VU_GET_FEATURES)
		r.p.u64 = BIT(32) | BIT(VU_F_PROTOCOL_FEATURES) | FEATURES;
	if (m->request == VU_GET_PROTOCOL_FEATURES)
		r.p.u64 = BIT(VU_P_CONFIG) | BIT(VU_P_BACKEND_REQ) | BIT(VU_P_REPLY_ACK);
	if (m->request == VU_GET_CONFIG) {
		r = *m;
		memcpy(r.p.config.data, &c, MIN(m->p.config.size, sizeof(c)));
	}
	if (!vu_has_reply(m->request) && !(m->flags & VU_FLAG_NEED_REPLY))
		return;
	r.flags = VU_FLAG_VERSION | VU_FLAG_REPLY;
	vu_send(talk.sock, &r, NSEC_PER_SEC);
}

/* Until the front-end closes. Of the channel it only counts the answers. */
static void serve_talking(int sock)
{
	struct vu_msg m;
	bool open = true;

	talk.sock = sock;
	while (open) {
		struct pollfd p[] = {{sock, POLLIN, 0}, {LOAD(talk.channel), POLLIN, 0}};
		uint32_t answer[5]; /* three words of header, 64 bits of payload */

		poll(p, 2, 10);
		if (p[1].revents & POLLIN &&
		    recv(p[1].fd, answer, sizeof(answer), MSG_WAITALL) == sizeof(answer))
			__atomic_add_fetch(&talk.verdict[answer[3] != 0], 1, __ATOMIC_RELEASE);
		if (!p[0].revents)
			continue;
		open = vu_recv(sock, VU_FROM_FRONT, &m, NSEC_PER_SEC) > 0;
		if (open)
			talk_answer(&m);
		vu_close_fds(&m);
	}
	close(sock);
}

static void *peer_main(void *arg)
{
	(void)arg;
	while (!LOAD(peer.stop)) {
		int sock = peer.back.vu.sock;
		struct pollfd p[] = {{peer.listener, POLLIN, 0}, {sock, POLLIN, 0}};

		if (poll(p, 2, 10) <= 0)
			continue;
		if (p[1].revents && vu_back_serve(&peer.back.vu) <= 0)
			vu_back_hang_up(&peer.back.vu);
		if (!p[0].revents)
			continue;
		sock = accept4(peer.listener, NULL, NULL, SOCK_CLOEXEC);
		if (sock < 0)
			continue;
		if (peer.bad == TALKS)
			serve_talking(sock);
		else if (peer.bad)
			serve_badly(sock);
		else
			vu_back_connect(&peer.back.vu, sock);
	}
	vu_back_exit(&peer.back.vu);
	return NULL;
}

static void peer_start(enum bad bad)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	unlink(path);
	peer.stop = false;
	peer.bad = bad;
	peer.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(peer.listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(peer.listener, 4), 0);
	peer.be = (struct net_backend){.ops = &sink_ops,
				       .dev_name = "peer",
				       .pairs = 2,
				       .features = ALL,
				       .mtu = 1400};
	assert_int_equal(net_back_init(&peer.back, &peer.be), 0);
	assert_int_equal(pthread_create(&peer.thread, NULL, peer_main, NULL), 0);
}

static void peer_kill(void)
{
	__atomic_store_n(&peer.stop, true, __ATOMIC_RELEASE);
	pthread_join(peer.thread, NULL);
	close(peer.listener);
}

/* ---- our end ---- */

static struct net_backend be;

static int open_front_with(unsigned pairs, const char *text, int (*make_memory)(struct gmem **, uint64_t))
{
	struct dev_opts *o;
	int err;

	assert_int_equal(dev_opts_parse(&o, text), 0);
	be = (struct net_backend){.ops = &net_backend_vhost_user,
				  .dev_name = "test",
				  .threads = &running,
				  .pairs = pairs,
				  .front_ops = &front_ops};
	assert_int_equal(make_memory(&be.gm, 4 * MIB), 0);
	for (unsigned i = 0; i < 2 * pairs; i++) {
		gpa_t at = 0x10000 * (i + 1);

		be.rings[i].layout = (struct virtq_layout){QUEUE_SIZE, at, at + 0x4000, at + 0x8000};
		be.rings[i].ready = true;
		be.rings[i].kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		be.rings[i].call_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
	up = down = broken = 0;
	memset(&seen, 0, sizeof(seen));
	err = be.ops->open(&be, o);
	dev_opts_free(o);
	return err;
}

static int open_front(unsigned pairs)
{
	char text[96];

	snprintf(text, sizeof(text), "path=%s", path);
	return open_front_with(pairs, text, gmem_create);
}

static void close_front(void)
{
	be.ops->close(&be);
	for (unsigned i = 0; i < 2 * be.pairs; i++) {
		close(be.rings[i].kick_fd);
		close(be.rings[i].call_fd);
	}
	gmem_destroy(be.gm);
}

#define WAIT_FOR(cond)                                                  \
	do {                                                            \
		for (int ms_ = 0; ms_ < 5000 && !(cond); ms_++)         \
			clock_sleep_ns(NSEC_PER_MSEC);                  \
		assert_true(cond);                                      \
	} while (0)

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 512; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void set_used_idx(unsigned ring, uint16_t idx)
{
	assert_int_equal(gmem_write(be.gm, be.rings[ring].layout.device + 2, &idx, sizeof(idx)), 0);
}

/* ---- tests ---- */

static void test_start_and_stop(void **state)
{
	(void)state;
	peer_start(GOOD);
	assert_int_equal(open_front(2), 0);
	assert_int_equal(be.features, ALL);
	assert_int_equal(be.mtu, 1400);
	be.rings[0].base = 3;
	be.rings[2].ready = false;
	assert_int_equal(be.ops->start(&be, FEATURES | BIT(32), 4), 0);
	assert_true(seen.ready[0] && seen.ready[1]);
	assert_false(seen.ready[2] || seen.ready[3]); /* the second pair is not in use yet */
	assert_int_equal(be.ops->set_pairs(&be, 2), 0);
	assert_true(seen.ready[3]);
	assert_false(seen.ready[2]);
	assert_int_equal(seen.pairs, 2);
	__atomic_store_n(&seen.served, true, __ATOMIC_RELEASE);
	be.ops->stop(&be);
	assert_int_equal(be.rings[0].base, 40);
	assert_int_equal(be.rings[1].base, 41);
	assert_int_equal(be.rings[2].base, 0);
	close_front();
	peer_kill();
}

static void test_back_end_comes_back(void **state)
{
	uint64_t n;
	int before = open_fds();

	(void)state;
	peer_start(GOOD);
	assert_int_equal(open_front(1), 0);
	assert_int_equal(be.ops->start(&be, FEATURES | BIT(32), 2), 0);
	for (int round = 1; round <= 3; round++) {
		set_used_idx(0, (uint16_t)(100 * round));
		set_used_idx(1, (uint16_t)(65000 + round));
		peer_kill();
		WAIT_FOR(LOAD(down) == round);
		while (read(be.rings[0].kick_fd, &n, sizeof(n)) > 0)
			;
		memset(&seen, 0, sizeof(seen));
		peer_start(GOOD);
		WAIT_FOR(LOAD(up) == round);
		assert_true(seen.ready[0] && seen.ready[1]);
		assert_int_equal(seen.base[0], 100 * round);
		assert_int_equal(seen.base[1], 65000 + round);
		/* Whatever the guest had rung for is looked at again. */
		assert_int_equal(read(be.rings[0].kick_fd, &n, sizeof(n)), sizeof(n));
	}
	be.ops->stop(&be);
	assert_int_equal(broken, 0);
	close_front();
	peer_kill();
	assert_int_equal(open_fds(), before);
}

/* Class 19: the back-end holds kick, call and error eventfds too. None of ours waits for it. */
static void test_eventfds_held_by_the_back_end(void **state)
{
	int err;

	(void)state;
	peer_start(GOOD);
	assert_int_equal(open_front(1), 0);
	assert_int_equal(be.ops->start(&be, FEATURES | BIT(32), 2), 0);
	err = peer.back.vu.ring[1].err_fd;
	held_empty(err);
	for (unsigned i = 0; i < 2000; i++) { /* seen, and gone before it is read */
		eventfd_signal(err);
		for (volatile unsigned k = 0; k < i % 100 * 100; k++)
			;
		eventfd_drain(err);
	}
	for (unsigned i = 0; i < 2; i++) {
		held_full(be.rings[i].kick_fd);
		held_full(be.rings[i].call_fd);
	}
	peer_kill();
	WAIT_FOR(LOAD(down) == 1);
	peer_start(GOOD);
	WAIT_FOR(LOAD(up) == 1);
	be.ops->stop(&be);
	close_front();
	peer_kill();
}

/*
 * A device that is set up, stopped and set up again while there is no back-end: nothing fails, all of it
 * happens later.
 */
static void test_restart_without_back_end(void **state)
{
	(void)state;
	peer_start(GOOD);
	assert_int_equal(open_front(1), 0);
	assert_int_equal(be.ops->start(&be, FEATURES | BIT(32), 2), 0);
	set_used_idx(0, 9);
	peer_kill();
	WAIT_FOR(LOAD(down) == 1);
	be.ops->stop(&be);
	assert_int_equal(be.rings[0].base, 9);
	be.rings[0].base = 0;
	be.rings[1].ready = false;
	assert_int_equal(be.ops->start(&be, FEATURES | BIT(32), 2), 0);
	set_used_idx(0, 0);
	memset(&seen, 0, sizeof(seen));
	peer_start(GOOD);
	WAIT_FOR(LOAD(up) == 1);
	assert_true(seen.ready[0]);
	assert_false(seen.ready[1]);
	assert_int_equal(seen.base[0], 0);
	close_front();
	peer_kill();
}

/* A packed ring in memory does not say where the dead one was; the inflight region does. */
static void test_packed_ring_goes_on(void **state)
{
	const uint64_t features = FEATURES | BIT(32) | BIT(34);
	int before = open_fds();

	(void)state;
	peer_start(GOOD);
	assert_int_equal(open_front(1), 0);
	assert_int_equal(be.ops->start(&be, features, 2), 0);
	assert_non_null(seen.progress[0]);
	/* What the dead one's virtqueue would have written: 77 entries used in the second lap. */
	seen.progress[0]->used = seen.progress[0]->old_used = 77;
	seen.progress[0]->used_wrap = seen.progress[0]->old_used_wrap = 0;
	peer_kill();
	WAIT_FOR(LOAD(down) == 1);
	memset(&seen, 0, sizeof(seen));
	peer_start(GOOD);
	WAIT_FOR(LOAD(up) == 1);
	assert_int_equal(seen.base[0], 77 | 77 << 16);
	assert_int_equal(seen.base[1], be.rings[1].base);
	assert_int_equal(broken, 0);
	/* Set up anew by the guest: from the start, whatever the region said. */
	be.ops->stop(&be);
	be.rings[0].base = be.rings[1].base = 1u << 31 | 1u << 15;
	assert_int_equal(be.ops->start(&be, features, 2), 0);
	assert_int_equal(seen.base[0], be.rings[0].base);
	close_front();
	peer_kill();
	assert_int_equal(open_fds(), before);
}

/* One ring of a device that runs: the back-end says how far it was, and goes on where the guest wants it. */
static void test_ring_reset(void **state)
{
	(void)state;
	peer_start(GOOD);
	assert_int_equal(open_front(1), 0);
	assert_int_equal(be.ops->start(&be, FEATURES | BIT(32), 2), 0);
	__atomic_store_n(&seen.served, true, __ATOMIC_RELEASE);
	be.ops->ring_stop(&be, 1);
	assert_int_equal(be.rings[1].base, 41);
	be.rings[1].base = 7;
	be.rings[1].ready = false; /* not enabled again: nothing is told */
	assert_int_equal(be.ops->ring_start(&be, 1), 0);
	be.rings[1].ready = true;
	be.ops->ring_stop(&be, 1);
	assert_int_equal(be.rings[1].base, 7);
	assert_int_equal(be.ops->ring_start(&be, 1), 0);
	assert_true(seen.ready[0] && seen.ready[1]);
	assert_int_equal(seen.base[1], 7);
	assert_int_equal(broken, 0);
	be.ops->stop(&be);
	close_front();
	peer_kill();
}

/* While nobody is there: a split ring begins with the next back-end, a packed one contradicts its region. */
static void test_ring_reset_without_back_end(void **state)
{
	(void)state;
	for (int packed = 0; packed < 2; packed++) {
		peer_start(GOOD);
		assert_int_equal(open_front(1), 0);
		assert_int_equal(be.ops->start(&be, FEATURES | BIT(32) | (packed ? BIT(34) : 0), 2), 0);
		peer_kill();
		WAIT_FOR(LOAD(down) == 1);
		be.ops->ring_stop(&be, 0);
		be.rings[0].base = packed ? 1u << 31 | 1u << 15 : 5;
		assert_int_equal(be.ops->ring_start(&be, 0), 0);
		assert_int_equal(broken, packed);
		memset(&seen, 0, sizeof(seen));
		peer_start(GOOD);
		WAIT_FOR(LOAD(up) == 1);
		assert_true(seen.ready[1]);
		assert_int_equal(seen.ready[0], !packed);
		assert_int_equal(seen.base[0], packed ? 0 : 5);
		be.ops->stop(&be);
		close_front();
		peer_kill();
	}
}

/* Each is said before anybody is asked. */
static void test_what_it_needs(void **state)
{
	char text[96];

	(void)state;
	peer_start(GOOD);
	snprintf(text, sizeof(text), "path=%s", path);
	assert_int_equal(open_front_with(1, "", gmem_create), -EINVAL);
	close_front();
	assert_int_equal(open_front_with(1, text, gmem_create_private), -EINVAL);
	close_front();
	peer_kill();
}

static void test_ring_outside_memory(void **state)
{
	(void)state;
	peer_start(GOOD);
	assert_int_equal(open_front(1), 0);
	be.rings[1].layout.desc = 4 * MIB - 16;
	assert_int_equal(be.ops->start(&be, FEATURES | BIT(32), 2), 0);
	assert_int_equal(broken, 1);
	assert_true(seen.ready[0]);
	assert_false(seen.ready[1]);
	close_front();
	peer_kill();
}

static void test_nobody_there(void **state)
{
	int before = open_fds();

	(void)state;
	unlink(path);
	assert_int_equal(open_front(1), -ENODEV);
	close_front();
	assert_int_equal(open_fds(), before);
}

static void test_too_few_queues(void **state)
{
	(void)state;
	peer_start(GOOD);
	assert_int_equal(open_front(5), -EOPNOTSUPP);
	close_front();
	peer_kill();
}

static void test_bad_back_ends(void **state)
{
	int err_fd = dup(2), null = open("/dev/null", O_WRONLY);

	(void)state;
	dup2(null, 2); /* each refusal is logged, hundreds of lines */
	for (enum bad bad = WRONG_REQUEST; bad < BAD_KINDS; bad++) {
		int before;

		peer_start(bad);
		before = open_fds();
		for (int i = 0; i < 20; i++) {
			if (open_front(1) == 0)
				fail_msg("badness %d was believed", (int)bad);
			close_front();
		}
		/* The peer closes its ends a moment later. */
		WAIT_FOR(open_fds() == before);
		peer_kill();
	}
	dup2(err_fd, 2);
	close(err_fd);
	close(null);
}

/*
 * What a back-end says by itself: that its configuration changed, which the guest's link follows; what nobody
 * knows, which is refused; and what is no message, after which it is not listened to any more.
 */
static void test_back_end_talks(void **state)
{
	static const uint32_t nonsense[3] = {VU_BACK_CONFIG_CHANGE, 0, 0};
	int before = open_fds();

	(void)state;
	memset(&talk, 0, sizeof(talk));
	talk.channel = -1;
	talk.status = VIRTIO_NET_S_LINK_UP;
	peer_start(TALKS);
	assert_int_equal(open_front(1), 0);
	assert_int_equal(be.mtu, 1300);
	assert_int_equal(be.ops->start(&be, FEATURES | BIT(32), 2), 0);
	__atomic_store_n(&talk.status, 0, __ATOMIC_RELEASE);
	say_on_channel(VU_BACK_CONFIG_CHANGE);
	WAIT_FOR(LOAD(talk.verdict[0]) == 1);
	WAIT_FOR(LOAD(down) == 1);
	__atomic_store_n(&talk.status, VIRTIO_NET_S_LINK_UP, __ATOMIC_RELEASE);
	say_on_channel(VU_BACK_CONFIG_CHANGE);
	WAIT_FOR(LOAD(up) == 1);
	say_on_channel(99);
	WAIT_FOR(LOAD(talk.verdict[1]) == 1);
	assert_int_equal(send(talk.channel, nonsense, sizeof(nonsense), MSG_NOSIGNAL), sizeof(nonsense));
	WAIT_FOR(send(talk.channel, nonsense, 1, MSG_NOSIGNAL) < 0);
	assert_int_equal(LOAD(down), 1);
	assert_int_equal(broken, 0);
	be.ops->stop(&be);
	close_front();
	peer_kill();
	close(talk.channel);
	assert_int_equal(open_fds(), before);
}

/* The back-end holds our memory's fd: it must not be able to cut it. */
static void test_memory_cannot_be_cut(void **state)
{
	struct gmem *gm;

	(void)state;
	assert_int_equal(gmem_create(&gm, MIB), 0);
	assert_int_equal(ftruncate(gmem_fd(gm), 0), -1);
	assert_int_equal(ftruncate(gmem_fd(gm), 2 * MIB), -1);
	gmem_destroy(gm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_and_stop),
		cmocka_unit_test(test_back_end_comes_back),
		cmocka_unit_test(test_eventfds_held_by_the_back_end),
		cmocka_unit_test(test_restart_without_back_end),
		cmocka_unit_test(test_packed_ring_goes_on),
		cmocka_unit_test(test_ring_reset),
		cmocka_unit_test(test_ring_reset_without_back_end),
		cmocka_unit_test(test_what_it_needs),
		cmocka_unit_test(test_ring_outside_memory),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_too_few_queues),
		cmocka_unit_test(test_bad_back_ends),
		cmocka_unit_test(test_back_end_talks),
		cmocka_unit_test(test_memory_cannot_be_cut),
	};
	int r;

	log_init("front_test", LOG_ERROR);
	snprintf(path, sizeof(path), "/tmp/vuf_test.%d", getpid());
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return r;
}
