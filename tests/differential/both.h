/* SPDX-License-Identifier: MIT */
/*
 * A card of ours on the unit tests' machine and QEMU's over qtest, side by side: what one is told, the
 * other is told; what one says is compared with what the other says.
 *
 *      both_start    { both.trace = N  ...  compare_* }*
 *
 * What differs ends the program with status 1 and a line that names the trace.
 */
#ifndef TESTS_DIFFERENTIAL_BOTH_H
#define TESTS_DIFFERENTIAL_BOTH_H

#include "base/rng.h"
#include "tests/unit/fake.h"

#define BOTH_RAM  (16 * MIB)
#define BOTH_SLOT 3
/* Of QEMU's card, where no firmware has been. */
#define BOTH_BAR  0xfeb00000u

struct both {
	bool verbose;
	unsigned long trace;
	struct rng rng; /* of the trace */
	struct vm *vm;
	struct pci_dev *dev;
	int our_wire, their_wire; /* the far ends */
	int qtest;
};

extern struct both both;

/*
 * device: QEMU's, without netdev, address and ROM, which are added; bar: the register of its
 * configuration space that BOTH_BAR goes to.
 */
void both_start_qemu(const char *device, unsigned bar);
/* A socket for each end of our card's wire: the card's end. */
int both_open_wire(void);

unsigned both_below(unsigned n);
void both_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A command of qtest with an address: readb, readw, readl, inl, ... */
uint64_t their_value(const char *command, uint64_t addr);
void their_order(const char *command, uint64_t addr, uint64_t value);
uint32_t their_config(unsigned off);
void their_config_write(unsigned off, uint32_t value);
void their_memory(uint64_t gpa, void *data, size_t len);
void their_memory_write(uint64_t gpa, const void *data, size_t len);
void their_memory_clear(uint64_t gpa, size_t len);
void both_memory_write(uint64_t gpa, const void *data, size_t len);
/* To both wires; skip: what our wire has in front of it, from the buffer's start. */
void both_arrive(const void *frame, size_t skip, size_t len);

/* What has been sent, unseen. */
void both_drain_wires(void);

_Noreturn void both_differ(const char *what, uint64_t at, uint64_t ours, uint64_t theirs);
void compare_bytes(const char *what, uint64_t at, const void *ours, const void *theirs, size_t len);
void compare_memory(const char *what, uint64_t gpa, size_t len);
/* Frames that both have sent since; skip is not compared; alike (or NULL) may forgive a byte. */
void compare_wire(size_t skip, bool (*alike)(const uint8_t *ours, const uint8_t *theirs, size_t i));

/* The cards: set up once; one trace. */
struct card {
	const char *name;
	unsigned steps;
	void (*start)(void);
	void (*trace)(void);
};

extern const struct card card_e1000, card_virtio_net;

#endif
