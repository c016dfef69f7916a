# SPDX-License-Identifier: MIT
# Our cards beside QEMU's: the same trace, the same registers, rings and frames (docs/vmm.md has what differs on purpose).
load ../helper

@test "e1000, 25 traces of 40 steps: registers, rings, received data and sent frames equal QEMU's" {
	command -v qemu-system-x86_64 >/dev/null || skip "no QEMU"
	timeout 120 "$O/tests/differential" e1000 1 25
}

@test "virtio-net, 25 traces of 30 steps: registers, rings of both kinds, answers, received data and sent frames equal QEMU's" {
	command -v qemu-system-x86_64 >/dev/null || skip "no QEMU"
	timeout 120 "$O/tests/differential" virtio-net 1 25
}
