# SPDX-License-Identifier: MIT
# bench gate with samples that it takes itself, on this host's KVM with the micro guest.
load ../helper

setup() {
	[ -w /dev/kvm ] || skip "no /dev/kvm"
	store=$BATS_TEST_TMPDIR/store
	# As many exits in each boot as it is asked for, however busy the machine is.
	"$bench" -q run exit-cost --guest=micro --on=host --set op=pio_user --work=200 --reps=6 --store "$store" --json \
		>"$BATS_TEST_TMPDIR/baseline.json"
	id=$(jq -r .id "$BATS_TEST_TMPDIR/baseline.json")
}

@test "nothing has changed: one screening sample, passed" {
	echo '* 60%' >"$BATS_TEST_TMPDIR/floors"
	"$bench" gate --baseline="$id" --metric=userspace_exits --floors="$BATS_TEST_TMPDIR/floors" --store "$store" \
		--markdown="$BATS_TEST_TMPDIR/gate.md" --junit="$BATS_TEST_TMPDIR/gate.xml"
	grep -q '^### bench gate: passed' "$BATS_TEST_TMPDIR/gate.md"
	grep -q 'tests="1" failures="0"' "$BATS_TEST_TMPDIR/gate.xml"
	[ "$(ls "$store/runs" | wc -l)" -eq 2 ]
}

@test "twice the exits of the baseline: confirmed by a fresh sample of twice the boots, then tripped" {
	jq --arg id "${id%??????}ffffff" '.id = $id | .samples[].metrics.userspace_exits /= 2 | del(.order)' \
		"$BATS_TEST_TMPDIR/baseline.json" >"$BATS_TEST_TMPDIR/half.json"
	"$bench" -q import "$BATS_TEST_TMPDIR/half.json" --store "$store"
	run "$bench" -q gate --baseline="${id%??????}ffffff" --metric=userspace_exits --store "$store" --junit="$BATS_TEST_TMPDIR/gate.xml"
	[ "$status" -eq 1 ] || { echo "$output"; false; }
	[[ "$output" == *"confirmation "*"userspace_exits"*"TRIPPED"* ]]
	grep -q '<failure message=' "$BATS_TEST_TMPDIR/gate.xml"
	confirmation=$(sed -n 's/.*, confirmation \([^ ]*\)$/\1/p' <<<"$output")
	[ "$(jq '.samples | length' "$store/runs/$confirmation/record.json")" -eq 12 ]
}
