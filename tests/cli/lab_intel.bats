# SPDX-License-Identifier: MIT
# bench lab --lab=intel: a command's way in and out, and every way in which it can come to a bad end.
#
# boots a lab
load ../helper
load lab

needs_bochs() {
	[ -x "${EXITLAB_BOCHS:-}" ] || skip "no Bochs here; ./setup.sh --intel"
}

@test "the Intel lab says what it lacks; it has no terminal; there are three labs" {
	fails 3 'no Bochs in /nonexistent.*run ./setup.sh --intel' env EXITLAB_BOCHS=/nonexistent "$bench" lab exec --lab=intel -- true
	fails 2 'lab intel takes no input; use bench lab exec --lab=intel' "$bench" lab shell --lab=intel
	fails 2 'lab=inel: not a valid value; expected amd.intel.xen' "$bench" lab exec --lab=inel -- true
}

@test "a command's words, streams, files and status; what it is given; KVM of the other vendor, which boots a Linux guest" {
	needs_bochs
	mkdir -p "$BATS_TEST_TMPDIR/in/deep" "$BATS_TEST_TMPDIR/out"
	echo carried >"$BATS_TEST_TMPDIR/in/deep/file"
	head -c 200000 /dev/urandom >"$BATS_TEST_TMPDIR/in/random"
	cat >"$BATS_TEST_TMPDIR/in/job" <<-'EOF'
		cat $1/in/deep/file
		echo "to stderr" >&2
		mkdir $1/out/deep; cp $1/in/random $1/out/deep/
		grep -o apicv /proc/cpuinfo; cat /sys/module/kvm_intel/parameters/ept
		$2 run boot --reps=1 --json >$1/out/boot 2>/dev/null
		pwd; exit 7
	EOF
	status=0
	"$bench" lab exec --lab=intel --carry="$BATS_TEST_TMPDIR/in" --out="$BATS_TEST_TMPDIR/out" -- \
		sh "$BATS_TEST_TMPDIR/in/job" "$BATS_TEST_TMPDIR" "$bench" >"$BATS_TEST_TMPDIR/stdout" 2>"$BATS_TEST_TMPDIR/stderr" || status=$?
	[ $status -eq 7 ]
	[ "$(cat "$BATS_TEST_TMPDIR/stdout")" = "$(printf 'carried\napicv\nY\n%s' "$PWD")" ]
	[ "$(cat "$BATS_TEST_TMPDIR/stderr")" = "to stderr" ]
	cmp "$BATS_TEST_TMPDIR/in/random" "$BATS_TEST_TMPDIR/out/deep/random"
	cp "$BATS_TEST_TMPDIR/out/boot" "$BATS_TEST_TMPDIR/json"
	json 'j["ok"] and j["substrate"] == "lab-intel" and j["guest"] == "linux" and j["summary"]["boot_exits"]["median"] > 1000'
	no_emulator
}

@test "Ctrl-C, a time-out, kill -9, a panic: one line, the right status, nothing left" {
	needs_bochs
	fails 124 'timed out after 300 ms' "$bench" lab exec --lab=intel --timeout=300ms -- true
	no_emulator
	"$bench" lab exec --lab=intel -- sh -c 'echo up; sleep 1000' >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null 3>&- &
	pid=$!
	eventually 60 started
	kill -TERM $pid
	status=0
	wait $pid || status=$?
	[ $status -eq 143 ]
	grep -q "lab: interrupted" "$BATS_TEST_TMPDIR/err"
	no_emulator
	"$bench" lab exec --lab=intel -- true >/dev/null 2>&1 </dev/null 3>&- &
	pid=$!
	eventually 60 started
	kill -9 $pid
	wait $pid || true
	eventually 5 no_emulator
	fails 3 'its kernel panicked: .*sysrq.*console.log' "$bench" lab exec --lab=intel -- sh -c 'echo c >/proc/sysrq-trigger'
	no_emulator
}

# One boot, eleven guests: with EPT and APICv, without either, without both.
@test "VT-x: counts are the tracepoint's and KVM's own, every reason has its name, every row its key" {
	needs_bochs
	mkdir "$BATS_TEST_TMPDIR/out"
	"$bench" lab exec --lab=intel --carry="$PWD/tests/cli/lab_intel_exits.sh" --out="$BATS_TEST_TMPDIR/out" -- \
		sh "$PWD/tests/cli/lab_intel_exits.sh" "$O" "$BATS_TEST_TMPDIR/out"
	tests/cli/lab_intel_exits.py "$BATS_TEST_TMPDIR/out"
	mv "$BATS_TEST_TMPDIR/out/named.json" "$BATS_TEST_TMPDIR/json"
	json 'j["backend"] == "vmx" and j["lost"] == 0'
	json 'j["totals"]["exits"] == sum(e["count"] for e in j["exits"])'
	# What ends the guest has no entry after it.
	json 'not [e for e in j["exits"] if e["key"] == "out 0x0"] and [e for e in j["exits"] if e["key"] == "out 0x604"]'
	json '[e for e in j["exits"] if e["reason"] == "cr_access" and e["key"] == "mov to cr0"]'
	json '[e for e in j["exits"] if e["reason"] == "ept_violation" and e.get("device") == "exitlab-testdev0 scratch"]'
	# Faults on RAM have no address; nothing that went to userspace is without one.
	json 'not [e for e in j["exits"] if e["reason"] == "ept_violation" and not e["key"] and e["user_count"]]'
}
