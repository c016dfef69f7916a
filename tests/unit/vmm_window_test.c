// SPDX-License-Identifier: MIT
#include <linux/kvm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/fake.h"
#include "workloads/protocol.h"

static struct vm *vm;

static int setup(void **state)
{
	(void)state;
	vm = fake_vm_create(MIB);
	assert_non_null(vm);
	assert_int_equal(window_init(vm), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_vm_destroy(vm);
	return 0;
}

static void marker(uint8_t value)
{
	bus_write(&vm->pio, MARKER_PORT, 1, value);
}

static void window_takes_snapshots(void **state)
{
	struct stats_page *p = vm->stats;
	struct stats_queue *q = vm_stats_queue(vm, "dev txq0");

	(void)state;
	fake_of(vm)->this_vcpu = 0; /* we are the vCPU that writes */
	p->now.vcpu[0].exits[KVM_EXIT_IO] = 10;
	q->kicks = 3;
	assert_int_equal(p->booted_ns, 0);
	marker(MARKER_VALUE(MARKER_BOOTED));
	assert_true(p->booted_ns > 0);
	marker(MARKER_VALUE(MARKER_OPEN));
	p->now.vcpu[0].exits[KVM_EXIT_IO]++; /* the opening write itself, counted after its handler */
	p->now.vcpu[0].exits[KVM_EXIT_IO] += 5;
	q->kicks = 7;
	marker(MARKER_VALUE(MARKER_CLOSE));
	q->kicks = 100;
	/* Five exits and four kicks lay between the two writes; the writes themselves are not counted. */
	assert_int_equal(p->at_close.vcpu[0].exits[KVM_EXIT_IO] - p->at_open.vcpu[0].exits[KVM_EXIT_IO], 5);
	assert_int_equal(p->at_close.queue[0].kicks - p->at_open.queue[0].kicks, 4);
	assert_string_equal(p->at_close.queue[0].name, "dev txq0");
	assert_true(p->close_ns >= p->open_ns && p->open_ns > p->booted_ns);
	assert_string_equal(p->kvm_open, "reads 1\n");
	assert_string_equal(p->kvm_close, "reads 2\n");
	window_finish(vm);
	assert_string_equal(p->kvm_exit, "reads 3\n");
}

static void other_values_do_nothing(void **state)
{
	(void)state;
	marker(0);
	marker(UINT8_MAX);
	marker(MARKER_OPEN);
	marker(MARKER_VALUE(7));
	bus_write(&vm->pio, MARKER_PORT, 4, MARKER_VALUE(MARKER_OPEN));
	bus_write(&vm->pio, MARKER_PORT + 1, 1, MARKER_VALUE(MARKER_OPEN));
	assert_int_equal(vm->stats->open_ns, 0);
	assert_int_equal(vm->stats->booted_ns, 0);
}

static void slots_run_out_kindly(void **state)
{
	(void)state;
	for (int i = 0; i < STATS_QUEUES + 3; i++)
		assert_non_null(vm_stats_queue(vm, "a name that is longer than thirty-two characters"));
	for (int i = 0; i < STATS_REGIONS + 3; i++)
		assert_non_null(vm_stats_region(vm, "r", false, 0, 0));
	assert_int_equal(vm->stats->n_queues, STATS_QUEUES);
	assert_int_equal(vm->stats->n_regions, STATS_REGIONS);
	assert_int_equal(strlen(vm->stats->now.queue[0].name), STATS_NAME - 1);
}

static void page_in_a_memfd(void **state)
{
	int fd = memfd_create("stats", 0);
	struct stats_page *ours, *theirs;

	(void)state;
	assert_int_equal(stats_create(&ours, fd, 2), 0);
	theirs = mmap(NULL, sizeof(*theirs), PROT_READ, MAP_SHARED, fd, 0);
	assert_true(theirs != MAP_FAILED);
	assert_true(theirs->magic == STATS_MAGIC);
	assert_int_equal(theirs->n_vcpus, 2);
	assert_int_equal(theirs->size, sizeof(*theirs));
	munmap(theirs, sizeof(*theirs));
	stats_destroy(ours);
	close(fd);
	assert_true(stats_create(&ours, 9999, 1) < 0);
}

/* Class 22: others may open the page by its name; cut, it would end the VMM. */
static void a_page_that_nobody_cuts(void **state)
{
	int fd = memfd_create("page", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct stats_page *page, *again;

	(void)state;
	assert_int_equal(stats_create(&page, fd, 1), 0);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(stats_create(&again, fd, 1), 0); /* one that is sealed already */
	stats_destroy(again);
	stats_destroy(page);
	close(fd);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(window_takes_snapshots),
		T(other_values_do_nothing),
		T(slots_run_out_kindly),
		cmocka_unit_test(page_in_a_memfd),
		cmocka_unit_test(a_page_that_nobody_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
