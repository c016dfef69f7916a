# SPDX-License-Identifier: MIT
# bench lab: every way in which it can come to a bad end leaves one line and no process.
#
# boots a lab
load ../helper
load lab

# The tests' own cache, with this machine's kernels: where the lab's images may be counted and broken.
own_cache() {
	export EXITLAB_CACHE=$BATS_TEST_TMPDIR/cache
	mkdir -p "$EXITLAB_CACHE"
	ln -s "$(readlink -f "$cache/kernels")" "$EXITLAB_CACHE/kernels"
}

# A figure or a report of a test that runs beside this one is none of a lab's.
leavings() {
	find "$EXITLAB_CACHE" | sort
	find "${TMPDIR:-/tmp}" -maxdepth 1 -iname '*exitlab*' | grep -v 'exitlab-\(gnuplot\|report\)-' | sort
}

@test "kill -9 of bench at several moments: no QEMU lives on, nothing is left in the cache or in /tmp" {
	local before after
	own_cache
	"$bench" lab exec --timeout=1ms -- true 2>/dev/null || true # makes the image
	before=$(leavings)
	for moment in 0.02 0.1 0.3 1 up; do
		"$bench" lab exec -- sh -c 'echo up; sleep 1000' >"$BATS_TEST_TMPDIR/out" 2>/dev/null </dev/null 3>&- &
		pid=$!
		if [ $moment = up ]; then
			eventually 60 grep -q up "$BATS_TEST_TMPDIR/out"
			started
		else
			sleep $moment
		fi
		kill -9 $pid
		wait $pid || true
		eventually 5 no_emulator
	done
	after=$(leavings)
	diff <(echo "$before") <(echo "$after")
}

@test "the lab's kernel panics, before the command or under it: status 3, one line with the panic" {
	own_cache
	"$bench" lab exec --timeout=1ms -- true 2>/dev/null || true
	truncate -s 4096 "$EXITLAB_CACHE"/lab/*.cpio
	fails 3 'its kernel panicked: .*; the console is in .*console.log' "$bench" lab exec -- true
	grep -qa 'Kernel panic' "$EXITLAB_CACHE/lab/console.log"
	rm "$EXITLAB_CACHE"/lab/*.cpio
	fails 3 'its kernel panicked: .*sysrq' "$bench" lab exec -- sh -c 'echo c >/proc/sysrq-trigger'
	no_emulator
}

@test "QEMU missing, too old, or ending at once, no kernel: status 3, one line each" {
	fails 2 'expected .exec' "$bench" lab
	fails 3 'not installed; run ./setup.sh' env EXITLAB_QEMU=/nonexistent "$bench" lab exec -- true
	fails 3 'no unpacked kernel.*setup.sh' env EXITLAB_CACHE=/nonexistent "$bench" lab exec -- true
	printf '#!/bin/sh\necho QEMU emulator version 7.2.1\n' >"$EXITLAB_QEMU"
	fails 3 'QEMU 7.2.1 is too old.*needs 8.0.*setup.sh' "$bench" lab exec -- true
	printf '#!/bin/sh\n[ "$1" = --version ] && echo QEMU emulator version 10.0.0 || { echo qemu: no room >&2; exit 1; }\n' >"$EXITLAB_QEMU"
	fails 3 'QEMU ended before the lab was up: qemu: no room' "$bench" lab exec -- true
	fails 3 'kernel nosuch: .*not found.*setup.sh' "$bench" lab exec --kernel=nosuch -- true
}

# SIGNAL MESSAGE: a plan loses its lab to the signal, says so, and is whole in the end.
loses_its_lab() {
	"$bench" run null --on=lab --reps=2 --store="$BATS_TEST_TMPDIR/store" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
	pid=$!
	eventually 60 grep -q "1/2" "$BATS_TEST_TMPDIR/err"
	kill -"$1" "$(pgrep -P $pid qemu-system)"
	wait $pid
	grep -q "$2" "$BATS_TEST_TMPDIR/err"
	grep -q "begins again in another" "$BATS_TEST_TMPDIR/err"
	[ "$("$bench" show last --json --store="$BATS_TEST_TMPDIR/store" | jq -r '"\(.environment.lab.lost) \(.samples | length)"')" = "1 2" ]
	tests/schema "$BATS_TEST_TMPDIR"/store/runs/*/record.json
}

@test "a plan whose lab is lost begins again in another" {
	loses_its_lab KILL "the machine ended before the command did"
}

@test "a lab that hangs is ended after a minute without a sign of life" {
	[ "${FULL:-}" = 1 ] || skip "over a minute; FULL=1 runs it"
	loses_its_lab STOP "its kernel hangs"
}
