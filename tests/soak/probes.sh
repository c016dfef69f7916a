#!/bin/bash
# SPDX-License-Identifier: MIT
# The probes at length: a million exits a second for a minute; the cross-checks of tests/lab/probes.bats on the newer kernel as
# well; the hypercalls of a
# guest of Xen's against the kernel's own tracepoint; kernels that are locked down.
#
#   tests/soak/probes.sh [rate] [newer] [xen] [lockdown]
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${O:=build}"
bench=$O/bench
failed=0

fail() { echo "probes: $*"; failed=1; }

rate() { timeout 120 "$O/tests/replay" 1000000 60 || fail "a million exits a second: status $?"; }

newer() {
	timeout 400 "$bench" lab exec --kernel=newer --timeout=380s -- bats --tap tests/lab/probes.bats tests/lab/probes_qemu.bats ||
		fail "the newer kernel (./setup.sh --newer): status $?"
}

# A kernel that finds no root ends its VM; until then it has called Xen a thousand times.
xen() {
	local out
	out=$(timeout 300 "$bench" lab exec --kernel=newer --timeout=280s -- sh tests/soak/xen_hypercalls.sh "$bench") ||
		fail "hypercalls of a guest of Xen's: status $?: $out"
}

# locked MODE STATUS PATTERN: what the profiler says there.
locked() {
	local mode=$1 want=$2 pattern=$3 out status=0
	out=$(timeout 100 "$bench" lab exec --append=lsm=lockdown --append="lockdown=$mode" --timeout=90s -- \
		timeout 60 "$bench" profile -- python3 tests/vmm/bare_vm.py 1 2>&1) || status=$?
	[ "$status" -eq "$want" ] && grep -qE "$pattern" <<<"$out" || fail "lockdown=$mode: status $status: $out"
}

lockdown() {
	locked confidentiality 3 'locked down \(confidentiality\).*still work'
	locked integrity 0 'io .*in 0x2ff'
}

for what in "${@:-rate newer xen lockdown}"; do
	for w in $what; do "$w"; done
done
[ $failed -eq 0 ] && echo "probes: passed"
exit $failed
