/* SPDX-License-Identifier: MIT */
/*
 * Messages for people, on stderr: "bench: error: WHAT: WHY; WHAT TO DO".
 * The place that knows most logs once and returns -errno; callers pass it up without logging again.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>
#include "base/util.h"

/* Exit statuses of bench (docs/reference.md); vmm uses 0 to 3 in its own sense. */
enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1, /* a sample failed, a gate tripped */
	EXIT_USAGE = 2,
	EXIT_CANNOT = 3, /* this substrate cannot */
	EXIT_BUG = 4,    /* our own bug */
	EXIT_UNDECIDED = 125, /* no verdict; git bisect takes it for "skip" */
};

enum log_level { LOG_SILENT = -1, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Name before every message; default level LOG_INFO. */
void log_init(const char *prog, enum log_level level);
enum log_level log_level(void);
void log_set_level(enum log_level level);

void log_msg(enum log_level level, const char *fmt, ...) PRINTF(2, 3);
void log_vmsg(enum log_level level, const char *fmt, va_list ap) PRINTF(2, 0);

#define log_error(...) log_msg(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_msg(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_msg(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_DEBUG, __VA_ARGS__)

/* For what a guest or a peer can cause at will: at most one line a second from each call site. */
struct log_limit {
	uint64_t next_ns;
};
bool log_limit_pass(struct log_limit *limit);
#define log_guest(...)                                                                            \
	do {                                                                                      \
		static struct log_limit limit_;                                                   \
		if (log_limit_pass(&limit_))                                                      \
			log_warn(__VA_ARGS__);                                                    \
	} while (0)

/* Log an error and exit: only for the mains and their option parsing. */
_Noreturn void die(int status, const char *fmt, ...) PRINTF(2, 3);

/* Our own invariant is broken. Never for anything that a guest, a file or a user can cause. */
_Noreturn void bug(const char *file, int line, const char *what);
#define BUG(what)    bug(__FILE__, __LINE__, what)
#define BUG_ON(cond)                                                                              \
	do {                                                                                      \
		if (__builtin_expect(!!(cond), 0))                                                \
			bug(__FILE__, __LINE__, #cond);                                           \
	} while (0)

/* True when the stream is a terminal that wants colour (NO_COLOR and TERM=dumb honoured). */
bool term_colour(int fd);

#endif
