// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

static const char *log_prog = "exitlab";
static enum log_level log_max = LOG_INFO;
static bool log_tint; /* messages are in colour */

bool term_colour(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && !getenv("NO_COLOR") && term && strcmp(term, "dumb");
}

void log_init(const char *prog, enum log_level level)
{
	log_prog = prog;
	log_max = level;
	log_tint = term_colour(STDERR_FILENO);
}

void log_set_level(enum log_level level)
{
	log_max = level;
}

enum log_level log_level(void)
{
	return log_max;
}

void log_vmsg(enum log_level level, const char *fmt, va_list ap)
{
	static const char *const word[] = {"error: ", "warning: ", "", "debug: "};
	static const char *const colour[] = {"\033[1;31m", "\033[33m", "", "\033[2m"};
	int saved = errno;
	bool tint = level != LOG_INFO && log_tint;
	char line[4096], *text;
	size_t n;

	if (level > log_max)
		return;
	/* One write a message, so that lines of several threads do not mix. */
	n = (size_t)snprintf(line, sizeof(line) - 1, "%s: %s%s%s", log_prog,
			     text_if(tint, colour[level]), word[level], text_if(tint, "\033[0m"));
	errno = saved;
	text = line + n;
	n += (size_t)vsnprintf(text, sizeof(line) - 1 - n, fmt, ap);
	n = MIN(n, sizeof(line) - 2);
	str_printable(text);
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0) {
		/* Nobody left to tell. */
	}
	errno = saved;
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vmsg(level, fmt, ap);
	va_end(ap);
}

bool log_limit_pass(struct log_limit *limit)
{
	uint64_t now = clock_ns(), next = __atomic_load_n(&limit->next_ns, __ATOMIC_RELAXED);

	return now >= next && __atomic_compare_exchange_n(&limit->next_ns, &next, now + NSEC_PER_SEC, false,
							  __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

void die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vmsg(LOG_ERROR, fmt, ap);
	va_end(ap);
	exit(status);
}

void bug(const char *file, int line, const char *what)
{
	log_error("bug: %s:%d: %s; please report this line", file, line, what);
	_exit(EXIT_BUG);
}
