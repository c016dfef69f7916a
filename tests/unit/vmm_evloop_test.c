// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "vmm/core/evloop.h"

static struct threads running = {.started = true};

struct counter {
	struct evloop *loop;
	int fd;
	int calls;
	pthread_t thread;
	bool delete_itself;
};

static void on_event(void *arg, uint32_t events)
{
	struct counter *c = arg;
	uint64_t n;

	(void)events;
	assert_int_equal(read(c->fd, &n, sizeof(n)), sizeof(n));
	if (c->delete_itself)
		evloop_del(c->loop, c->fd);
	__atomic_fetch_add(&c->calls, 1, __ATOMIC_SEQ_CST);
}

static void raise_event(int fd)
{
	uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

static bool reached(const struct counter *c, int calls)
{
	for (int i = 0; i < 2000 && __atomic_load_n(&c->calls, __ATOMIC_SEQ_CST) < calls; i++)
		clock_sleep_ns(NSEC_PER_MSEC);
	return __atomic_load_n(&c->calls, __ATOMIC_SEQ_CST) == calls;
}

static void note_thread(void *arg)
{
	struct counter *c = arg;

	c->thread = pthread_self();
	c->calls++;
}

static void events_and_removal(void **state)
{
	struct counter c = {.fd = eventfd(0, EFD_NONBLOCK)};

	(void)state;
	assert_int_equal(evloop_create(&c.loop, &running, THREAD_IO, "test"), 0);
	assert_int_equal(evloop_add(c.loop, c.fd, EPOLLIN, on_event, &c), 0);
	assert_true(evloop_add(c.loop, c.fd, EPOLLIN, on_event, &c) < 0);
	raise_event(c.fd);
	assert_true(reached(&c, 1));
	evloop_mod(c.loop, c.fd, 0);
	raise_event(c.fd);
	clock_sleep_ns(20 * NSEC_PER_MSEC);
	assert_int_equal(c.calls, 1);
	evloop_mod(c.loop, c.fd, EPOLLIN);
	assert_true(reached(&c, 2));
	evloop_del(c.loop, c.fd);
	raise_event(c.fd);
	clock_sleep_ns(20 * NSEC_PER_MSEC);
	assert_int_equal(c.calls, 2);
	evloop_del(c.loop, c.fd); /* twice: no harm */
	evloop_destroy(c.loop);
	close(c.fd);
}

static void removal_from_the_callback(void **state)
{
	struct counter c = {.fd = eventfd(0, EFD_NONBLOCK), .delete_itself = true};

	(void)state;
	assert_int_equal(evloop_create(&c.loop, &running, THREAD_IO, "test"), 0);
	for (int i = 1; i <= 20; i++) {
		assert_int_equal(evloop_add(c.loop, c.fd, EPOLLIN, on_event, &c), 0);
		raise_event(c.fd);
		assert_true(reached(&c, i));
		evloop_del(c.loop, c.fd);
	}
	evloop_destroy(c.loop);
	close(c.fd);
}

static void calls_run_on_the_loop(void **state)
{
	struct counter c = {0};

	(void)state;
	assert_int_equal(evloop_create(&c.loop, &running, THREAD_IO, "test"), 0);
	for (int i = 1; i <= 1000; i++) {
		evloop_call(c.loop, note_thread, &c);
		assert_int_equal(c.calls, i);
	}
	assert_false(pthread_equal(c.thread, pthread_self()));
	evloop_post(c.loop, note_thread, &c);
	evloop_destroy(c.loop); /* runs what was posted */
	assert_int_equal(c.calls, 1001);
}

static int64_t busy(void *arg)
{
	return __atomic_add_fetch(&((struct counter *)arg)->calls, 1, __ATOMIC_SEQ_CST) < 1000
		       ? 0
		       : EVLOOP_FOREVER;
}

static int64_t dozing(void *arg)
{
	return __atomic_add_fetch(&((struct counter *)arg)->calls, 1, __ATOMIC_SEQ_CST) < 10
		       ? 1000000
		       : EVLOOP_FOREVER;
}

static void polling(void **state)
{
	struct counter c = {0};

	(void)state;
	assert_int_equal(evloop_create(&c.loop, &running, THREAD_IO, "test"), 0);
	evloop_set_poll(c.loop, busy, &c);
	assert_true(reached(&c, 1000)); /* without an event; then it sleeps */
	c.calls = 0;
	evloop_set_poll(c.loop, dozing, &c);
	assert_true(reached(&c, 10)); /* woken by the time alone */
	evloop_set_poll(c.loop, NULL, NULL);
	evloop_destroy(c.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_and_removal),
		cmocka_unit_test(removal_from_the_callback),
		cmocka_unit_test(calls_run_on_the_loop),
		cmocka_unit_test(polling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
