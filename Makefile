# SPDX-License-Identifier: MIT
# The only makefile. `make help` lists the targets.
#
#   O=DIR     build directory (default build)      V=1       show commands
#   CC=clang  compiler                             WERROR=0  warnings do not stop the build
#   SAN=address,undefined                          sanitizers
#   TIER=unit|fuzz|vmm|cli|golden|lab|quick|intel|xen      of `make check` (default: all)
#   SLOWDOWN=1  a regression on purpose, to test the gate with (use with O=build/slow)
#
# A new .c file in a room needs no line here; see the wildcards.

O      ?= build
CC     := $(if $(filter default,$(origin CC)),gcc,$(CC))
CLANG  ?= clang
PREFIX ?= /usr/local
Q      := $(if $(V),,@)
SHELL  := /bin/bash
# Remember which commit a binary was built from; records name it.
VERSION := $(shell git describe --always --dirty 2>/dev/null || cat VERSION 2>/dev/null || echo unknown)$(if $(SLOWDOWN),-slowdown)

# KVM's ioctl structures end in arrays; clang does not like them wrapped with their storage.
WARN   := -Wno-gnu-variable-sized-type-not-at-end -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef $(if $(filter 0,$(WERROR)),,-Werror)
OPT    := -O2 -g -fno-omit-frame-pointer -frecord-gcc-switches
# What makes a fault of ours harder to use; the sanitizers find more, and cannot be with the second.
HARDEN := -fstack-protector-strong $(if $(SAN),,-D_FORTIFY_SOURCE=2)
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all) $(if $(findstring fuzzer,$(SAN)),-DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION)
# A binary does not say where it was built: equal sources are equal bytes, and equal in virtual time.
PLACE := -ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(O)=build

CFLAGS_ALL := -std=gnu11 -D_GNU_SOURCE -I. -I$(O) -isystem /usr/include/libnl3 $(OPT) $(HARDEN) $(WARN) $(SANFLAGS) $(if $(SLOWDOWN),-DEXITLAB_SLOWDOWN) $(PLACE) -pthread -MMD -MP $(CFLAGS)
LDFLAGS_ALL := $(SANFLAGS) -pthread -Wl,-z,relro,-z,now $(LDFLAGS)

BENCH_LIBS := -lbpf -lelf -lz -lpfm -ljansson -lsqlite3 -linih -lncursesw -ltinfo -lgsl -lgslcblas -lnl-route-3 -lnl-3 -llzma -lzstd -lmd -lm
# The shared one of Debian 12 does not export all of its functions.
VMM_LIBS   := -l:liburing.a -lmd -lm

.PHONY: all
all: $(foreach p,vmm bench,$(if $(wildcard $(p)/main.c),$(O)/$(p))) $(O)/lab-init ## the programs (the default)

