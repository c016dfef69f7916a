# SPDX-License-Identifier: MIT
load ../helper

@test "no arguments: usage on stderr, status 2" {
	run "$bench"
	[ "$status" -eq 2 ]
	[[ "$output" == *"Usage: bench"* ]]
}

@test "standard output: a full disk fails, a reader that has seen enough does not" {
	fails 3 "standard output: not all" sh -c '"$1" list metrics >/dev/full' sh "$bench"
	(sleep 0.2 && "$bench" list metrics) | true # gone before the first byte
	[ "${PIPESTATUS[0]}" -eq 0 ]
}

@test "no program says where it was built: equal sources are equal bytes, and equal in virtual time" {
	for p in bench vmm agent micro.elf vhost-user-net; do
		! grep -qaF "$PWD" "$O/$p" || { echo "$p holds $PWD"; false; }
	done
}

@test "help without a command is the overview, on stdout" {
	diff <("$bench" help) <("$bench" 2>&1)
}

@test "every command has a help text with examples" {
	for c in $("$bench" --help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p' | sort -u); do
		[ "$c" = bench ] && continue
		run "$bench" "$c" --help
		[ "$status" -eq 0 ] || { echo "$c: $output"; false; }
		[[ "$output" == *"Usage: bench $c"* ]]
		[[ "$output" == *"Examples:"* ]] || { echo "$c has no examples"; false; }
	done
}

@test "a mistyped command, option, workload, mode, knob: the nearest one is named" {
	fails 2 "did you mean bench run" "$bench" rum
	fails 2 "did you mean --mode" "$bench" run boot --mod=x
	fails 2 "did you mean net-throughput" "$bench" run net-throughputt
	fails 2 "did you mean vhost" "$bench" run net-throughput --mode=vhots
	fails 2 "did you mean event_idx" "$bench" run net-throughput --mode=virtio --set event_idk=on
	fails 2 "expected split\|packed" "$bench" run net-throughput --mode=virtio --set ring=round
	fails 2 "mode e1000 has no such knob" "$bench" run net-throughput --mode=e1000 --set ring=packed
	fails 3 "mode=xen: builtin has no such device" "$bench" run net-throughput --mode=xen
	fails 3 "mode xen needs KVM" "$bench" run net-throughput --mode=xen --vmm=qemu:accel=tcg
	fails 2 "no VMM foo" "$bench" run boot --vmm=foo
	fails 2 "reps=0: not a valid value" "$bench" run boot --reps=0
	fails 2 "at most 10000 boots" "$bench" run boot --reps=4294967297
}

@test "a plan is ABBA: every second round runs the first one backwards" {
	run "$bench" run net-throughput --mode=e1000,virtio,vhost --reps=4 --seed=7 --dry-run
	[ "$status" -eq 0 ]
	mapfile -t cells < <(sed -n 's/^ *[0-9]\+  \([a-z0-9]*\)\/builtin .*/\1/p' <<<"$output")
	[ "${#cells[@]}" -eq 12 ]
	[ "${cells[0]}" = "${cells[5]}" ] && [ "${cells[1]}" = "${cells[4]}" ] && [ "${cells[2]}" = "${cells[3]}" ]
}

@test "boots by default: ten on the host, seven in the lab, two where they must be equal, three for a look" {
	run "$bench" run null --guest=micro --on=host --dry-run
	[[ "${lines[-1]}" == "1 cell, 10 boots"* ]]
	run "$bench" run null --on=lab --dry-run
	[[ "${lines[-1]}" == "1 cell, 7 boots"* ]]
	run "$bench" run null --deterministic --dry-run
	[[ "${lines[-1]}" == "1 cell, 2 boots"* ]]
	run "$bench" run null --on=lab --quick --dry-run
	[[ "${lines[-1]}" == "1 cell, 3 boots"* ]]
	run "$bench" run null --on=lab --quick --reps=5 --dry-run
	[[ "${lines[-1]}" == "1 cell, 5 boots"* ]]
}

@test "--quick shortens the window, unless told how long" {
	"$bench" run timer --guest=micro --on=host --quick --reps=1 --no-probes --json >"$BATS_TEST_TMPDIR/quick.json"
	jq -e '.summary.window_ns.median | . > 4e8 and . < 1.9e9' "$BATS_TEST_TMPDIR/quick.json"
}

@test "the same seed gives the same plan, knob lists make a matrix" {
	a=$("$bench" run net-throughput --mode=virtio --set ring=split,packed --set event_idx=on,off --reps=3 --seed=5 --dry-run)
	b=$("$bench" run net-throughput --mode=virtio --set ring=split,packed --set event_idx=on,off --reps=3 --seed=5 --dry-run)
	[ "$a" = "$b" ]
	[[ "$a" == *"4 cells, 12 boots"* ]]
}


@test "a plan of before may say npt=on|off: paging=nested|shadow" {
	run "$bench" run memory --guest=micro --set npt=on,off --on=lab --dry-run
	[ "$status" -eq 0 ]
	grep -q 'memory/builtin paging=nested ' <<<"$output"
	grep -q 'memory/builtin paging=shadow ' <<<"$output"
}
