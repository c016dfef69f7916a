/* SPDX-License-Identifier: MIT */
/* Small things that every room uses. */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

static inline uint64_t align_up(uint64_t v, uint64_t a)
{
	return (v + a - 1) & ~(a - 1);
}

static inline uint64_t align_down(uint64_t v, uint64_t a)
{
	return v & ~(a - 1);
}

static inline bool is_pow2(uint64_t v)
{
	return v && !(v & (v - 1));
}

/* For qsort: below, at or above 0 as a is less than, equal to or greater than b. */
static inline int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* a - b, or 0 when b is larger. */
static inline uint64_t sub_floor(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* The text when on, else nothing: the part of a message that depends. */
static inline const char *text_if(bool on, const char *text)
{
	return on ? text : "";
}

/* The text that was given, or the other one where there is none: NULL or empty. */
static inline const char *text_or(const char *given, const char *usual)
{
	return given && *given ? given : usual;
}

static inline const char *on_off(bool on)
{
	return on ? "on" : "off";
}

/* The bits when on, else none. */
static inline uint32_t bits_if(bool on, uint32_t bits)
{
	return on ? bits : 0;
}

/* The value that was given, or the usual one when it is 0. */
static inline uint64_t or_usual(uint64_t given, uint64_t usual)
{
	if (!given)
		return usual;
	return given;
}

/* [off, off+len) lies within [0, size); safe for every value. */
static inline bool range_ok(uint64_t off, uint64_t len, uint64_t size)
{
	return off <= size && len <= size - off;
}

/* Allocation that ends the program when memory is out: for command-line code. Device and probe
 * code that runs on a guest's behalf uses calloc and returns -ENOMEM. */
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
/*
 * Room for one more element after n of them; the capacity is the power of two above n, so that no list keeps
 * it. Every element is added through this.
 */
void *xgrow(void *array, size_t n, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) PRINTF(1, 2);
char *xvasprintf(const char *fmt, va_list ap) PRINTF(1, 0);

/*
 * A stranger's words must not command a terminal: control characters (those of C1 too, 8 bit or in UTF-8),
 * what turns the direction of text, and bytes that are no UTF-8 become '?'; new lines and tabs stay.
 */
void str_printable(char *s);
/* The same, and new lines and tabs become blanks. */
void str_one_line(char *s);

/* -errno when a system call just failed, else 0: err = errno_if(fsync(fd)). */
int errno_if(bool failed);

/* close(*fd) when open and set it to -1; errno is kept. */
void close_fd(int *fd);

/* Parse a whole string. 0, -EINVAL or -ERANGE. Base 0: 0x and 0 prefixes are known. */
int parse_u64(const char *s, uint64_t *out);
/* "512M", "2G", "64K", "1500": bytes, powers of two. */
int parse_size(const char *s, uint64_t *out);
/* "10", "10s", "250ms", "2m": nanoseconds; a bare number is seconds. */
int parse_duration(const char *s, uint64_t *out_ns);
/* on/off, yes/no, true/false, 1/0. */
int parse_bool(const char *s, bool *out);

#endif
