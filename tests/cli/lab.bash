# SPDX-License-Identifier: MIT
# For tests of bench lab from outside. A lab boot costs seconds: one serves several questions.

setup() {
	# Every QEMU and Bochs that a test starts writes down its number, so that one that lives on is found.
	cat >"$BATS_TEST_TMPDIR/qemu" <<-EOF
		#!/bin/sh
		[ "\$1" = --version ] || echo \$\$ >>"$BATS_TEST_TMPDIR/pids"
		exec ${EXITLAB_QEMU:-qemu-system-x86_64} "\$@"
	EOF
	chmod +x "$BATS_TEST_TMPDIR/qemu"
	export EXITLAB_QEMU=$BATS_TEST_TMPDIR/qemu
	cache=${EXITLAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/exitlab}
	cat >"$BATS_TEST_TMPDIR/bochs" <<-EOF
		#!/bin/sh
		echo \$\$ >>"$BATS_TEST_TMPDIR/pids"
		exec ${EXITLAB_BOCHS:-$cache/bochs/bochs} "\$@"
	EOF
	chmod +x "$BATS_TEST_TMPDIR/bochs"
	[ ! -x "${EXITLAB_BOCHS:-$cache/bochs/bochs}" ] || export EXITLAB_BOCHS=$BATS_TEST_TMPDIR/bochs
	: >"$BATS_TEST_TMPDIR/pids"
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

started() { [ -s "$BATS_TEST_TMPDIR/pids" ]; }

no_emulator() {
	local pid
	while read -r pid; do
		! kill -0 "$pid" 2>/dev/null || return 1
	done <"$BATS_TEST_TMPDIR/pids"
}
