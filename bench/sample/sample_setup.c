// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "bench/host/substrate.h"
#include "bench/host/paths.h"
#include "bench/sample/sample_impl.h"
#include "workloads/image.h"

#define CARD_WAIT_NS (5 * NSEC_PER_SEC)
#define PEER_PORTS   4 /* that a peer may take: TCP, iperf3, UDP */

int run_make_job(struct run *r)
{
	if (cell_job(r->cell, r->want->args, &r->job))
		return run_fail(r, -EINVAL, "the job is not sound");
	r->job.start_together = cell_vms(r->cell) > 1;
	if (run_is_vfio(r) || r->want->real_wire) /* the peers are neighbours there */
		r->job.port += PEER_PORTS * r->vm;
	if (run_has_net(r)) {
		snprintf(r->job.addr, sizeof(r->job.addr), "%s", r->wire.guest_addr);
		snprintf(r->job.peer, sizeof(r->job.peer), "%s", r->wire.peer_addr);
	}
	return 0;
}

/* After a run that was killed the kernel takes a moment to bring its cards back. */
static char *patiently(char *(*find)(const char *not_this), const char *not_this)
{
	uint64_t until = clock_ns() + CARD_WAIT_NS;
	char *nic = find(not_this);

	while (!nic && clock_ns() < until) {
		clock_sleep_ns(50 * NSEC_PER_MSEC);
		nic = find(not_this);
	}
	return nic;
}

/* The lab's second card is the other end; elsewhere it is another machine's. 0, *nic NULL then; or -ENODEV.
 */
static int peer_card(const struct run *r, const char *pf, char **nic)
{
	*nic = NULL;
	if (r->want->args->peer)
		return 0;
	*nic = lab_inside() ? patiently(sriov_find_card, pf) : NULL;
	if (*nic)
		return 0;
	log_error("no card for the other end of the wire; run `bench peer` on the machine there, and name it with --peer=ADDR");
	return -ENODEV;
}

static int on_off(const struct knobs *ks, const char *name, int fallback)
{
	const char *v = knobs_get(ks, name, NULL);

	return v ? !strcmp(v, "on") : fallback;
}

static void sriov_wanted(const struct run *r, struct sriov_want *w)
{
	const struct run_args *args = r->want->args;
	const struct knobs *ks = &r->cell->knobs;
	uint64_t vlan = knobs_u64(ks, "vlan", 0);

	*w = (struct sriov_want){
		.nic = args->nic,
		.vf = args->vf,
		.mac = r->first ? r->wire.mac : WIRE_GUEST_MAC,
		.functions = cell_vms(r->cell),
		.settings = {"", vlan ? (int)vlan : -1, on_off(ks, "spoofchk", args->vf ? -1 : 1),
			     on_off(ks, "trust", -1)},
		.unsafe_interrupts = args->unsafe_interrupts,
	};
}

static int set_function(struct run *r)
{
	struct sriov_want w;

	sriov_wanted(r, &w);
	return r->first ? sriov_setup_next(&r->sriov, &r->first->sriov, r->vm, &w)
			: sriov_setup(&r->sriov, &w);
}

static int make_sriov_wire(struct run *r)
{
	bool ipv6 = r->want->args->ipv6;
	int vlan = (int)knobs_u64(&r->cell->knobs, "vlan", 0);
	char *peer;
	int err = r->first ? wire_join(&r->wire, &r->first->wire, r->vm, 0, ipv6) : 0;

	err = err ? err : set_function(r);
	if (err)
		return err;
	/* Without the right to read the kernel's log faults are not counted. */
	if (iommu_watch_open(&r->faults, r->sriov.vf_addr))
		log_warn("/dev/kmsg: %s; DMA that the IOMMU stops is not counted", strerror(errno));
	if (r->first)
		return 0;
	err = peer_card(r, r->sriov.pf, &peer);
	err = err ? err : wire_cards(&r->wire, peer, NULL, vlan, ipv6);
	free(peer);
	return err;
}

/* Every mode through the same card to the same peer: the baseline has the card itself, the others a switch to
 * it. */
static int make_card_wire(struct run *r, unsigned queues)
{
	const struct run_args *args = r->want->args;
	char *pf, *peer = NULL;
	int err;

	if (r->first)
		return wire_join(&r->wire, &r->first->wire, r->vm, queues, args->ipv6);
	pf = args->nic && strcmp(args->nic, "auto") ? xstrdup(args->nic) : patiently(sriov_find_card, NULL);
	err = pf ? peer_card(r, pf, &peer) : -ENODEV;
	if (!pf)
		log_error("--topology=wire: no card with SR-IOV here; name one with --nic, or use --on=lab");
	if (!err)
		err = run_no_vm(r) ? wire_cards(&r->wire, peer, pf, 0, args->ipv6)
				   : wire_switched(&r->wire, queues, peer, pf, args->ipv6);
	free(peer);
	free(pf);
	return err;
}

int run_make_wire(struct run *r)
{
	unsigned queues = (unsigned)knobs_u64(&r->cell->knobs, "queues", 1);
	int err = 0;

	if (!run_has_net(r))
		return 0;
	if (r->want->args->peer && peer_token_read(r->want->args->token, &r->token))
		return run_fail(r, -EACCES, "no token for the peer");
	if (run_is_vfio(r))
		err = make_sriov_wire(r);
	else if (r->want->real_wire)
		err = make_card_wire(r, queues);
	else if (run_no_vm(r))
		err = wire_veth(&r->wire, r->want->args->ipv6);
	else
		err = wire_tap(&r->wire, queues, r->want->args->ipv6);
	return err ? run_fail(r, err, "the wire could not be set up: %s", strerror(-err)) : 0;
}

/* As image_spec wants them: NULL-terminated. */
static void module_names(const struct strlist *l, const char *names[8])
{
	for (size_t i = 0; i < l->n && i < 7; i++)
		names[i] = l->v[i];
}

int run_make_image(struct run *r)
{
	static const char *const iperf[] = {"/usr/bin/iperf3", NULL};
	struct image_spec spec = {.agent = path_tool("agent")};
	struct strlist vf_modules = STRLIST_INIT;
	const char *names[8] = {NULL};
	char line[JOB_LINE_MAX], *dir, *modules;
	int err;

	if (run_is_micro(r) || run_no_vm(r))
		return 0;
	if (!spec.agent)
		return run_fail(r, -ENOENT, "the agent is not built; run make");
	modules = xasprintf("%s/modules", r->want->kernel_dir);
	spec.moddir = realpath(modules, NULL);
	free(modules);
	err = 0;
	if (run_is_vfio(r)) /* whatever the function's driver is */
		err = modules_for_pci(spec.moddir, r->sriov.vf_addr, &vf_modules);
	module_names(&vf_modules, names);
	spec.modules = run_is_vfio(r) ? names : r->cell->mode->modules;
	if (job_write(&r->job, line, sizeof(line)) < 0)
		BUG("job line");
	spec.job = line;
	spec.programs = r->job.tool == JOB_IPERF3 ? iperf : NULL;
	dir = xasprintf("%s/images", path_cache());
	err = err ? err : dir_make_all(dir);
	err = err ? err : image_build_in(&spec, dir, &r->image);
	strlist_free(&vf_modules);
	free(dir);
	free((char *)spec.moddir);
	return err ? run_fail(r, err, "the guest's image could not be built: %s", strerror(-err)) : 0;
}
