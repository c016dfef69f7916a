# SPDX-License-Identifier: MIT
# bench lab from outside: streams, signals, the terminal, and every way in which it can end. A lab boot costs seconds:
# one serves several questions.
load ../helper

setup() {
	# Every QEMU that a test starts writes down its number, so that one that lives on is found.
	cat >"$BATS_TEST_TMPDIR/qemu" <<-EOF
		#!/bin/sh
		[ "\$1" = --version ] || echo \$\$ >>"$BATS_TEST_TMPDIR/pids"
		exec ${EXITLAB_QEMU:-qemu-system-x86_64} "\$@"
	EOF
	chmod +x "$BATS_TEST_TMPDIR/qemu"
	export EXITLAB_QEMU=$BATS_TEST_TMPDIR/qemu
	: >"$BATS_TEST_TMPDIR/pids"
	cache=${EXITLAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/exitlab}
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

no_qemu() {
	local pid
	while read -r pid; do
		! kill -0 "$pid" 2>/dev/null || return 1
	done <"$BATS_TEST_TMPDIR/pids"
}

# The tests' own cache, with this machine's kernels: where the lab's images may be counted and broken.
own_cache() {
	export EXITLAB_CACHE=$BATS_TEST_TMPDIR/cache
	mkdir -p "$EXITLAB_CACHE"
	ln -s "$(readlink -f "$cache/kernels")" "$EXITLAB_CACHE/kernels"
}

@test "exec: stdin, stdout, stderr, words, directory and exit status go through" {
	local status=0
	seq 20000 | "$bench" lab exec -- sh -c 'md5sum; echo "$1"; pwd; id -u; echo trouble >&2; exit 7' sh 'two  words' \
		>"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
	[ "$status" -eq 7 ]
	[ "$(cat "$BATS_TEST_TMPDIR/err")" = trouble ]
	diff - "$BATS_TEST_TMPDIR/out" <<-EOF
		$(seq 20000 | md5sum)
		two  words
		$PWD
		0
	EOF
	no_qemu
}

@test "exec: no such command is 127; a signal is 128 + its number; background children do not hold it" {
	fails 127 'lab: /no/such: No such file' "$bench" lab exec -- /no/such
	run "$bench" lab exec -- sh -c 'sleep 1000 & kill -USR1 $$'
	[ "$status" -eq 138 ]
	no_qemu
}

@test "exec --timeout: the command is asked to end, then the machine is taken away; status 124" {
	local status=0
	"$bench" lab exec --timeout=30s -- sh -c 'trap "" TERM; trap "echo asked" TERM; echo up; while :; do sleep 1; done' \
		>"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null || status=$?
	[ "$status" -eq 124 ]
	[ "$(cat "$BATS_TEST_TMPDIR/err")" = "bench: error: lab: timed out after 30.0 s; see --timeout" ] || { cat "$BATS_TEST_TMPDIR/err"; false; }
	grep -q asked "$BATS_TEST_TMPDIR/out"
	no_qemu
	fails 124 'timed out after 100 ms, before it was up|timed out after 100.0 ms, before' "$bench" lab exec --timeout=100ms -- true
	no_qemu
}

@test "Ctrl-C reaches the command; a second one ends the lab" {
	local status=0
	"$bench" lab exec -- sh -c 'trap "echo first; sleep 1000" INT; echo up; while :; do sleep 0.2; done' \
		>"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null 3>&- &
	pid=$!
	eventually 60 grep -q up "$BATS_TEST_TMPDIR/out"
	kill -INT $pid
	eventually 20 grep -q first "$BATS_TEST_TMPDIR/out"
	kill -INT $pid
	wait $pid || status=$?
	[ "$status" -eq 130 ]
	grep -q 'lab: interrupted' "$BATS_TEST_TMPDIR/err"
	no_qemu
}

# tmux is the person at the terminal.
person() { tmux -L "exitlab$$" -f /dev/null "$@"; }
type_line() { person send-keys "$1" Enter; }
on_screen() { person capture-pane -p | grep -qE -- "$1"; }

@test "shell: a terminal of the right size, Ctrl-C, the exit status, the terminal put back" {
	command -v tmux >/dev/null || skip "no tmux"
	fails 2 'not a terminal' "$bench" lab shell
	person new-session -d -x 97 -y 31 "$bench lab shell; echo status=\$?; stty -a | grep -o ' icanon'; sleep 60" 3>&-
	eventually 60 on_screen '[#$] *$' || { person capture-pane -p; false; }
	type_line 'echo size $(stty size)'
	eventually 10 on_screen '^size 31 97'
	person resize-window -x 80 -y 24
	sleep 0.5
	type_line 'echo size $(stty size)'
	eventually 10 on_screen '^size 24 80'
	type_line 'sleep 1000'
	sleep 1
	person send-keys C-c
	type_line 'echo after=$?'
	eventually 10 on_screen '^after=130'
	type_line 'exit 7'
	eventually 30 on_screen '^status=7' || { person capture-pane -p; false; }
	eventually 10 on_screen '^ icanon'
	person kill-server
	no_qemu
}

@test "kill -9 of bench at several moments: no QEMU lives on, nothing is left in the cache or in /tmp" {
	local before after
	own_cache
	"$bench" lab exec --timeout=1ms -- true 2>/dev/null || true # makes the image
	before=$(cd "$EXITLAB_CACHE" && find . | sort; ls -A "${TMPDIR:-/tmp}" | grep -i exitlab || true)
	for moment in 0.02 0.1 0.3 1 up; do
		"$bench" lab exec -- sh -c 'echo up; sleep 1000' >"$BATS_TEST_TMPDIR/out" 2>/dev/null </dev/null 3>&- &
		pid=$!
		if [ $moment = up ]; then
			eventually 60 grep -q up "$BATS_TEST_TMPDIR/out"
		else
			sleep $moment
		fi
		kill -9 $pid
		wait $pid || true
		eventually 5 no_qemu
	done
	started
	after=$(cd "$EXITLAB_CACHE" && find . | sort; ls -A "${TMPDIR:-/tmp}" | grep -i exitlab || true)
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
	no_qemu
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
