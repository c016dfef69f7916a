// SPDX-License-Identifier: MIT
#include "probes/life.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probes/cpu.h"
#include "probes/internal.h"
#include "probes/ladder.h"
#include "probes/names.h"
#include "probes/reasons.h"
#include "probes/trace.h"

struct life {
	struct ring_buffer *ring;
	struct life_log log;
};

static int on_life(void *ctx, void *data, size_t size)
{
	struct life *life = ctx;

	if (size == sizeof(struct exit_event))
		life_add_exit(&life->log, data);
	else if (size == sizeof(struct step_event))
		life_add_step(&life->log, data);
	return 0;
}

int life_open(struct probes *p)
{
	struct life *life = calloc(1, sizeof(*life));

	if (!life)
		return -ENOMEM;
	p->life = life;
	life->ring = ring_buffer__new(bpf_map__fd(p->skel->maps.trace_ring), on_life, life, NULL);
	return errno_if(!life->ring);
}

/* "npf virtio-net0 txq0 kick"; without a name the key. */
static void name_exit(void *ctx, uint32_t reason, uint64_t key, char *buf, size_t size)
{
	struct probes *p = ctx;
	char device[64];
	const char *of = key_text(p->backend, reason, key, false);

	if (names_find(p->names, p->opts.pid, p->backend, reason, key, device, sizeof(device)))
		of = device;
	snprintf(buf, size, "%s%s%s", reason_name(p->backend, reason), text_if(*of, " "), of);
}

static void log_threads(struct life_log *log, const json_t *threads)
{
	struct life_thread *t = xcalloc(json_array_size(threads) + 1, sizeof(*t));
	const json_t *j;
	size_t i;

	json_array_foreach(threads, i, j)
		t[log->n_threads++] = (struct life_thread){
			.tid = (uint32_t)json_integer_value(json_object_get(j, "tid")),
			.role = json_string_value(json_object_get(j, "role")),
			.name = json_string_value(json_object_get(j, "name")),
		};
	log->thread = t;
}

json_t *life_to_json(struct probes *p)
{
	const char *why = NULL;
	json_t *threads, *j;
	struct life_log *log;

	if (!p->life)
		return NULL;
	log = &p->life->log;
	ring_buffer__consume(p->life->ring);
	threads = cpu_to_json(p);
	log_threads(log, threads);
	log->name = name_exit;
	log->ctx = p;
	j = life_ladder(log, &why);
	if (!j)
		j = json_pack("{s:s}", "missing", why);
	json_object_set_new(j, "events", json_integer((json_int_t)log->n));
	json_object_set_new(j, "dropped", json_integer((json_int_t)trace_drops(p)));
	free((void *)log->thread);
	log->thread = NULL;
	log->n_threads = 0;
	json_decref(threads);
	return j;
}

void life_close(struct probes *p)
{
	if (!p->life)
		return;
	ring_buffer__free(p->life->ring);
	free(p->life->log.event);
	free(p->life);
	p->life = NULL;
}
