# SPDX-License-Identifier: MIT
# The long version is `make soak`.
load ../helper

@test "SR-IOV: one cycle, and one kill -9 of the VMM, leave the host's state as it was" {
	CYCLES=1 KILLS=1 tests/soak/sriov.sh
}
