/* SPDX-License-Identifier: MIT */
/*
 * What the micro guest has written to its disk and what the disk has said to be safe, for one who looks
 * into the guest's memory (vmm --share-memory) after the VM was killed: the guest's own stores, which no
 * layer between can delay, lose or make up.
 *
 * The ledger begins at a page. Word i of the lists is of place i: `sectors` sectors from i * sectors on,
 * whose stamps (blk_stamp.h) count up from that word. A place whose last flushed write was d and whose last
 * begun one was w holds in each sector, for ever after, the stamp of one of the writes d to w.
 */
#ifndef WORKLOADS_BLK_LEDGER_H
#define WORKLOADS_BLK_LEDGER_H

#include <stdint.h>

#define BLK_LEDGER_MAGIC 0x524547444c4b4c42ull

struct blk_ledger {
	uint64_t magic;		   /* there once all places have been written and flushed */
	uint64_t at;		   /* its own address */
	uint64_t places, sectors;  /* of each */
	uint64_t written, durable; /* addresses of the lists */
};

#endif
