# SPDX-License-Identifier: MIT
# Sourced by the tests of the Xen lab: runs in its dom0.

setup() {
	store=$BATS_TEST_TMPDIR/store
}

once() {
	"$bench" -q run "$@" --on=host --reps=1 --warmup=0 --store="$store" --json >"$BATS_TEST_TMPDIR/json"
}

# Only dom0 is left, and no process of ours.
nothing_left() {
	timeout 120 sh -c 'while [ "$(xl list | wc -l)" -gt 2 ] || pgrep xentrace; do sleep 0.5; done'
}

# twice N: the sample's check guest_ops has N pairs, what Xen recorded and what the guest's operations come to, within 1 %.
twice() {
	python3 - "$BATS_TEST_TMPDIR/json" "$1" <<-'end'
		import json, re, sys
		checks = json.load(open(sys.argv[1]))['samples'][0]['checks']
		text = next(c['detail'] for c in checks if c['name'] == 'guest_ops')
		pairs = [(int(a), int(b)) for a, b in re.findall(r' (\d+), the guest (\d+)', text)]
		assert len(pairs) == int(sys.argv[2]) and all(abs(a - b) <= max(b / 100, 1) for a, b in pairs), text
	end
}
