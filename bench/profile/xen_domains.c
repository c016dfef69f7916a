// SPDX-License-Identifier: MIT
#include "bench/profile/xen_domains.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/strbuf.h"

#define UUID_LENGTH 36
#define DOMID_END   0x7ff0u /* Xen's own numbers begin here */
#define XL_NS	    (60 * NSEC_PER_SEC)

/* xl fills names up with blanks. */
static void cut_blanks(char *name)
{
	size_t len = strlen(name);

	while (len && name[len - 1] == ' ')
		name[--len] = '\0';
}

/* "UUID  ID  NAME", where a name may have blanks in it. */
static bool parse_line(const char *line, struct xen_domain *out)
{
	size_t dashes = strspn(line, "0123456789abcdef-");
	unsigned id;
	int name = 0;

	if (dashes != UUID_LENGTH || sscanf(line + dashes, " %5u %n", &id, &name) != 1 || !name ||
	    id >= DOMID_END)
		return false;
	out->id = id;
	snprintf(out->name, sizeof(out->name), "%.*s", (int)strcspn(line + dashes + name, "\n"),
		 line + dashes + name);
	str_one_line(out->name);
	cut_blanks(out->name);
	return out->name[0];
}

void xen_domains_parse(struct xen_domains *d, const char *text)
{
	struct xen_domain domain;

	*d = (struct xen_domains){.n = 0};
	while (*text) {
		if (parse_line(text, &domain)) {
			d->domain = xgrow(d->domain, d->n, sizeof(*d->domain));
			d->domain[d->n++] = domain;
		}
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
}

int xen_domains_list(struct xen_domains *d)
{
	char *argv[] = {"xl", "vm-list", NULL};
	struct strbuf text = STRBUF_INIT;
	int err = proc_run(argv, &text, XL_NS);

	*d = (struct xen_domains){.n = 0};
	if (err == -ENOENT)
		log_error("xl is not installed: domains are seen in dom0 of a Xen host, with Debian's "
			  "xen-utils-common; without one: bench lab exec --lab=xen -- CMD");
	else if (err)
		log_error("xl vm-list: %s %d; domains are seen by root in dom0 of a Xen host, or in "
			  "bench lab exec --lab=xen -- CMD",
			  err < 0 ? "error" : "status", err);
	else
		xen_domains_parse(d, strbuf_str(&text));
	strbuf_free(&text);
	if (err > 0)
		return -EIO;
	return err;
}

const struct xen_domain *xen_domains_find(const struct xen_domains *d, const char *name)
{
	uint64_t id;

	for (size_t i = 0; i < d->n; i++)
		if (!strcmp(d->domain[i].name, name))
			return &d->domain[i];
	if (parse_u64(name, &id) || id >= DOMID_END)
		return NULL;
	return xen_domains_by_id(d, (unsigned)id);
}

const struct xen_domain *xen_domains_by_id(const struct xen_domains *d, unsigned id)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->domain[i].id == id)
			return &d->domain[i];
	return NULL;
}

void xen_domains_free(struct xen_domains *d)
{
	free(d->domain);
	*d = (struct xen_domains){.n = 0};
}
