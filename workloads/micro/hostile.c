// SPDX-License-Identifier: MIT
#include <string.h>

#include "workloads/micro/hostile.h"

#define SETTLE_NS (2 * NS_PER_MS)
#define ECAM      0xe0000000ull
#define IOAPIC    0xfec00000ull

struct net hostile_net;
uint64_t hostile_cases;
uint64_t bad_addr[64];
unsigned n_bad_addr;
static uint64_t random_state;

uint64_t hostile_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

void hostile_settle(void)
{
	uint64_t end = rdtsc() + ns_to_tsc(SETTLE_NS);

	while (rdtsc() < end)
		cpu_relax();
}

static void collect_addresses(void)
{
	const uint64_t fixed[] = {
		APIC_BASE,  IOAPIC,	ECAM,	    mem_end() - 8,     mem_end(),
		0xfffffff0, 1ull << 40, 1ull << 52, UINT64_MAX - 4095, UINT64_MAX - 7,
	};

	n_bad_addr = 0;
	for (unsigned slot = 0; slot < 8; slot++) {
		struct pci_dev dev = {.slot = (uint8_t)slot};

		if (pci_read(&dev, 0, 2) == 0xffff)
			continue;
		for (unsigned i = 0; i < PCI_BARS && n_bad_addr < 32; i++) {
			uint32_t bar = pci_read(&dev, PCI_REG_BAR0 + 4 * i, 4);

			if (bar && !(bar & 1))
				bad_addr[n_bad_addr++] = bar & ~0xfull;
			i += (bar & 7) == 4;
		}
	}
	for (unsigned i = 0; i < ARRAY_SIZE(fixed); i++)
		bad_addr[n_bad_addr++] = fixed[i];
}

/* A sane driver's turn: reset, set-up, a question and its answer. */
static int card_alive(const struct workload_job *job, const char *after)
{
	static struct net net;

	if (net_open(&net, job))
		return report_fail("hostile: %s: the card does not work afterwards", after);
	memcpy(hostile_net.nic.mac, net.nic.mac, 6);
	return 0;
}

static bool class_usable(const struct hostile_class *c)
{
	struct pci_dev dev;
	bool is_virtio = pci_find(&dev, VIRTIO_VENDOR, VIRTIO_ID_NET);

	switch (c->needs) {
	case VIRTIO_CARD:
		return is_virtio;
	case E1000_CARD:
		return !is_virtio && pci_find(&dev, 0x8086, 0x100e);
	case TWO_CPUS:
		return is_virtio && (cpuid(1, 0).ebx >> 16 & 0xff) > 1;
	case ANY_CARD:
		break;
	}
	return true;
}

static int run_class(const struct workload_job *job, const struct hostile_class *c)
{
	uint64_t mark = mem_mark();
	int err;

	if (!class_usable(c)) {
		report_note("hostile: %s skipped: wrong card or too few vCPUs", c->name);
		return 0;
	}
	/* Memory goes back only after card_alive() has reset the card, which until then may write there. */
	hostile_cases = 0;
	c->attack();
	err = card_alive(job, c->name);
	if (!err)
		report_note("hostile: %s: %lu cases, the card lives", c->name, hostile_cases);
	mem_release(mark);
	return err;
}

int job_hostile(const struct workload_job *job)
{
	const struct hostile_class *const all[] = {hostile_virtio, hostile_pci, hostile_e1000, hostile_ports};
	unsigned ran = 0;

	random_state = job->seed * 2 + 1;
	if (net_addresses(&hostile_net, job) || card_alive(job, "nothing"))
		return -1;
	collect_addresses();
	report("ready");
	window_open();
	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		for (const struct hostile_class *c = all[i]; c->name; c++) {
			if (!job_wants(job, c->name))
				continue;
			ran++;
			if (run_class(job, c))
				return -1;
		}
	}
	window_close();
	window_report(0);
	if (!ran)
		return report_fail("hostile: no class is called %s", job->op);
	return 0;
}
