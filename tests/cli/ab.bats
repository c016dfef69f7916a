# SPDX-License-Identifier: MIT
# bench ab on this host's KVM with the micro guest.
load ../helper
bats_require_minimum_version 1.5.0

setup() {
	store=$BATS_TEST_TMPDIR/store
}

# Every kick an exit of its own: decided after few pairs, and both records are those of one run.
@test "settings that differ: worse, decided before the limit, records as those of bench run" {
	[ -w /dev/kvm ] || skip "no /dev/kvm"
	run -1 --separate-stderr "$bench" ab ioeventfd=on ioeventfd=off --metric=userspace_exits --limit=20 --json -- \
		net-throughput --guest=micro --on=host --seed=1 --store="$store"
	echo "$output" >"$BATS_TEST_TMPDIR/json"
	json 'j["verdict"] == "worse" and j["pairs"] == 10 and j["look"] == 1 and j["looks"] == 3'
	json 'j["metrics"][0]["metric"] == "userspace_exits" and j["metrics"][0]["p"] < 0.003'
	[[ "$stderr" == *"10 pairs, look 1 of 3: worse: userspace_exits"* ]]
	a=$(jq -r .a.run <<<"$output") b=$(jq -r .b.run <<<"$output")
	[ "$(jq -r '.plan_id, (.samples | length), .plan.reps, (.plan.order | length)' "$store/runs/$a/record.json" | xargs)" = "$a 10 10 20" ]
	[ "$(jq -r '.plan_id, .knobs.ioeventfd' "$store/runs/$b/record.json" | xargs)" = "$a off" ]
	# Within each round an order of its own.
	jq -r '.plan.order[][:1]' "$store/runs/$a/record.json" | paste -d '' - - | sort | uniq -c | grep -c . | grep -qx 2
	"$bench" compare "$a" "$b" --store "$store" --metric=userspace_exits | grep -q WORSE
	tests/schema "$store/runs/$a/record.json"
}

@test "the same twice: no evidence, to the limit" {
	[ -w /dev/kvm ] || skip "no /dev/kvm"
	run -0 --separate-stderr "$bench" -q ab builtin builtin --metric=boot_exits --metric=userspace_exits --limit=10 -- \
		boot --guest=micro --on=host --store="$store"
	[[ "$output" == *"ab: no evidence that B is worse or better"* ]]
	[[ "$output" == *"10 pairs, look 1 of 1"* ]]
}

@test "a build that does not run is no verdict: 125, which git bisect skips" {
	[ -w /dev/kvm ] || skip "no /dev/kvm"
	run -125 --separate-stderr "$bench" -q ab builtin builtin:/bin/false --limit=2 -- boot --guest=micro --on=host --store="$store"
	[[ "$output" == *"ab: undecided"* ]]
}

@test "what is no comparison is refused in a line" {
	fails 2 'expected A B -- WORKLOAD' "$bench" ab builtin qemu boot
	fails 2 'expected A B -- WORKLOAD' "$bench" ab builtin -- boot
	fails 2 'behind -- expected one workload' "$bench" ab builtin builtin -- boot --reps=3
	fails 2 '/no/where: No such file' "$bench" ab builtin builtin:/no/where -- boot
	fails 2 'is no program; give its path or that of a build directory' "$bench" ab builtin builtin:/etc/passwd -- boot
	fails 2 'expected VMM\[:PATH\], kernel:NAME or knob=value' "$bench" ab builtin bultin -- boot
	fails 2 'expected knob=value' "$bench" ab ring=split ring=packed,event_idx -- net-throughput
	fails 2 'name one mode, VMM and value' "$bench" ab builtin builtin -- net-throughput --mode=virtio,vhost
	fails 2 'margin=x' "$bench" ab builtin builtin --margin=x -- boot
	fails 2 'at most 1000 pairs' "$bench" ab builtin builtin --limit=1001 -- boot
	[ ! -e "$store" ]
}
