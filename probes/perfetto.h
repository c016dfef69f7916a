/* SPDX-License-Identifier: MIT */
/*
 * Perfetto's trace format, as much of it as a timeline needs: TracePackets with TrackDescriptors and
 * TrackEvents, in Protocol Buffers' wire format. Field numbers are those of perfetto's
 * protos/perfetto/trace/{trace_packet,track_event/track_event,track_event/track_descriptor}.proto, which
 * never change.
 */
#ifndef PROBES_PERFETTO_H
#define PROBES_PERFETTO_H

#include <stdint.h>
#include <stdio.h>

enum perfetto_type { PERFETTO_BEGIN = 1, PERFETTO_END = 2, PERFETTO_INSTANT = 3 };

struct perfetto_event {
	enum perfetto_type type;
	uint64_t ns, track;
	const char *name, *category; /* not of an end */
	const char *key;             /* NULL or "": none */
	uint64_t flow;               /* an arrow goes through here; 0: none */
	uint64_t flow_end;           /* and ends here */
};

/* A thread's track, whose number is `track`; name: of the thread. */
void perfetto_write_track(FILE *f, uint64_t track, int tgid, int tid, const char *name);
void perfetto_write_event(FILE *f, const struct perfetto_event *e);
/* So many events were lost before this time. */
void perfetto_write_lost(FILE *f, uint64_t ns, uint64_t track, uint64_t lost);

#endif
