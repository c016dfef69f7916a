// SPDX-License-Identifier: MIT
#include "bench/lab/lab_erratum.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

#define ANY -1

/* helper_vmrun's case of SVM_EVTINJ_TYPE_INTR, as gcc has compiled it for Debian; offsets of fields vary. */
static const short delivery_code[] = {
	/* movzbl vector,%esi; mov %r13d,error_code(env) */
	0x41, 0x0f, 0xb6, 0xf4, 0x44, 0x89, 0xab, ANY, ANY, 0, 0,
	/* mov %esi,exception_index: the store */
	0x89, 0xb3, ANY, ANY, 0xff, 0xff,
	/* movl $0,exception_is_int(env) */
	0xc7, 0x83, ANY, ANY, 0, 0, 0, 0, 0, 0,
	/* movq $-1,exception_next_eip(env) */
	0x48, 0xc7, 0x83, ANY, ANY, 0, 0, 0xff, 0xff, 0xff, 0xff,
	/* testb $2,qemu_loglevel; jne */
	0xf6, 0x05, ANY, ANY, ANY, ANY, 0x02, 0x0f, 0x85, ANY, ANY, ANY, ANY,
	/* mov $1,%edx; mov env,%rdi; call do_interrupt_x86_hardirq */
	0xba, 1, 0, 0, 0, 0x48, 0x89, 0xdf, 0xe8};

/* decode_op's case of X86_TYPE_C. */
static const short cr_read_code[] = {
	/* lea -2(number); cmp $2; jbe; test $0xf7,number; jne: CR0, 2, 3, 4, 8 */
	0x83, 0xe8, 0x02, 0x3c, 0x02, 0x76, 0x09, 0xf6, 0xc2, 0xf7, 0x0f, 0x85, ANY, ANY, ANY, ANY,
	/* movzbl intercept,%eax; test %al,%al; je: the jump */
	0x41, 0x0f, 0xb6, 0x44, 0x24, ANY, 0x84, 0xc0, 0x0f, 0x84, ANY, ANY, ANY, ANY,
	/* add number,%eax; mov %al,intercept */
	0x01, 0xd0, 0x41, 0x88, 0x44, 0x24, ANY};

static const struct known_code {
	const char *what;
	const short *code;
	size_t len, at; /* at: of what becomes a no-op */
} errata[ERRATA] = {
	[ERRATUM_DELIVERY] = {"double delivery of injected interrupts", delivery_code,
			      ARRAY_SIZE(delivery_code), 11},
	[ERRATUM_CR_READ] = {"reads of control registers as CR0's", cr_read_code, ARRAY_SIZE(cr_read_code),
			     24},
};

static const unsigned char nop6[] = {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00};

static bool code_matches(const struct known_code *k, const unsigned char *code)
{
	for (size_t i = 0; i < k->len; i++)
		if (k->code[i] != ANY && code[i] != k->code[i])
			return false;
	return true;
}

size_t lab_erratum_find(enum lab_erratum which, const unsigned char *code, size_t size)
{
	const struct known_code *k = &errata[which];
	size_t found = SIZE_MAX;

	for (size_t i = 0; i + k->len <= size; i++) {
		if (code[i] != k->code[0] || !code_matches(k, code + i))
			continue;
		if (found != SIZE_MAX)
			return SIZE_MAX;
		found = i + k->at;
	}
	return found;
}

/* Its program's code: the first executable mapping of the file. */
static bool find_text(pid_t pid, uint64_t *start, uint64_t *end)
{
	char *path = xasprintf("/proc/%d/maps", (int)pid), line[512];
	FILE *f = fopen(path, "re");
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%" SCNx64 "-%" SCNx64, start, end) == 2 &&
			strstr(line, " r-xp ") && strchr(line, '/');
	if (f)
		fclose(f);
	free(path);
	return found;
}

static bool mend_one(enum lab_erratum which, int mem, uint64_t start, const unsigned char *code, size_t size)
{
	size_t at = lab_erratum_find(which, code, size);
	bool done = at != SIZE_MAX &&
		    pwrite(mem, nop6, sizeof(nop6), (off_t)(start + at)) == (ssize_t)sizeof(nop6);

	log_debug("lab: QEMU's %s: %s", errata[which].what,
		  done ? "mended in memory" : "not found in this build");
	return done;
}

static bool mend_module(int mem, uint64_t start, size_t size, unsigned which)
{
	unsigned char *code = malloc(size);
	bool there = code && pread(mem, code, size, (off_t)start) == (ssize_t)size, done = there;

	for (unsigned i = 0; i < ERRATA && there; i++)
		if (which & 1u << i)
			done &= mend_one(i, mem, start, code, size);
	free(code);
	return done;
}

static bool mended;

bool lab_erratum_mended(void)
{
	return mended;
}

void lab_erratum_mend(pid_t qemu, unsigned which)
{
	char *path = xasprintf("/proc/%d/mem", (int)qemu);
	int mem = open(path, O_RDWR | O_CLOEXEC);
	uint64_t start, end;

	mended = mem >= 0 && find_text(qemu, &start, &end) && mend_module(mem, start, end - start, which);
	close_fd(&mem);
	free(path);
}
