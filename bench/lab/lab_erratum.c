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

#define ANY   -1
#define STORE 11 /* offset of the store in code_known */

/* helper_vmrun's case of SVM_EVTINJ_TYPE_INTR, as gcc has compiled it for Debian; offsets of fields vary. */
static const short code_known[] = {
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

static const unsigned char nop6[] = {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00};

static bool code_matches(const unsigned char *code)
{
	for (size_t i = 0; i < ARRAY_SIZE(code_known); i++)
		if (code_known[i] != ANY && code[i] != code_known[i])
			return false;
	return true;
}

size_t lab_erratum_find(const unsigned char *code, size_t size)
{
	size_t found = SIZE_MAX;

	for (size_t i = 0; i + ARRAY_SIZE(code_known) <= size; i++) {
		if (code[i] != code_known[0] || !code_matches(code + i))
			continue;
		if (found != SIZE_MAX)
			return SIZE_MAX;
		found = i + STORE;
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

static bool mend_module(int mem, uint64_t start, size_t size)
{
	unsigned char *code = malloc(size);
	size_t at = SIZE_MAX;

	if (code && pread(mem, code, size, (off_t)start) == (ssize_t)size)
		at = lab_erratum_find(code, size);
	free(code);
	return at != SIZE_MAX &&
	       pwrite(mem, nop6, sizeof(nop6), (off_t)(start + at)) == (ssize_t)sizeof(nop6);
}

static bool mended;

bool lab_erratum_mended(void)
{
	return mended;
}

void lab_erratum_mend(pid_t qemu)
{
	char *path = xasprintf("/proc/%d/mem", (int)qemu);
	int mem = open(path, O_RDWR | O_CLOEXEC);
	uint64_t start, end;

	mended = mem >= 0 && find_text(qemu, &start, &end) && mend_module(mem, start, end - start);

	close_fd(&mem);
	free(path);
	log_debug("lab: QEMU's double delivery of injected interrupts: %s",
		  mended ? "mended in memory"
		       : "not found in this build; a guest is lost now and then");
}
