# SPDX-License-Identifier: MIT
# Our e1000 beside QEMU's: the same trace, the same registers, rings and frames (docs/vmm.md has what differs on purpose).
load ../helper

@test "25 traces of 40 steps: registers, rings, received data and sent frames equal QEMU's" {
	command -v qemu-system-x86_64 >/dev/null || skip "no QEMU"
	timeout 120 "$O/tests/differential" 1 25
}
