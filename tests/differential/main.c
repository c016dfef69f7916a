// SPDX-License-Identifier: MIT
/*
 * A card of ours beside QEMU's: one trace of register accesses, rings in memory and frames on the wire
 * is done to both; what registers give, what rings and buffers say, and the frames that were sent are
 * compared. What differs on purpose is in each card's file, with its reason, and in docs/vmm.md.
 *
 *   differential [-v] CARD [FIRST [TRACES]]      traces are numbered by their seed; CARD: e1000, virtio-net
 *
 * Exit status 1: they differ; the line says in which trace, and with -v what was done before.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "tests/differential/both.h"

static const struct card *find_card(const char *name)
{
	static const struct card *const cards[] = {&card_e1000, &card_virtio_net};

	for (size_t i = 0; name && i < ARRAY_SIZE(cards); i++)
		if (!strcmp(cards[i]->name, name))
			return cards[i];
	die(EXIT_USAGE, "which card? e1000 or virtio-net");
}

int main(int argc, char **argv)
{
	unsigned long first = 1, n = 30;
	const struct card *card;

	log_init("differential", LOG_ERROR);
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0); /* with the error in its place */
	if (argc > 1 && !strcmp(argv[1], "-v")) {
		both.verbose = true;
		argc--;
		argv++;
	}
	card = find_card(argv[1]);
	if (argc > 2)
		first = strtoul(argv[2], NULL, 10);
	if (argc > 3)
		n = strtoul(argv[3], NULL, 10);
	card->start();
	for (both.trace = first; both.trace < first + n; both.trace++) {
		both_drain_wires();
		rng_seed(&both.rng, both.trace);
		card->trace();
	}
	printf("%s: %lu traces of %u steps, no difference\n", card->name, n, card->steps);
	return EXIT_OK;
}
