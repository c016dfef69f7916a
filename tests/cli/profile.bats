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

# A Xen host of two programs: what xl lists, and an xentrace that records what it is told to end.
fake_xen() {
	mkdir "$BATS_TEST_TMPDIR/bin"
	cat >"$BATS_TEST_TMPDIR/bin/xl" <<-'sh'
		#!/bin/sh
		printf '%s\n' 'UUID                                  ID    name' \
			'00000000-0000-0000-0000-000000000000     0    Domain-0' \
			'45786974-6c61-6200-8000-000000000080     5    a web server                  ' \
			'45786974-6c61-6200-8000-000000000081     9    other' 'nonsense'
	sh
	# The seed has the fuzzer's two bytes before the records; the first piece is of the time before.
	cat >"$BATS_TEST_TMPDIR/bin/xentrace" <<-sh
		#!/bin/sh
		end() { tail -c +3 "$PWD/tests/fuzz/seeds/probes_xentrace/\$kind"; exit 0; }
		trap end TERM
		kind=\${FAKE_TRACE:-pv}
		tail -c +3 "$PWD/tests/fuzz/seeds/probes_xentrace/pv"
		while :; do sleep 0.1; done
	sh
	chmod +x "$BATS_TEST_TMPDIR"/bin/*
	PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

@test "profile --xen: on a machine without Xen one line says so and where it can be done" {
	fails 3 'xl is not installed.*bench lab exec --lab=xen' env PATH=/nowhere "$bench" profile --xen=web
	fails 2 'xen goes with' "$bench" profile --xen=web --all
	fails 2 'xen goes with' "$bench" profile --xen=web --key=gpa
}

@test "profile --xen: a domain's hypercalls, by name and number, as a table and as JSON" {
	fake_xen
	fails 3 'xen=db: no such domain; there are: Domain-0, a web server, other' "$bench" profile --xen=db
	"$bench" profile --xen='a web server' --duration=100ms --json >"$BATS_TEST_TMPDIR/json"
	json "j['name'] == 'a web server' and j['domain'] == 5 and j['backend'] == 'xen-pv' and j['lost'] == 0"
	json "[r['count'] for r in j['exits'] if (r['reason'], r['key']) == ('hypercall', 'iret')] == [7]"
	json "j['totals']['exits'] == sum(r['count'] for r in j['exits'] if r['reason'] != 'in multicall')"
	"$bench" profile --xen=9 --duration=100ms >"$BATS_TEST_TMPDIR/table"
	grep -E '^other \(domain 9\)' "$BATS_TEST_TMPDIR/table"
	grep -E '^hypercall +mmu_update +1 ' "$BATS_TEST_TMPDIR/table"
	none grep -q p99 "$BATS_TEST_TMPDIR/table"
}

@test "profile --xen: what is no trace, or an xentrace that ends, is one line and no figures" {
	fake_xen
	printf '#!/bin/sh\nexit 1\n' >"$BATS_TEST_TMPDIR/bin/xentrace"
	fails 3 'xentrace records nothing' "$bench" profile --xen=5 --duration=100ms
	printf '#!/bin/sh\nprintf 0123456789abcdef; sleep 5\n' >"$BATS_TEST_TMPDIR/bin/xentrace"
	fails 3 'no record: it does not begin' "$bench" profile --xen=5 --duration=100ms
}
