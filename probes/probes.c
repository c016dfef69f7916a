// SPDX-License-Identifier: MIT
#include <errno.h>

#include "base/log.h"
#include "probes/probes.h"

int probes_open(struct probes **out, const struct probes_opts *opts)
{
	(void)opts;
	*out = NULL;
	log_error("probes: not supported yet; use --no-probes");
	return -EOPNOTSUPP;
}

void probes_close(struct probes *p)
{
	(void)p;
}

int probes_read(struct probes *p, json_t **out)
{
	(void)p;
	*out = NULL;
	return -EOPNOTSUPP;
}
