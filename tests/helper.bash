# SPDX-License-Identifier: MIT
# Sourced by every .bats file: paths, and a store of the test's own.
cd "$BATS_TEST_DIRNAME/../.." || exit 1
: "${O:=build}"
bench=$PWD/$O/bench
vmm=$PWD/$O/vmm
export NO_COLOR=1

# none CMD...: the command fails. A bare "! CMD" does not end a test unless it is the last one.
none() {
	! "$@"
}

# fails STATUS PATTERN CMD...: the command ends with STATUS, and one line on stderr matches PATTERN.
fails() {
	local want=$1 pattern=$2 status=0 err
	shift 2
	err=$("$@" 2>&1 >/dev/null </dev/null) || status=$?
	if [ "$status" -ne "$want" ] || ! grep -qE "$pattern" <<<"$err" || [ "$(grep -c . <<<"$err")" -ne 1 ]; then
		echo "status $status (want $want), stderr: $err (want one line like $pattern)"
		return 1
	fi
}

# json EXPRESSION: true in Python of j, which is what $BATS_TEST_TMPDIR/json holds.
json() {
	python3 -c 'import json, sys; j = json.load(open(sys.argv[1])); sys.exit(not ('"$1"'))' "$BATS_TEST_TMPDIR/json" || {
		head -c 3000 "$BATS_TEST_TMPDIR/json"
		return 1
	}
}

# bench profile of a VM of no VMM, whose vCPUs come and go, against what each of them counted itself.
every_vcpu_is_counted() {
	local n exits
	timeout 60 "$bench" profile --json -- python3 tests/vmm/bare_vm.py 3 >"$BATS_TEST_TMPDIR/both"
	grep '^vcpu' "$BATS_TEST_TMPDIR/both" >"$BATS_TEST_TMPDIR/said"
	grep -v '^vcpu' "$BATS_TEST_TMPDIR/both" >"$BATS_TEST_TMPDIR/json"
	for n in 0 1; do
		exits=$(awk -v n=$n '$2 == n { print $4 }' "$BATS_TEST_TMPDIR/said")
		[ "$exits" -gt 100 ] || return 1
		json "sum(e['count'] for e in j['exits'] if e['vcpu'] == $n and e['key'] == 'in 0x2ff') == $exits" || return 1
	done
	json 'j["lost"] == 0'
}
