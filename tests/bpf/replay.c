// SPDX-License-Identifier: MIT
/*
 * replay RATE SECONDS: count RATE exits per second for so long, on every CPU together, and check that none
 * is lost, that every histogram holds what its row counted, and that memory stays what it was.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hist.h"
#include "base/log.h"
#include "probes/state.h"
#include "tests/replay.skel.h"

#define BATCH   2000
#define THREADS 16

static struct {
	struct replay_bpf *skel;
	uint64_t per_thread, rate; /* rate: of one thread */
} run;

static uint64_t rss_kib(void)
{
	struct strbuf sb = STRBUF_INIT;
	const char *s = file_read("/proc/self/status", &sb) ? NULL : strstr(strbuf_str(&sb), "VmRSS:");
	uint64_t kib = s ? strtoull(s + 6, NULL, 10) : 0;

	strbuf_free(&sb);
	return kib;
}

/* Batches are due at fixed times: one that comes late is followed by the next at once. */
static void *worker(void *arg)
{
	uint64_t start = clock_ns(), slot = (uint64_t)(uintptr_t)arg + 1, done = 0;

	while (done < run.per_thread) {
		uint64_t due = start + done * NSEC_PER_SEC / run.rate, now = clock_ns();
		__u64 args[3] = {BATCH, slot, done + slot};
		LIBBPF_OPTS(bpf_test_run_opts, o, .ctx_in = args, .ctx_size_in = sizeof(args));

		if (now < due)
			clock_sleep_ns(due - now);
		if (bpf_prog_test_run_opts(bpf_program__fd(run.skel->progs.replay), &o))
			return (void *)1;
		done += BATCH;
	}
	return NULL;
}

/* Complete, and each time in the slot that is its own: their sum lies between the slots' ends. */
static bool row_is_right(const struct exit_row *row)
{
	uint64_t count = 0, least = 0, most = 0;

	for (unsigned s = 0; s < HIST_SLOTS; s++) {
		uint64_t n = row->slots[ROW_SLOT(s)];

		count += n;
		least += n * hist_slot_low(s);
		most += n * (n ? hist_slot_high(s) : 0);
	}
	return count == row->count && least <= row->sum && row->sum <= most;
}

/* Every exit in a row, every row's histogram right. */
static bool check_rows(uint64_t want)
{
	size_t size = (size_t)ROWS_DEFAULT * sizeof(struct exit_row);
	const struct exit_row *rows =
		mmap(NULL, size, PROT_READ, MAP_SHARED, bpf_map__fd(run.skel->maps.rows), 0);
	uint64_t count = 0, bad = 0;

	if (rows == MAP_FAILED)
		return false;
	for (uint32_t i = 0; i < run.skel->bss->n_rows && i < ROWS_DEFAULT; i++) {
		bad += !row_is_right(&rows[i]);
		count += rows[i].count;
	}
	printf("%llu of %llu exits in %u rows, %llu lost, %llu histograms wrong\n",
	       (unsigned long long)count, (unsigned long long)want, run.skel->bss->n_rows,
	       (unsigned long long)run.skel->bss->window.lost, (unsigned long long)bad);
	munmap((void *)rows, size);
	return count == want && !bad && !run.skel->bss->window.lost;
}

int main(int argc, char **argv)
{
	uint64_t rate = argc == 3 ? strtoull(argv[1], NULL, 10) : 0, start, before, grown, n;
	double seconds = argc == 3 ? atof(argv[2]) : 0, took;
	pthread_t thread[THREADS];
	bool failed = false;

	if (!rate || seconds <= 0)
		die(EXIT_USAGE, "replay: expected RATE SECONDS");
	run.skel = replay_bpf__open_and_load();
	if (!run.skel)
		die(EXIT_CANNOT, "replay: the program could not be loaded");
	n = MIN((uint64_t)sysconf(_SC_NPROCESSORS_ONLN), THREADS);
	run.rate = rate / n;
	run.per_thread = (uint64_t)((double)run.rate * seconds) / BATCH * BATCH;
	before = rss_kib();
	start = clock_ns();
	for (uint64_t i = 0; i < n; i++)
		pthread_create(&thread[i], NULL, worker, (void *)(uintptr_t)i);
	for (uint64_t i = 0; i < n; i++) {
		void *bad;

		pthread_join(thread[i], &bad);
		failed |= bad != NULL;
	}
	took = (double)(clock_ns() - start) / 1e9;
	grown = rss_kib() - before;
	printf("%.0f exits/s for %.1f s on %llu CPUs, %llu KiB of memory more\n", (double)(run.per_thread * n) / took,
	       took, (unsigned long long)n, (unsigned long long)grown);
	failed |= !check_rows(run.per_thread * n);
	/* Threads' stacks come once; what grows with the number of exits would be thousands of times this. */
	failed |= grown > 1024;
	/* A machine that is too busy does fewer: the check of the counts holds, the rate was not shown. */
	if (took > seconds * 1.1)
		failed |= (puts("the machine was too slow for this rate"), true);
	replay_bpf__destroy(run.skel);
	return failed;
}
