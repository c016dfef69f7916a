# SPDX-License-Identifier: MIT
# The micro guest itself, under QEMU's TCG: needs neither KVM nor root.
load ../helper
load micro

setup() {
	need_qemu
}

@test "micro guest: boots, says its lines, powers off with status 0" {
	run micro_tcg "workload=null"
	[ "$status" -eq 0 ]
	[[ ${lines[0]} =~ ^exitlab\ hello\ 1\  ]]
	[ "${lines[-1]}" = "exitlab done" ]
	grep -q '^exitlab ready$' <<<"$output"
	[ -n "$(metric window_ns)" ]
}

@test "micro guest: a bad job is a failed sample and status 3, not a hang" {
	run micro_tcg "workload=null bogus=1"
	[ "$status" -eq 3 ]
	grep -q '^exitlab fail .*bogus=1$' <<<"$output"
	[ "${lines[-1]}" = "exitlab done" ]
}

@test "micro guest: an unknown workload is named" {
	run micro_tcg "workload=nothing"
	[ "$status" -eq 3 ]
	grep -q '^exitlab fail .*nothing$' <<<"$output"
}
