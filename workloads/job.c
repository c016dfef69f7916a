// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "workloads/job.h"

static const char *const direction_words[] = {"tx", "rx", "both", NULL};
static const char *const tool_words[] = {"engine", "iperf3", "fio", NULL};
static const char *const verify_words[] = {"off", "sample", "full", NULL};

#define F(m) offsetof(struct workload_job, m), sizeof(((struct workload_job *)0)->m)

const struct job_key job_keys[] = {
	{"workload", JOB_STR, F(workload), "null", NULL, "name in the workload table"},
	{"op", JOB_STR, F(op), "", NULL, "parts of the workload to run, comma separated; empty: all"},
	{"duration_ns", JOB_U64, F(duration_ns), "2000000000", NULL, "length of the window"},
	{"warmup_ns", JOB_U64, F(warmup_ns), "300000000", NULL, "same load before the window opens"},
	{"work", JOB_U64, F(work), "0", NULL, "fixed work instead of a duration"},
	{"seed", JOB_U64, F(seed), "1", NULL, "of everything pseudo-random"},
	{"ifname", JOB_STR, F(ifname), "", NULL, "interface; empty: the first Ethernet one"},
	{"addr", JOB_STR, F(addr), "", NULL, "own address/prefix, IPv4 or IPv6; empty: leave as it is"},
	{"peer", JOB_STR, F(peer), "", NULL, "address of the other side"},
	{"port", JOB_U64, F(port), "5301", NULL, "TCP and UDP port of the peer"},
	{"mtu", JOB_U64, F(mtu), "0", NULL, "0 leaves the driver's"},
	{"tso", JOB_BOOL, F(tso), "on", NULL, "off: the guest sends frame by frame, TSO and GSO off"},
	{"throttle", JOB_BOOL, F(throttle), "on", NULL, "off: the guest's card interrupts at once (rx-usecs 0), in sriov the peer's too"},
	{"direction", JOB_WORD, F(direction), "tx", direction_words, "as the guest sees it"},
	{"tool", JOB_WORD, F(tool), "engine", tool_words, "our engine, Debian's iperf3 (network) or fio (disk)"},
	{"verify", JOB_WORD, F(verify), "sample", verify_words, "payload bytes that are compared"},
	{"msg_size", JOB_U64, F(msg_size), "0", NULL, "bytes per write, request or datagram"},
	{"streams", JOB_U64, F(streams), "1", NULL, "parallel connections per direction"},
	{"rate", JOB_U64, F(rate), "0", NULL, "per second; 0: closed loop or search"},
	{"loss_ppm", JOB_U64, F(loss_ppm), "0", NULL, "loss that counts as none in the search"},
	{"rounds", JOB_U64, F(rounds), "10", NULL, "net-rebind, blk-rebind: how often"},
	{"flood", JOB_BOOL, F(flood), "off", NULL, "send as fast as it goes instead of searching"},
	{"disk", JOB_STR, F(disk), "", NULL, "without a VM: its path; empty: the first disk"},
	{"depth", JOB_U64, F(depth), "0", NULL, "requests in flight; 0: the workload's own default"},
	{"write_pct", JOB_U64, F(write_pct), "0", NULL, "writes among 100 requests"},
	{"area", JOB_U64, F(area), "0", NULL, "bytes of the disk that are used; 0: all of it"},
	{"mem_bytes", JOB_U64, F(mem_bytes), "67108864", NULL, "working set"},
	{"period_ns", JOB_U64, F(period_ns), "1000000", NULL, "of the timer"},
	{"start_together", JOB_BOOL, F(start_together), "off", NULL,
	 "wait for the runner after ready; set by vms="},
	{"corrupt", JOB_BOOL, F(corrupt), "off", NULL, "self-test: flip one byte; the sample must fail"},
	{NULL, JOB_STR, 0, 0, NULL, NULL, NULL},
};

const struct job_key *job_key_find(const char *name)
{
	for (const struct job_key *k = job_keys; k->name; k++) {
		if (!strcmp(k->name, name))
			return k;
	}
	return NULL;
}

static int put_u64(void *field, const char *s)
{
	uint64_t v = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return -ERANGE;
	}
	memcpy(field, &v, sizeof(v));
	return 0;
}

static int put_word(void *field, const char *const *words, const char *s)
{
	for (int i = 0; words[i]; i++) {
		if (!strcmp(words[i], s)) {
			memcpy(field, &i, sizeof(i));
			return 0;
		}
	}
	return -EINVAL;
}

