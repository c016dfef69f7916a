# SPDX-License-Identifier: MIT
# bench lab: streams, signals, time-outs, the terminal.
#
# boots a lab
load ../helper
load lab

@test "exec: stdin, stdout, stderr, words, directory and exit status go through" {
	local status=0
	# More than all pipes on the way hold: input waits while output is taken.
	seq 200000 | timeout 100 "$bench" lab exec -- sh -c 'cat; echo "$1"; pwd; id -u; echo trouble >&2; exit 7' sh 'two  words' \
		>"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
	[ "$status" -eq 7 ]
	[ "$(cat "$BATS_TEST_TMPDIR/err")" = trouble ]
	diff - "$BATS_TEST_TMPDIR/out" <<-EOF
		$(seq 200000)
		two  words
		$PWD
		0
	EOF
	no_emulator
}

@test "exec: no such command is 127; a signal is 128 + its number; background children do not hold it" {
	fails 127 'lab: /no/such: No such file' "$bench" lab exec -- /no/such
	run "$bench" lab exec -- sh -c 'sleep 1000 & kill -USR1 $$'
	[ "$status" -eq 138 ]
	no_emulator
}

@test "exec --timeout: the command is asked to end, then the machine is taken away; status 124" {
	local status=0
	"$bench" lab exec --timeout=20s -- sh -c 'trap "" TERM; trap "echo asked" TERM; echo up; while :; do sleep 1; done' \
		>"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null || status=$?
	[ "$status" -eq 124 ]
	[ "$(grep ^bench: "$BATS_TEST_TMPDIR/err")" = "bench: error: lab: timed out after 20.0 s; see --timeout" ] || { cat "$BATS_TEST_TMPDIR/err"; false; }
	grep -q asked "$BATS_TEST_TMPDIR/out"
	no_emulator
	fails 124 'timed out after 100 ms, before it was up|timed out after 100.0 ms, before' "$bench" lab exec --timeout=100ms -- true
	no_emulator
}

# What the lab's QEMU has kept of root: it can read and write files, and those of the shares only.
has_given_up_root() {
	[ "$(awk '/^Uid:/ { print $2 $3 $4 $5 }' "/proc/$1/status")" = 65533655336553365533 ]
	grep -q '^CapPrm:.000000000000000e$' "/proc/$1/status"
	grep -q '^CapBnd:.000000000000000e$' "/proc/$1/status"
	nsenter -t "$1" -m touch "$PWD/$O/lab-test" "$BATS_TEST_TMPDIR/share/other"
	none nsenter -t "$1" -m touch "$BATS_TEST_TMPDIR/other" 2>/dev/null
	none nsenter -t "$1" -m touch /other 2>/dev/null
	none nsenter -t "$1" -m sh -c ': >/dev/null' 2>/dev/null
	rm "$PWD/$O/lab-test"
	[ "$(stat -c %u:%a "$BATS_TEST_TMPDIR/share/new")" = 65533:711 ]
}

@test "its QEMU keeps next to nothing; Ctrl-C reaches the command; a second one ends the lab" {
	local status=0 emulator_pid
	mkdir "$BATS_TEST_TMPDIR/share"
	echo "a long line" >"$BATS_TEST_TMPDIR/share/ours"
	"$bench" lab exec --out="$BATS_TEST_TMPDIR/share" -- sh -c 'trap "echo first; sleep 1000" INT
		cd "$0" && echo short >ours && touch new && chmod 711 ours new && ! chmod u+s ours new && echo up; while :; do sleep 0.2; done' \
		"$BATS_TEST_TMPDIR/share" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null 3>&- &
	pid=$!
	eventually 60 grep -q up "$BATS_TEST_TMPDIR/out"
	[ "$(stat -c %a "$BATS_TEST_TMPDIR/share/ours") $(cat "$BATS_TEST_TMPDIR/share/ours")" = "711 short" ]
	emulator_pid=$(started)
	grep -q '^NoNewPrivs:.1' "/proc/$emulator_pid/status"
	grep -q '^Seccomp_filters:.[2-9]' "/proc/$emulator_pid/status"
	[ "$(id -u)" -ne 0 ] || has_given_up_root "$emulator_pid"
	kill -INT $pid
	eventually 20 grep -q first "$BATS_TEST_TMPDIR/out"
	kill -INT $pid
	wait $pid || status=$?
	[ "$status" -eq 130 ]
	grep -q 'lab: interrupted' "$BATS_TEST_TMPDIR/err"
	no_emulator
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
	no_emulator
}
