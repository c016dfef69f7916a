# SPDX-License-Identifier: MIT
# The vhost-user back-end, and front-ends that mean no good (robustness, class 13). No KVM needed.
# VU=build/asan/vhost-user-net runs them against a sanitized back-end.
load ../helper
: "${VU:=$PWD/$O/vhost-user-net}"

setup() {
	unshare -rn true 2>/dev/null || skip "no user namespaces here, and not root"
	[ -w /dev/net/tun ] || skip "no /dev/net/tun"
	command -v python3 >/dev/null || skip "no python3"
}

# front STEP...: a back-end, each step against it, and it lives.
front() {
	run timeout 120 unshare -rn bash -c '
		ip tuntap add t0 mode tap && ip link set t0 up || exit 77
		"$0" --socket="$1/vu" --tap=t0 2>"$1/log" & pid=$!
		trap "kill -9 $pid 2>/dev/null" EXIT
		for i in {1..200}; do [ -S "$1/vu" ] && break; sleep 0.05; done
		cd tests/vmm || exit 1
		for step in "${@:2}"; do ./hostile_front.py "$1/vu" $pid $step || exit 1; done
		kill -TERM $pid && wait $pid' "$VU" "$BATS_TEST_TMPDIR" "$@"
	tail -3 "$BATS_TEST_TMPDIR/log"
	echo "$output"
	[ "$status" -eq 0 ]
	! grep -qE 'Sanitizer|runtime error' "$BATS_TEST_TMPDIR/log"
}

@test "vhost-user-net: a front-end that cuts its memory file is dropped, the next one is served" {
	front good cut good cut good
	grep -q 'its memory has vanished' "$BATS_TEST_TMPDIR/log"
}

@test "vhost-user-net: a call that the front-end has filled holds up neither frames nor SIGTERM" {
	front good hold
}

@test "vhost-user-net: 1000 hostile connections, flat in files and memory" {
	front "storm 1000" good
}