static int put_bool(void *field, const char *s)
{
	bool on = !strcmp(s, "on");

	if (!on && strcmp(s, "off") != 0)
		return -EINVAL;
	memcpy(field, &on, sizeof(on));
	return 0;
}

static int put_str(char *field, size_t size, const char *s)
{
	size_t len = strlen(s);

	if (len >= size)
		return -ERANGE;
	if (memchr(s, ' ', len) || memchr(s, '\n', len))
		return -EINVAL;
	memset(field, 0, size);
	memcpy(field, s, len + 1);
	return 0;
}

static int put_value(struct workload_job *job, const struct job_key *k, const char *value)
{
	char *field = (char *)job + k->offset;

	switch (k->type) {
	case JOB_STR:
		return put_str(field, k->size, value);
	case JOB_U64:
		return put_u64(field, value);
	case JOB_BOOL:
		return put_bool(field, value);
	case JOB_WORD:
		return put_word(field, k->words, value);
	}
	return -EINVAL;
}

void job_defaults(struct workload_job *job)
{
	memset(job, 0, sizeof(*job));
	for (const struct job_key *k = job_keys; k->name; k++)
		put_value(job, k, k->def);
}

int job_set(struct workload_job *job, const char *key, const char *value)
{
	const struct job_key *k = job_key_find(key);

	return k ? put_value(job, k, value) : -EINVAL;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool job_wants(const struct workload_job *job, const char *part)
{
	const char *p = job->op;

	if (!*p)
		return true;
	for (; p; p = strchr(p, ',')) {
		size_t n = 0;

		p += *p == ',';
		while (part[n] && p[n] == part[n])
			n++;
		if (!part[n] && (!p[n] || p[n] == ','))
			return true;
	}
	return false;
}

static int set_pair(struct workload_job *job, char *word)
{
	char *eq = strchr(word, '=');
	int err;

	if (!eq)
		return -EINVAL;
	*eq = '\0';
	err = job_set(job, word, eq + 1);
	*eq = '=';
	return err;
}

int job_parse(struct workload_job *job, const char *line, char *bad)
{
	char word[256];

	job_defaults(job);
	while (*line) {
		size_t len = 0;
		int err;

		while (is_blank(*line))
			line++;
		while (line[len] && !is_blank(line[len]))
			len++;
		if (!len)
			break;
		err = -ERANGE;
		memcpy(word, line, MIN(len, sizeof(word) - 1));
		word[MIN(len, sizeof(word) - 1)] = '\0';
		if (len < sizeof(word))
			err = set_pair(job, word);
		if (err) {
			word[63] = '\0';
			if (bad)
				memcpy(bad, word, 64);
			return err;
		}
		line += len;
	}
	return 0;
}

static char *format_u64(uint64_t v, char buf[21])
{
	char *p = buf + 20;

	*p = '\0';
	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	return p;
}

/* The value as text; number is a scratch buffer. */
static const char *value_text(const struct workload_job *job, const struct job_key *k, char number[21])
{
	const char *field = (const char *)job + k->offset;
	uint64_t v;
	int word;

	switch (k->type) {
	case JOB_STR:
		return field;
	case JOB_U64:
		memcpy(&v, field, sizeof(v));
		return format_u64(v, number);
	case JOB_BOOL:
		return *field ? "on" : "off";
	case JOB_WORD:
		memcpy(&word, field, sizeof(word));
		return k->words[word];
	}
	return "";
}

int job_write(const struct workload_job *job, char *buf, size_t size)
{
	size_t len = 0;
	char number[21];

	if (!size)
		return -ERANGE;
	for (const struct job_key *k = job_keys; k->name; k++) {
		const char *value = value_text(job, k, number);
		size_t nlen = strlen(k->name), vlen = strlen(value), sep = len > 0;

		if (k != job_keys && !strcmp(value, k->def))
			continue;
		if (len + sep + nlen + 1 + vlen >= size)
			return -ERANGE;
		if (sep)
			buf[len] = ' ';
		len += sep;
		memcpy(buf + len, k->name, nlen);
		buf[len + nlen] = '=';
		memcpy(buf + len + nlen + 1, value, vlen);
		len += nlen + 1 + vlen;
	}
	buf[len] = '\0';
	return (int)len;
}