# ---- sources ----------------------------------------------------------------------------------
rwildcard = $(foreach d,$(wildcard $(1)/*),$(call rwildcard,$(d),$(2)) $(filter $(subst *,%,$(2)),$(d)))
obj = $(patsubst %.c,$(O)/obj/%.o,$(1))

BASE_SRC  := $(wildcard base/*.c)
VMM_SRC   := $(filter-out vmm/main.c vmm/%_main.c,$(call rwildcard,vmm,*.c))
# Programs of the workloads room (agent, micro guest) and of the lab are built apart, below.
BENCH_SRC := $(filter-out bench/main.c bench/lab/labinit/% bench/vmms/domain/main.c,$(call rwildcard,bench,*.c)) \
	     $(filter-out %.bpf.c,$(wildcard probes/*.c)) \
	     $(wildcard workloads/*.c results/*.c analysis/*.c)
BENCH_ASM := $(wildcard bench/lab/*.S)

$(O)/libbase.a: $(call obj,$(BASE_SRC))
$(O)/libvmm.a: $(call obj,$(VMM_SRC))
$(O)/libbench.a: $(call obj,$(BENCH_SRC)) $(patsubst %.S,$(O)/obj/%.o,$(BENCH_ASM))
%.a:
	@mkdir -p $(@D)
	$(SAY) "  AR      $@"
	$(Q)rm -f $@ && ar rcs $@ $^

$(O)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(SAY) "  CC      $<"
	$(Q)$(CC) $(CFLAGS_ALL) -c -o $@ $<

$(O)/obj/%.o: %.S Makefile
	@mkdir -p $(@D)
	$(SAY) "  AS      $<"
	$(Q)$(CC) -MMD -MP -c -o $@ $<

SAY  := $(if $(findstring s,$(filter-out --%,$(firstword -$(MAKEFLAGS)))),@:,@echo)
LINK = $(if $(V),,$(SAY) "  LD      $@";) mkdir -p $(@D); $(CC) $(LDFLAGS_ALL) -o $@

$(O)/vmm $(O)/static/vmm: $(O)/obj/vmm/main.o $(O)/libvmm.a $(O)/libbase.a
	$(LINK) $^ $(VMM_LIBS)

$(O)/bench $(O)/static/bench: $(O)/obj/bench/main.o $(O)/libbench.a $(O)/libbase.a
	$(LINK) $^ $(BENCH_LIBS)

# The stand-alone vhost-user back-ends.
$(O)/vhost-user-net $(O)/static/vhost-user-net: $(O)/obj/vmm/devices/virtio_net/vhost_user_net_main.o $(O)/libvmm.a $(O)/libbase.a
	$(LINK) $^ $(VMM_LIBS)
$(O)/vhost-user-blk $(O)/static/vhost-user-blk: $(O)/obj/vmm/devices/virtio_blk/vhost_user_blk_main.o $(O)/libvmm.a $(O)/libbase.a
	$(LINK) $^ $(VMM_LIBS)
all: $(O)/vhost-user-net $(O)/vhost-user-blk

# A domain of Xen's as a process.
$(O)/vmm-xen $(O)/static/vmm-xen: $(call obj,bench/vmms/domain/main.c bench/vmms/domain/domain.c bench/vmms/domain/pc.c bench/vmms/domain/vbd.c bench/vmms/domain/vif.c bench/host/link.c) $(O)/libbase.a
	$(LINK) $^ -lnl-route-3 -lnl-3 -lmd -lm
all: $(O)/vmm-xen

# The same without a library of the machine that they run on.
$(O)/static/%: LDFLAGS_ALL += -static-pie -Wl,--no-warnings
STATIC := $(addprefix $(O)/static/,bench vmm vhost-user-net vhost-user-blk vmm-xen)

# Files embedded in the program (ASSET in assets.c).
$(O)/obj/analysis/assets.o: $(wildcard analysis/*.gp analysis/*.html analysis/*.css analysis/*.js)

# Process 1 of the lab.
$(O)/lab-init: $(wildcard bench/lab/labinit/*.[ch]) bench/lab/lab_wire.h
	@mkdir -p $(@D)
	$(SAY) "  CC      $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -I. -O2 -g $(WARN) -static -o $@ $(filter %.c,$^)

# The Linux guest's init, which is also the peer: static, because the initramfs holds nothing else (dynamic under sanitizers).
AGENT_OBJ := $(call obj,$(filter-out workloads/agent/main.c,$(wildcard workloads/agent/*.c)) workloads/job.c workloads/blk_load.c workloads/lines.c)
$(O)/libagent.a: $(AGENT_OBJ)
$(O)/agent: $(O)/obj/workloads/agent/main.o $(O)/libagent.a $(O)/libbase.a
	$(LINK) $(if $(SAN),,-static-pie -s) $^ -lmd -lm
all: $(O)/agent

# The version string is compiled into one small file only.
$(O)/obj/bench/main.o $(O)/obj/bench/host/environment.o $(O)/obj/vmm/args.o: $(O)/version.h
$(O)/version.h: FORCE
	@mkdir -p $(@D); echo '#define EXITLAB_VERSION "$(VERSION)"' | cmp -s - $@ || echo '#define EXITLAB_VERSION "$(VERSION)"' > $@
.PHONY: FORCE
FORCE:

# ---- BPF probes: probes/*.bpf.c, linked into one object -> $(O)/probes/probes.skel.h ----------
# One object: the probes share their state and filters, and libbpf reads the kernel's type information once.
BPF_OBJ  := $(patsubst probes/%.bpf.c,$(O)/probes/%.bpf.o,$(wildcard probes/*.bpf.c))
BPF_SKEL := $(O)/probes/probes.skel.h
$(O)/probes/%.bpf.o: probes/%.bpf.c Makefile $(wildcard probes/*.h) base/hist.h workloads/protocol.h
	@mkdir -p $(@D)
	$(SAY) "  BPF     $<"
	$(Q)$(CLANG) -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -D__bpf__ -O2 -g $(PLACE) -Wall -Werror -I. -I/usr/include/x86_64-linux-gnu -c -o $@ $<
$(BPF_SKEL): $(BPF_OBJ)
	$(SAY) "  SKEL    $@"
	$(Q)PATH=$$PATH:/usr/sbin; bpftool gen object $(@D)/probes.linked.o $^ && \
		{ echo '// NOLINTBEGIN: written by bpftool'; bpftool gen skeleton $(@D)/probes.linked.o name probes_bpf && \
		echo '// NOLINTEND'; } > $@.tmp && mv $@.tmp $@
# Tests of the room see its inside, and a cold build makes their objects first.
$(call obj,$(filter-out %.bpf.c,$(wildcard probes/*.c tests/unit/probes_*.c tests/fuzz/probes_*.c))): | $(BPF_SKEL)

# The exit probe's rows under BPF_PROG_TEST_RUN: tests/bpf/replay RATE SECONDS.
$(O)/tests/replay.skel.h: tests/bpf/replay.bpf.c $(wildcard probes/*.h) base/hist.h
	@mkdir -p $(@D)
	$(Q)$(CLANG) -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -D__bpf__ -O2 -g $(PLACE) -Wall -Werror -I. -I/usr/include/x86_64-linux-gnu -c -o $(@:.skel.h=.bpf.o) $<
	$(Q)PATH=$$PATH:/usr/sbin; bpftool gen skeleton $(@:.skel.h=.bpf.o) name replay_bpf > $@.tmp && mv $@.tmp $@
$(O)/obj/tests/bpf/replay.o: | $(O)/tests/replay.skel.h
$(O)/tests/replay: $(O)/obj/tests/bpf/replay.o $(O)/libbase.a
	$(LINK) $^ -lbpf -lelf -lz -lmd -lm
all: $(O)/tests/replay

# kill -9 of a VMM on a disk that loses what was not flushed: tests/soak/disk_kill.sh.
$(O)/tests/disk_kill $(O)/tests/power_cut: $(O)/tests/%: $(O)/obj/tests/soak/%.o $(call obj,tests/soak/lossy.c) $(O)/libbase.a
	$(LINK) $^ -lmd -lm
all: $(O)/tests/disk_kill $(O)/tests/power_cut
# In a guest that has no libraries: tests/soak/file_ops.sh.
$(O)/tests/file_ops: tests/soak/file_ops.c
	@mkdir -p $(@D)
	@echo "  CC      $< (static)"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 $(WARN) -static -o $@ $<
all: $(O)/tests/file_ops

# ---- the micro guest: freestanding, multiboot ELF32 with 64-bit code inside -------------------
MICRO_SRC := $(wildcard workloads/micro/*.c workloads/micro/*.S) workloads/job.c workloads/blk_load.c
MICRO_OBJ := $(patsubst %,$(O)/micro/%.o,$(basename $(MICRO_SRC)))
# general-regs-only: no SSE state to save in interrupts; omit-frame-pointer and no builtin loops: string.c is memcpy itself.
MICRO_CFLAGS := -std=gnu11 -I. -O2 -g $(WARN) -m64 -ffreestanding -fno-pic -fno-stack-protector -mno-red-zone \
	-mgeneral-regs-only -fcf-protection=none -fomit-frame-pointer -fno-asynchronous-unwind-tables \
	$(if $(findstring gcc,$(CC)),-fno-tree-loop-distribute-patterns) -MMD -MP
all: $(O)/micro.elf
$(O)/micro/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $< (micro)"
	$(Q)$(CC) $(MICRO_CFLAGS) -c -o $@ $<
$(O)/micro/%.o: %.S
	@mkdir -p $(@D)
	@echo "  AS      $< (micro)"
	$(Q)$(CC) $(MICRO_CFLAGS) -c -o $@ $<
# Loaders disagree about ELF64 (QEMU refuses it), so what boots is ELF32; micro.elf64 is for gdb.
$(O)/micro.elf: $(MICRO_OBJ) workloads/micro/link.ld
	@echo "  LD      $@"
	$(Q)$(CC) -nostdlib -static -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments \
		-Wl,-T,workloads/micro/link.ld -o $(O)/micro.elf64 $(MICRO_OBJ)
	$(Q)objcopy -O elf32-i386 -S $(O)/micro.elf64 $@

# ---- unit tests: tests/unit/ROOM_NAME_test.c; vmm_* link the VMM and its fake machine, all others bench ------
FAKE_OBJ := $(call obj,tests/unit/fake.c)
# Named here, or make prefers the rule for bench whenever fake.o is the only object that is missing.
$(FAKE_OBJ): tests/unit/fake.h
UNIT_SRC := $(wildcard tests/unit/*_test.c)
UNIT_BIN := $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(UNIT_SRC))
$(O)/tests/unit/vmm_%_test: $(O)/obj/tests/unit/vmm_%_test.o $(FAKE_OBJ) $(O)/libvmm.a $(O)/libbase.a
	$(LINK) $^ $(VMM_LIBS) -lcmocka
$(O)/tests/unit/workloads_%_test: $(O)/obj/tests/unit/workloads_%_test.o $(O)/libagent.a $(O)/libbench.a $(O)/libbase.a
	$(LINK) $^ $(BENCH_LIBS) -lcmocka
$(O)/tests/unit/%_test: $(O)/obj/tests/unit/%_test.o $(O)/libbench.a $(O)/libbase.a
	$(LINK) $(filter %.o,$^) $(filter %.a,$^) $(BENCH_LIBS) -lcmocka
# Our cards beside QEMU's, by one trace: tests/vmm and tests/soak run it.
$(O)/tests/differential: $(call obj,$(wildcard tests/differential/*.c)) $(FAKE_OBJ) $(O)/libvmm.a $(O)/libbase.a
	$(LINK) $^ $(VMM_LIBS)
all: $(O)/tests/differential

.PHONY: unit-bins
unit-bins: $(FAKE_OBJ) $(UNIT_BIN)

# ---- golden figures: synthetic records drawn as text and compared ------------------------------
GOLDEN_OBJ := $(call obj,tests/golden/fixture.c tests/golden/sets.c tests/golden/hostile.c)
$(O)/tests/unit/analysis_figures_test $(O)/tests/unit/analysis_dashboard_test $(O)/tests/unit/analysis_hostile_test: $(GOLDEN_OBJ)
$(O)/tests/golden/gen: $(call obj,tests/golden/gen.c) $(GOLDEN_OBJ) $(O)/libbench.a $(O)/libbase.a
	$(LINK) $^ $(BENCH_LIBS)
.PHONY: golden
golden: $(O)/tests/golden/gen ## store what the figures write for the synthetic records, after a look at them
	$(Q)rm -rf tests/golden/figures && $< figures tests/golden/figures 3.3in none

# ---- fuzzing: tests/fuzz/ROOM_NAME_fuzz.c, as the unit tests; seeds in tests/fuzz/seeds/ROOM_NAME -------
FUZZ_S   ?= 60
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
$(O)/fuzz/vmm_%_fuzz: $(O)/obj/tests/fuzz/vmm_%_fuzz.o $(FAKE_OBJ) $(O)/libvmm.a $(O)/libbase.a
	$(LINK) -fsanitize=fuzzer $^ $(VMM_LIBS)
$(O)/fuzz/workloads_%_fuzz: $(O)/obj/tests/fuzz/workloads_%_fuzz.o $(O)/libagent.a $(O)/libbench.a $(O)/libbase.a
	$(LINK) -fsanitize=fuzzer $^ $(BENCH_LIBS)
$(O)/fuzz/analysis_%_fuzz: $(O)/obj/tests/fuzz/analysis_%_fuzz.o $(GOLDEN_OBJ) $(O)/libbench.a $(O)/libbase.a
	$(LINK) -fsanitize=fuzzer $^ $(BENCH_LIBS)
$(O)/fuzz/%_fuzz: $(O)/obj/tests/fuzz/%_fuzz.o $(O)/libbench.a $(O)/libbase.a
	$(LINK) -fsanitize=fuzzer $^ $(BENCH_LIBS)
.PHONY: fuzz-bins fuzz-build
fuzz-bins: $(FUZZ_BIN)
fuzz-build:
	$(Q)$(MAKE) --no-print-directory "CC=$(CLANG)" O=$(O)/clang-fuzz SAN=fuzzer-no-link,address,undefined fuzz-bins

.PHONY: fuzz
fuzz: fuzz-build ## the fuzzers, FUZZ_S seconds each (clang)
	$(Q)O=$(O) tests/fuzz/run $(FUZZ_S)

# What the fuzzers' inputs reach is counted without their sanitizers, which would count themselves.
COVERAGE_BIN := $(patsubst tests/%.c,$(O)/tests/%,$(filter tests/unit/vmm_%,$(UNIT_SRC))) $(filter $(O)/fuzz/vmm_%,$(FUZZ_BIN))
.PHONY: coverage coverage-bins
coverage-bins: $(COVERAGE_BIN)
coverage: ## lines of the devices' code that unit tests and fuzzers' inputs reach (clang; inputs: make fuzz before)
	$(Q)$(MAKE) --no-print-directory "CC=$(CLANG)" O=$(O)/coverage OPT='-O1 -g' HARDEN= LDFLAGS=-fprofile-instr-generate \
		CFLAGS='-fprofile-instr-generate -fcoverage-mapping -mllvm -runtime-counter-relocation -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION' coverage-bins
	$(Q)O=$(O) tests/coverage

.PHONY: proofs
proofs: ## what is proven of code that reads a guest's bytes (./setup.sh --proofs before)
	$(Q)O=$(O) tests/proofs/run

.PHONY: mutants
mutants: ## take out one check after the other: a test must notice each (an hour on two processors)
	$(Q)O=$(O) tests/mutate -j $$(nproc)

.PHONY: setup setup-tests
setup: ## install what building and running need (Debian packages only) and unpack the kernel
	$(Q)./setup.sh
setup-tests: ## the same, and what only the tests need
	$(Q)./setup.sh --tests

.PHONY: asan
asan: ## everything under ASan and UBSan, in $(O)/asan
	$(Q)$(MAKE) --no-print-directory O=$(O)/asan SAN=address,undefined all unit-bins

# gcc warns that fences are not understood; what they order is marked atomic, so nothing is reported for it.
.PHONY: tsan
tsan: all ## hostile drivers of the micro guest against the VMM under ThreadSanitizer (gcc, needs KVM)
	$(Q)$(MAKE) --no-print-directory O=$(O)/tsan SAN=thread CFLAGS=-Wno-tsan $(O)/tsan/vmm
	$(Q)O=$(O) VMM=$(O)/tsan/vmm bats tests/vmm/micro_hostile.bats

.PHONY: unit
unit: ## the unit tests, under ASan and UBSan
	$(Q)$(MAKE) --no-print-directory O=$(O)/asan SAN=address,undefined unit-bins
	$(Q)O=$(O) tests/run unit

# setup first, then the build with what it installed: two makes, because wildcards and pkg paths are read at start.
.PHONY: check
check: setup-tests ## set up, build, and run all tests (TIER=quick: those without a lab); the last line counts them
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) all
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) O=$(O)/asan SAN=address,undefined unit-bins
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) fuzz-build
	$(Q)O=$(O) tests/run $(TIER)

.PHONY: soak
soak: all unit-bins ## the long versions: simulations, a regression found, kills, SR-IOV cycles, a store of 10,000 records, equal repetitions
	$(Q)O=$(O) tests/soak/statistics.sh
	$(Q)O=$(O) tests/soak/gate.sh
	$(Q)O=$(O) tests/soak/bisect.sh
	$(Q)O=$(O) tests/soak/dashboard_scale.sh
	$(Q)O=$(O) tests/soak/store_scale.sh
	$(Q)O=$(O) LAB_KILLS=5 tests/soak/kill.sh
	$(Q)O=$(O) tests/soak/disk_kill.sh
	$(Q)O=$(O) tests/soak/ext4_kill.sh
	$(Q)O=$(O) tests/soak/file_ops.sh
	$(Q)O=$(O) tests/soak/rebind.sh
	$(Q)O=$(O) tests/soak/sriov.sh
	$(Q)O=$(O) tests/soak/deterministic.sh
	$(Q)O=$(O) tests/run intel
	$(Q)O=$(O) tests/soak/deterministic.sh --lab=intel
	$(Q)O=$(O) tests/soak/probes.sh
	$(Q)O=$(O) tests/soak/iommufd.sh
	$(Q)O=$(O) tests/soak/slurm.sh
	$(Q)O=$(O) tests/soak/differential.sh
	$(Q)O=$(O) tests/proofs/run

.PHONY: demo
demo: setup ## set up, build, and run the main job
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) all
	$(O)/bench run net-throughput --mode=vhost
	@echo; echo "The figure of it: $(O)/bench plot last --figure=all --format=png --out=."

.PHONY: bars
bars: all ## measure the ratios that must hold, side by side with QEMU (about 15 minutes)
	$(Q)O=$(O) tests/bars

.PHONY: lint
lint: ## style, cppcheck, clang-tidy, shellcheck; any finding fails
	$(Q)tests/lint

.PHONY: install
install: all ## to PREFIX (default /usr/local), below DESTDIR
	install -D -m755 $(O)/bench $(DESTDIR)$(PREFIX)/bin/bench
	install -D -m755 setup.sh $(DESTDIR)$(PREFIX)/libexec/exitlab/setup.sh
	install -d $(DESTDIR)$(PREFIX)/share/exitlab/experiments $(DESTDIR)$(PREFIX)/share/doc/exitlab
	install -m644 README.md SPECIFICATION.md LICENSE docs/*.md results/SCHEMA.md $(DESTDIR)$(PREFIX)/share/doc/exitlab
	install -m644 experiments/*.ini experiments/floors $(DESTDIR)$(PREFIX)/share/exitlab/experiments
	install -m755 experiments/*.sh $(DESTDIR)$(PREFIX)/share/exitlab/experiments
	$(O)/bench help --man=$(DESTDIR)$(PREFIX)/share/man/man1
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	$(O)/bench help --completion > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/bench
	install -m755 $(addprefix $(O)/,vmm agent lab-init vhost-user-net vhost-user-blk vmm-xen micro.elf) $(DESTDIR)$(PREFIX)/libexec/exitlab

.PHONY: version deb dist-bin
version: ## what bench says of its build
	@echo $(VERSION)
deb: all ## a Debian package, in $(O)/deb
	$(Q)O=$(O) VERSION=$(VERSION) debian/make-deb
dist-bin: all $(STATIC) ## what is installed, without libraries of others, as a tar file that runs from where it is unpacked, in $(O)/dist
	$(Q)rm -rf $(O)/dist && mkdir -p $(O)/dist
	$(Q)$(MAKE) --no-print-directory -s install O=$(O) DESTDIR= PREFIX=$(abspath $(O))/dist/exitlab-$(VERSION) >/dev/null
	$(Q)install -m755 $(O)/static/bench $(O)/dist/exitlab-$(VERSION)/bin
	$(Q)install -m755 $(filter-out %/bench,$(STATIC)) $(O)/dist/exitlab-$(VERSION)/libexec/exitlab
	$(Q)tar -C $(O)/dist -cJf $(O)/dist/exitlab-$(VERSION)-amd64.tar.xz exitlab-$(VERSION)

.PHONY: clean
clean: ## remove $(O)
	rm -rf $(O)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

-include $(shell find $(O) -name '*.d' -not -path '$(O)/asan/*' -not -path '$(O)/clang*/*' -not -path '$(O)/coverage/*' 2>/dev/null)
