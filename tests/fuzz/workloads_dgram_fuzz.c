// SPDX-License-Identifier: MIT
/*
 * libFuzzer: a guest's datagrams, as the peer of guests without TCP gets them: over loopback, to its own
 * thread. Records of a length (2 bytes) and what is sent; the peer still answers a good one afterwards.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "workloads/agent/peer.h"
#include "workloads/dgram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int connect_peer(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	uint64_t port = 20000 + (uint64_t)getpid() % 20000;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	to.sin_port = htons((uint16_t)(port + DGRAM_PORT_OFFSET));
	if (peer_dgram_start(port) || fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		abort();
	return fd;
}

#define LIMIT_S     10 /* of this process's own processor time: a busy machine gives it little */
#define ASK_AGAIN_MS 100

static bool answered(int fd, uint64_t nr)
{
	struct dgram_result r = {0};

	for (int i = 0; i < 64; i++) {
		if (recv(fd, &r, sizeof(r), MSG_DONTWAIT) < 0)
			return false;
		if (r.head.op == DGRAM_OK && r.head.nr == nr)
			return true;
	}
	return false;
}

/* A session that asks for nothing is begun, which ends what the input has begun. */
static void ask(int fd, uint64_t nr)
{
	struct dgram_start s = {.head = {DGRAM_MAGIC, DGRAM_START, nr}, .size = DGRAM_MIN};
	clock_t until = clock() + LIMIT_S * CLOCKS_PER_SEC;

	while (!answered(fd, nr)) {
		struct pollfd p = {fd, POLLIN, 0};

		if (clock() > until || send(fd, &s, sizeof(s), 0) < 0 || poll(&p, 1, ASK_AGAIN_MS) < 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static uint64_t nr = 1ull << 63;

	if (fd < 0) {
		log_init("fuzz", -1);
		fd = connect_peer();
	}
	while (size >= 2) {
		size_t len = MIN((size_t)(data[0] | data[1] << 8), size - 2);

		if (send(fd, data + 2, len, 0) < 0)
			abort();
		data += 2 + len;
		size -= 2 + len;
	}
	ask(fd, nr++);
	return 0;
}
