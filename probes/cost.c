// SPDX-License-Identifier: MIT
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "probes/cost.h"
#include "probes/internal.h"
#include "probes/names.h"

#define FIRST_MS  20
#define SAMPLE_MS 20
#define NAMES_MS  100  /* a VMM may come and go while we look */
#define PERIOD_MS 2000 /* each sample has the kernel patch its code twice: not often */

struct cost {
	pthread_t thread;
	pthread_mutex_t lock;
	int stop_fd;
	uint64_t run_ns, sampled_ns; /* under lock */
};

static uint64_t run_time_ns(struct probes *p)
{
	struct bpf_program *prog;
	uint64_t sum = 0;

	bpf_object__for_each_program(prog, p->skel->obj) {
		struct bpf_prog_info info = {};
		__u32 len = sizeof(info);

		if (bpf_program__fd(prog) >= 0 && !bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len))
			sum += info.run_time_ns;
	}
	return sum;
}

/* The thread is awake anyway: names of registers that are gone when the run has ended. */
static void poll_names(struct probes *p)
{
	pid_t last = 0, tgid;

	for (uint32_t i = 1; i < probes_vcpus_used(p); i++) {
		tgid = (pid_t)probes_hot(p)->vcpu[i].tgid;
		if (tgid && tgid != last)
			names_poll(p->names, tgid);
		last = tgid;
	}
}

static bool stopped(struct cost *c, int timeout_ms)
{
	struct pollfd pfd = {.fd = c->stop_fd, .events = POLLIN};

	return poll(&pfd, 1, timeout_ms) > 0;
}

/* Counts only if the gate was open all through. */
static bool sample(struct probes *p)
{
	struct cost *c = p->cost;
	bool stop, open = probes_hot(p)->gate;
	uint64_t start, before;
	int fd;

	if (!open)
		return stopped(c, SAMPLE_MS);
	before = run_time_ns(p);
	fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (fd < 0)
		return true;
	start = clock_ns();
	stop = stopped(c, SAMPLE_MS);
	pthread_mutex_lock(&c->lock);
	if (probes_hot(p)->gate) {
		c->sampled_ns += clock_ns() - start;
		c->run_ns += run_time_ns(p) - before;
	}
	pthread_mutex_unlock(&c->lock);
	close(fd);
	return stop;
}

static void *cost_thread(void *arg)
{
	struct probes *p = arg;
	struct cost *c = p->cost;
	uint64_t next = 0;
	bool stop = stopped(c, FIRST_MS);

	pthread_setname_np(pthread_self(), "probes-cost");
	while (!stop) {
		poll_names(p);
		if (clock_ns() >= next) {
			stop = sample(p);
			if (c->sampled_ns)
				next = clock_ns() + PERIOD_MS * NSEC_PER_MSEC;
		}
		stop = stop || stopped(c, c->sampled_ns ? NAMES_MS : SAMPLE_MS);
	}
	return NULL;
}

int cost_start(struct probes *p)
{
	struct cost *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->stop_fd = eventfd(0, EFD_CLOEXEC);
	pthread_mutex_init(&c->lock, NULL);
	p->cost = c;
	err = pthread_create(&c->thread, NULL, cost_thread, p);
	if (err) {
		close(c->stop_fd);
		free(c);
		p->cost = NULL;
	}
	return -err;
}

void cost_stop(struct probes *p)
{
	struct cost *c = p->cost;

	if (!c)
		return;
	eventfd_write(c->stop_fd, 1);
	pthread_join(c->thread, NULL);
	close(c->stop_fd);
	pthread_mutex_destroy(&c->lock);
	free(c);
	p->cost = NULL;
}

bool cost_ns(struct probes *p, uint64_t window_ns, uint64_t *out)
{
	struct cost *c = p->cost;
	bool known = false;

	if (!c)
		return false;
	pthread_mutex_lock(&c->lock);
	if (c->sampled_ns) {
		*out = (uint64_t)((double)c->run_ns / (double)c->sampled_ns * (double)window_ns);
		known = true;
	}
	pthread_mutex_unlock(&c->lock);
	return known;
}
