# SPDX-License-Identifier: MIT
# bench profile and bench top: what they refuse, in one line each.
load ../helper

@test "profile: ways to choose a virtual machine exclude one another" {
	fails 2 'exclude one another' "$bench" profile --pid=1 --all
	fails 2 'exclude one another' "$bench" profile --all -- true
	fails 2 'folded is one output' "$bench" profile --all --folded --json
}

@test "profile: no such process, no such virtual machine, no such program" {
	fails 3 'no such process' "$bench" profile --pid=999999999
	fails 3 'no-such-vm: no such virtual machine' "$bench" profile --name=no-such-vm
	fails 3 'cannot be started|No such file|not there|No such' "$bench" profile -- /no/such/program
}

@test "profile: unknown words name what is expected" {
	fails 2 'key=colour' "$bench" profile --key=colour --all
	fails 2 'vcpu=x' "$bench" profile --vcpu=x --all --duration=1s
}

@test "profile: without CAP_BPF one line says what is missing and what still works" {
	[ "$(id -u)" -eq 0 ] || skip "not root"
	fails 3 'no permission to load BPF.*CAP_BPF.*still work' setpriv --bounding-set=-sys_admin,-bpf,-perfmon \
		"$bench" profile --all --duration=1s
}

@test "profile, doctor: in a PID namespace of its own one line says why nothing would be counted" {
	unshare -p -f --mount-proc true 2>/dev/null || skip "may not make name spaces"
	fails 3 'PID namespace of its own.*--pid=host.*still work' unshare -p -f --mount-proc "$bench" profile --all --duration=1s
	unshare -p -f --mount-proc "$bench" doctor --json >"$BATS_TEST_TMPDIR/json"
	jq -e '.process_numbers.verdict == "missing" and (.process_numbers.todo | test("--pid=host"))' "$BATS_TEST_TMPDIR/json"
}

@test "top: wants a terminal" {
	fails 2 'not a terminal' "$bench" top
}

@test "list counters: software events are there on every machine" {
	"$bench" list counters | grep -q '^perf .*page-faults'
}
