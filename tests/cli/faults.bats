# SPDX-License-Identifier: MIT
# The store under failure: each call that writes below it fails once (disk full; EIO from fsync), and allocations do, in
# each command that changes it. Nothing is lost, what was asked for is there or not, and the same command then works.
load ../helper

setup_file() {
	export fail=$BATS_FILE_TMPDIR/fail.so
	gcc -D_GNU_SOURCE -O1 -Wall -shared -fPIC -o "$fail" "$BATS_TEST_DIRNAME/fail_kth.c" -ldl
}

setup() {
	base=$BATS_TEST_TMPDIR/base store=$BATS_TEST_TMPDIR/store
	for id in a-1 a-2 a-3; do
		jq -n --arg id "$id" '{schema: 1, id: $id, started: "2026-03-14T09:26:53Z", workload: "net-throughput", mode: "virtio",
			vmm: "builtin", guest: "linux", substrate: "host", time_base: "real", knobs: {}, ok: true, params: {reps: 1},
			samples: [{ok: true, metrics: {exits: 100}}], summary: {exits: {median: 100, ci_low: null, ci_high: null, n: 1}}}' \
			>"$BATS_TEST_TMPDIR/$id.json"
	done
	"$bench" import "$BATS_TEST_TMPDIR"/a-[12].json --store "$base" >/dev/null
	"$bench" accept a-1 exits --why=before --store "$base" >/dev/null
}

# whole [ID...]: these runs are there, whole, and no others but `maybe`; a-1's mark is what it was.
whole() {
	local ids
	"$bench" export --all --store "$store" >"$BATS_TEST_TMPDIR/all" 2>/dev/null || return 1
	ids=$(jq -r '(.records // [.])[] | select(.samples[0].metrics.exits == 100).id' "$BATS_TEST_TMPDIR/all" | grep -vx "$maybe" | xargs)
	[ "$ids" = "$*" ] || { echo "runs are \"$ids\", not \"$*\""; return 1; }
	[ "$(jq -r .exits "$store/runs/a-1/accepted.json")" = before ] || { echo "the mark is lost"; return 1; }
	[ "$(find "$store/runs" -mindepth 1 -maxdepth 1 -type d | wc -l)" -eq "$(jq '.records // [.] | length' "$BATS_TEST_TMPDIR/all")" ]
}

# each STEP UNDER CMD...: as CMD, whose first call fails, then the one STEP later, and so on, until none does any more.
each() {
	local step=$1 under=$2 k status tried=0
	shift 2
	for ((k = 1; ; k += step, tried++)); do
		rm -rf "$store" "$BATS_TEST_TMPDIR/log"
		cp -a "$base" "$store"
		status=0
		FAIL_KTH=$k FAIL_UNDER=$under FAIL_LOG=$BATS_TEST_TMPDIR/log FAIL_PROGRAM=bench LD_PRELOAD=$fail \
			"$@" --store "$store" >/dev/null 2>"$BATS_TEST_TMPDIR/err" || status=$?
		[ -e "$BATS_TEST_TMPDIR/log" ] || break
		echo "call $k: $(cat "$BATS_TEST_TMPDIR/log") status $status: $(cat "$BATS_TEST_TMPDIR/err")"
		[ "$status" -le 3 ]
		[ "$status" -eq 0 ] || [ -s "$BATS_TEST_TMPDIR/err" ]
		# Whoever reads it knows what to do.
		none grep -vE 'free some|choose (a|an)|make it writable|built anew|try again|see bench|cannot be started' "$BATS_TEST_TMPDIR/err"
		whole $sure
		# What is left behind is gone with the next one that writes.
		"$@" --store "$store" >/dev/null 2>&1 || true
		[ -z "$(ls "$store/tmp")" ]
	done
	echo "$tried calls"
	[ "$tried" -gt 9 ]
}

@test "each write of an import fails once" {
	maybe=a-3 sure="a-1 a-2"
	each 1 "$store" "$bench" import "$BATS_TEST_TMPDIR/a-3.json"
}

@test "each write of a removal fails once" {
	maybe=a-2 sure=a-1
	each 1 "$store" "$bench" rm a-2
}

@test "each write of a mark fails once, and allocations of a second one do" {
	maybe=none sure="a-1 a-2"
	each 1 "$store" "$bench" accept a-2 exits --why=after
	jq '.summary.other = .summary.exits | .id = "a-1"' "$BATS_TEST_TMPDIR/a-1.json" >"$base/runs/a-1/record.json"
	each 41 "" "$bench" accept a-1 other --why=after
}

@test "allocations of an import and of a removal fail" {
	maybe=a-3 sure="a-1 a-2"
	each 53 "" "$bench" import "$BATS_TEST_TMPDIR/a-3.json"
	maybe=a-2 sure=a-1
	each 41 "" "$bench" rm a-2
}
