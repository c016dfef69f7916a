# SPDX-License-Identifier: MIT
# The vhost-user back-ends, and front-ends that mean no good (robustness, class 13). No KVM needed.
# VU=build/asan/vhost-user-net and VUB=build/asan/vhost-user-blk run them against a sanitized back-end.
load ../helper
: "${VU:=$PWD/$O/vhost-user-net}"
: "${VUB:=$PWD/$O/vhost-user-blk}"

setup() {
	unshare -rn true 2>/dev/null || skip "no user namespaces here, and not root"
	command -v python3 >/dev/null || skip "no python3"
}

# front STEP...: the back-end of a card, each step against it, and it lives.
front() {
	[ -w /dev/net/tun ] || skip "no /dev/net/tun"
	served "$VU" "--tap=t0" "$@"
}

# front_disk STEP...: the same of a disk with two queues.
front_disk() {
	truncate -s 1M "$BATS_TEST_TMPDIR/disk"
	DISK=1 served "$VUB" "--disk=$BATS_TEST_TMPDIR/disk,direct=off,queues=2" "$@"
}

# served PROGRAM OPTION STEP...
served() {
	run timeout 120 unshare -rn bash -c '
		[ -n "$DISK" ] || { ip tuntap add t0 mode tap && ip link set t0 up; } || exit 77
		"$0" --socket="$1/vu" "$2" 2>"$1/log" & pid=$!
		trap "kill -9 $pid 2>/dev/null" EXIT
		for i in {1..200}; do [ -S "$1/vu" ] && break; sleep 0.05; done
		cd tests/vmm || exit 1
		for step in "${@:3}"; do ./hostile_front.py "$1/vu" $pid $step || exit 1; done
		kill -TERM $pid && wait $pid' "$1" "$BATS_TEST_TMPDIR" "${@:2}"
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

@test "vhost-user-blk: memory that vanishes under its requests, a call that is full, 300 hostile connections" {
	front_disk good cut good "storm 300" good
	grep -q 'its memory has vanished' "$BATS_TEST_TMPDIR/log"
	front_disk good hold
}
