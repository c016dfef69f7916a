# SPDX-License-Identifier: MIT
# The long version is `make soak`.
load ../helper

@test "kill -9 of bench at five random moments: the store stays whole, nothing lives on" {
	[ -c /dev/kvm ] || skip "no /dev/kvm"
	KILLS=5 tests/soak/kill.sh
}
