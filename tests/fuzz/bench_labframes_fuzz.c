// SPDX-License-Identifier: MIT
/*
 * libFuzzer: what a lab says. The first byte is the kind of channel and where the rest is cut in two;
 * files go below a directory of ours and nowhere else.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "bench/lab/lab_impl.h"
#include "bench/lab/lab_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of a directory with nothing else in it. */
static unsigned entries(const char *dir)
{
	struct stat st;

	return stat(dir, &st) ? 0 : (unsigned)st.st_nlink;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char above[] = "/dev/shm/exitlab-fuzz-XXXXXX", out[64];
	struct lab_spec spec = {.out_dir = out};
	struct lab lab = {.spec = &spec, .ctl_fd = -1};
	size_t cut;

	if (!*out) {
		log_init("fuzz", -1);
		if (!mkdtemp(above))
			abort();
		snprintf(out, sizeof(out), "%s/out", above);
	}
	if (!size)
		return 0;
	lab.channel = (enum lab_channel)(data[0] % 3);
	if (lab.channel == LAB_SPEAKS)
		strbuf_add(&lab.inbox, LAB_MAGIC, sizeof(LAB_MAGIC));
	cut = MIN((size_t)data[0], size - 1);
	strbuf_add(&lab.inbox, data + 1, cut);
	if (!lab_take_frames(&lab)) {
		strbuf_add(&lab.inbox, data + 1 + cut, size - 1 - cut);
		lab_take_frames(&lab);
	}
	if (lab.inbox.len > size + sizeof(LAB_MAGIC))
		abort();
	strbuf_free(&lab.inbox);
	dir_remove_all(out);
	if (entries(above) != 2)
		abort();
	rmdir(above);
	mkdir(above, 0700);
	return 0;
}
