// SPDX-License-Identifier: MIT
/*
 * libFuzzer: a caller of bench peer says what the input says; nobody without the token gets in, and no
 * file stays open.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "bench/host/peer_link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct peer_token token = {"0123456789abcdef0123456789abcdef", 32};
	struct pollfd fds[PEER_CALLERS];
	struct peer_caller caller;
	struct peer_door door;
	int pair[2];

	log_init("fuzz", -1);
	peer_door_open(&door);
	while (size) {
		size_t len = MIN((size_t)data[0], size - 1);

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
			abort();
		peer_door_add(&door, pair[0]);
		if (send(pair[1], data + 1, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			abort();
		if (peer_door_next(&door, &token, &caller))
			abort();
		close(pair[1]);
		peer_door_wait(&door, fds);
		data += 1 + len;
		size -= 1 + len;
	}
	if (peer_door_next(&door, &token, &caller))
		abort();
	peer_door_close(&door);
	if (fcntl(pair[0], F_GETFD) >= 0 && pair[0] > 2)
		abort();
	return 0;
}
