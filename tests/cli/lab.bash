# SPDX-License-Identifier: MIT
# For tests of bench lab from outside. A lab boot costs seconds: one serves several questions.

setup() {
	# Every QEMU and Bochs that a test starts goes by this name, so that one that lives on is found.
	emulator=$BATS_TEST_TMPDIR/emulator
	cat >"$BATS_TEST_TMPDIR/qemu" <<-EOF
		#!/bin/bash
		[ "\$1" = --version ] && exec ${EXITLAB_QEMU:-qemu-system-x86_64} "\$@"
		exec -a "$emulator" ${EXITLAB_QEMU:-qemu-system-x86_64} "\$@"
	EOF
	chmod +x "$BATS_TEST_TMPDIR/qemu"
	export EXITLAB_QEMU=$BATS_TEST_TMPDIR/qemu
	cache=${EXITLAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/exitlab}
	cat >"$BATS_TEST_TMPDIR/bochs" <<-EOF
		#!/bin/bash
		exec -a "$emulator" ${EXITLAB_BOCHS:-$cache/bochs/bochs} "\$@"
	EOF
	chmod +x "$BATS_TEST_TMPDIR/bochs"
	[ ! -x "${EXITLAB_BOCHS:-$cache/bochs/bochs}" ] || export EXITLAB_BOCHS=$BATS_TEST_TMPDIR/bochs
}

# eventually SECONDS CMD...
eventually() {
	local tries=$(($1 * 10))
	shift
	for _ in $(seq $tries); do
		"$@" && return
		sleep 0.1
	done
	return 1
}

started() { pgrep -f "^$emulator "; }

no_emulator() { ! started; }
