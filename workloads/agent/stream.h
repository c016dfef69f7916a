/* SPDX-License-Identifier: MIT */
/*
 * A verified TCP byte stream, the same code on both sides, a thread per connection and direction.
 *
 * The stream is a row of blocks of 64 KiB, each
 *
 *      bytes 0..7    number of the block, from 0
 *      bytes 8..15   stream index << 32 | seed
 *      the rest      a fixed pseudo-random pattern of the seed
 *
 * Only the 16 bytes of the header differ from block to block, so sending costs one small store per
 * block. The receiver checks every header (nothing lost, doubled, moved between streams) and the
 * whole body of one block in 16, chosen by a hash of its number so that no fixed distance hides
 * from it (verify=full: of every block). Where a device shifts or damages data at a rate of one
 * block in n, a window of m blocks misses it with probability (1 - 1/16n)^m. The device's checksum
 * offload makes TCP's own checksum blind to what the device itself breaks: that is why it is done
 * here.
 */
#ifndef WORKLOADS_AGENT_STREAM_H
#define WORKLOADS_AGENT_STREAM_H

#include <pthread.h>
#include "workloads/agent/talk.h"

#define STREAM_BLOCK   65536u
#define STREAM_MSG_MAX (1u << 20)
#define STREAM_MAX     64

struct stream {
	int fd;
	bool sender;
	uint32_t index, seed;
	int verify;   /* enum job_verify */
	bool corrupt; /* flip a byte of block 3 */
	uint64_t msg_size;
	uint64_t limit; /* send so many bytes, 0: until stopped */
	bool *stop;	/* shared; atomic */
	pthread_t thread;
	bool started;
	/* Results; bytes may be read (atomically) at any time. */
	uint64_t bytes, blocks_checked, bad;
	int err;
};

/* 0 or -errno. The thread ends with end of stream, stop or the limit; a sender then shuts its side down. */
int stream_start(struct stream *s);
void stream_join(struct stream *s);
uint64_t stream_bytes(const struct stream *s);
/* What has arrived so far: acknowledged by the other side's TCP, or received here. */
struct stream_progress {
	uint64_t bytes;
	/*
	 * Packets as a wire of this MTU would carry them, acknowledgements included. With
	 * segmentation offload a device handles up to 64 KiB as one packet and counts it so
	 * (virtio) or by its segments (e1000): device counters of two modes are not of one unit,
	 * this is. Sent ones are TCP's count, received ones are bytes / segment size.
	 */
	uint64_t wire_packets;
};
struct stream_progress stream_progress(const struct stream *s);
/* What TCP says of a sender since it began, and how long something else than the path held it back. */
struct stream_sending {
	uint64_t cwnd_bytes; /* now */
	uint64_t retransmits, receiver_us, buffer_us;
};
struct stream_sending stream_sending(const struct stream *s);

/* For the unit tests: fill n blocks from number first on; count of bad blocks in a buffer of whole blocks. */
void stream_pattern(unsigned char *block, uint32_t seed);
void stream_stamp(unsigned char *block, uint64_t number, uint32_t index, uint32_t seed);
bool stream_block_ok(const unsigned char *block, const unsigned char *pattern, uint64_t number,
		     uint32_t index, uint32_t seed, int verify);

#endif
