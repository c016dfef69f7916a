// SPDX-License-Identifier: MIT
/* bench profile --listen: a page for those who ask for it, nothing for those who only cost time or memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "bench/profile/listener.h"
#include "bench/profile/metrics_page.h"

static struct listener *l;
static size_t page_bytes;

static void write_page(void *ctx, struct strbuf *out)
{
	(void)ctx;
	for (size_t i = 0; i < page_bytes; i++)
		strbuf_addc(out, 'x');
	strbuf_adds(out, "# EOF\n");
}

static int up(void **state)
{
	(void)state;
	page_bytes = 0;
	return listener_open(&l, "127.0.0.1:0");
}

static int down(void **state)
{
	(void)state;
	listener_close(l);
	return 0;
}

static int client(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)listener_port(l)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	connect(fd, (struct sockaddr *)&at, sizeof(at));
	listener_serve(l, NSEC_PER_MSEC, write_page, NULL);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What has come when the other end has closed; fails after 2 s. Caller frees. */
static char *hear(int fd)
{
	uint64_t end = clock_ns() + 2 * NSEC_PER_SEC;
	struct strbuf sb = STRBUF_INIT;
	char buf[65536];
	ssize_t n = 1;

	while (n) {
		listener_serve(l, NSEC_PER_MSEC, write_page, NULL);
		n = recv(fd, buf, sizeof(buf), 0);
		if (n > 0)
			strbuf_add(&sb, buf, (size_t)n);
		else if (n && errno != EAGAIN)
			break;
		assert_true(clock_ns() < end);
	}
	close(fd);
	return strbuf_take(&sb);
}

static void expect(const char *request, const char *begins, const char *ends)
{
	int fd = client();
	char *is;

	say(fd, request);
	is = hear(fd);
	if (!is || strncmp(is, begins, strlen(begins)) || strlen(is) < strlen(ends) ||
	    strcmp(is + strlen(is) - strlen(ends), ends))
		fail_msg("%s gave %s", request, is ? is : "nothing");
	free(is);
}

static void test_requests(void **state)
{
	(void)state;
	expect("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\n# EOF\n");
	expect("GET /metrics?x=1 HTTP/1.0\n\n", "HTTP/1.1 200 OK\r\n", "# EOF\n");
	expect("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ", "\r\n\r\n");
	expect("GET /metricsx HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ", "\r\n\r\n");
	expect("POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 ", "\r\n\r\n");
	expect("\r\n\r\n", "HTTP/1.1 405 ", "\r\n\r\n");
}

static void test_long_request_is_not_kept(void **state)
{
	char much[LISTENER_REQUEST + 1];
	int fd = client();
	char *is;

	(void)state;
	memset(much, 'a', LISTENER_REQUEST);
	much[LISTENER_REQUEST] = '\0';
	say(fd, much);
	is = hear(fd);
	assert_true(!is || !*is);
	free(is);
}

/* Clients that say nothing, more than there is room for, do not keep out the next one. */
static void test_silent_clients(void **state)
{
	int fd[3 * LISTENER_CLIENTS];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		fd[i] = client();
	expect("GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n", "# EOF\n");
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
}

/* One that asks and does not read holds up nobody: serving returns when its time is over. */
static void test_reader_that_does_not_read(void **state)
{
	int fd = client();
	uint64_t from;

	(void)state;
	page_bytes = 32 << 20;
	say(fd, "GET /metrics HTTP/1.1\r\n\r\n");
	listener_serve(l, 20 * NSEC_PER_MSEC, write_page, NULL);
	page_bytes = 0;
	from = clock_ns();
	expect("GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n", "# EOF\n");
	assert_true(clock_ns() - from < 2 * NSEC_PER_SEC);
	close(fd);
}

static void test_addresses(void **state)
{
	static const char *const bad[] = {
		"",	     "9464", "localhost:9464", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:99999",
		"[::1:9464", ":"};
	struct listener *none = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!listener_open(&none, bad[i]))
			fail_msg("%s was taken", bad[i]);
	assert_int_equal(listener_open(&none, "[::1]:0"), 0);
	assert_true(listener_port(none) > 0);
	listener_close(none);
}

/* ---- the page ---- */

static void test_page(void **state)
{
	static struct view_row key[] = {{.reason = "npf", .key = "0xfe0", .device = "a\"b\\c", .count = 3,
					 .timed = 2, .total_ns = 3000, .user_ns = 2000}};
	static struct view_row reason[] = {{.reason = "npf", .count = 3}};
	struct metrics_vm vm = {.pid = 7,
				.name = {.text = "web", .manager = ""},
				.by_key = {.row = key, .n = 1},
				.by_reason = {.row = reason, .n = 1}};
	struct strbuf out = STRBUF_INIT;
	const char *s;

	(void)state;
	hist_init(&reason[0].hist);
	hist_add(&reason[0].hist, 1023);
	hist_add(&reason[0].hist, 1024);
	metrics_page(&vm, 1, 5, &out);
	s = strbuf_str(&out);
	assert_non_null(strstr(s, "kvm_exits_total{pid=\"7\",domain=\"web\",reason=\"npf\",key=\"0xfe0\","
				  "device=\"a\\\"b\\\\c\"} 3\n"));
	assert_non_null(strstr(s, "part=\"kvm\"} 0.000001000\n"));
	assert_non_null(strstr(s, "part=\"user\"} 0.000002000\n"));
	assert_null(strstr(s, "part=\"asleep\""));
	/* What is at most the bound, and not what is above it. */
	assert_non_null(strstr(s, "le=\"0.000000511\"} 0\n"));
	assert_non_null(strstr(s, "le=\"0.000001023\"} 1\n"));
	assert_non_null(strstr(s, "le=\"0.000002047\"} 2\n"));
	assert_non_null(strstr(s, "le=\"+Inf\"} 2\n"));
	assert_non_null(strstr(s, "duration_seconds_sum{pid=\"7\",domain=\"web\",reason=\"npf\"} 0.000002047\n"));
	assert_non_null(strstr(s, "kvm_exit_events_lost_total 5\n# EOF\n"));
	strbuf_free(&out);
	/* Of one in a pod, and of one whose name would be a label of its own. */
	vm.name = (struct vm_name){
		.text = "a\"} 1\n", .manager = "kubevirt", .pod = "7b1c", .container = "0123"};
	metrics_page(&vm, 1, 5, &out);
	assert_non_null(strstr(strbuf_str(&out), "{pid=\"7\",domain=\"a\\\"} 1\\n\",manager=\"kubevirt\","
						 "pod_uid=\"7b1c\",container=\"0123\",reason=\"npf\""));
	strbuf_free(&out);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(test_requests), SERVED(test_long_request_is_not_kept), SERVED(test_silent_clients),
		SERVED(test_reader_that_does_not_read), cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
