# SPDX-License-Identifier: MIT
load ../helper

setup() {
	store=$BATS_TEST_TMPDIR/store
}

# record ID MODE LEVEL [JQ]: import a made-up run of ten boots around LEVEL; JQ changes it first.
record() {
	jq -n --arg id "$1" --arg mode "$2" --argjson level "$3" '
		[range(10) | $level * (1 + 0.004 * . * (if . % 2 == 0 then 1 else -1 end))] as $x |
		{schema: 1, id: $id, started: "2026-03-14T09:26:53Z", workload: "net-throughput", mode: $mode,
		 vmm: "builtin", guest: "linux", substrate: "host", time_base: "real", knobs: {}, ok: true,
		 params: {duration_ns: 2000000000, work: 0, reps: 10},
		 samples: [$x[] | {ok: true, metrics: {throughput_bps: ., exits: 100}}],
		 summary: {throughput_bps: {median: ($x | sort | (.[4] + .[5]) / 2), ci_low: null, ci_high: null, n: 10},
			   exits: {median: 100, ci_low: 100, ci_high: 100, n: 10}}} | '"${4:-.}" > "$BATS_TEST_TMPDIR/$1.json"
	"$bench" import "$BATS_TEST_TMPDIR/$1.json" --store "$store" > /dev/null
}

@test "import, list, show, rm" {
	record a-1 virtio 1e9
	record a-2 vhost 2e9
	run "$bench" list runs --store "$store"
	[[ "$output" == *a-1*virtio* && "$output" == *a-2*vhost* ]]
	run "$bench" show --store "$store"
	[[ "$output" == *a-2*"net-throughput vhost"* && "$output" == *throughput_bps* ]]
	[[ "$output" == *"parameters: duration=2.00 s, reps=10"$'\n'* ]]
	[ "$("$bench" show a-1 --json --store "$store" | jq -r .mode)" = virtio ]
	[[ "$("$bench" list runs --workload=boot --store "$store")" == "no run in $store fits"* ]]
	fails 3 "since soon: expected a date" "$bench" list runs --since=soon --store "$store"
	"$bench" rm a-1 --store "$store"
	fails 3 "a-1: .*no such run" "$bench" show a-1 --store "$store"
}

@test "what import refuses, it names; what is there it passes over" {
	record a-1 virtio 1e9
	run "$bench" import "$BATS_TEST_TMPDIR/a-1.json" --store "$store"
	[ "$status" -eq 0 ] && [[ "$output" == "0 imported, 1 already there, 0 refused" ]]
	echo '{"schema": 9}' > "$BATS_TEST_TMPDIR/new.json"
	fails 1 "schema 9.*newer exitlab" "$bench" import "$BATS_TEST_TMPDIR/new.json" --store "$store"
	fails 2 "give paths" "$bench" import --store "$store"
}

@test "export: each format, whole file or none" {
	record a-1 virtio 1e9
	record a-2 vhost 2e9
	[ "$("$bench" export a-1 a-2 --format=csv --store "$store" | wc -l)" -eq 41 ]
	[ "$("$bench" export --all --store "$store" | jq '.records | length')" -eq 2 ]
	"$bench" export a-1 --format=openmetrics --out "$BATS_TEST_TMPDIR/x.prom" --store "$store"
	[ "$(tail -1 "$BATS_TEST_TMPDIR/x.prom")" = "# EOF" ]
	"$bench" export a-1 --format=bmf --store "$store" | jq -e '.[].throughput_bps.value' > /dev/null
	fails 2 "expected json.csv.openmetrics.bmf" "$bench" export a-1 --format=xml --store "$store"
}

@test "compare: verdicts, and a refusal that names what differs" {
	record a-1 virtio 1e9
	record a-2 virtio 0.8e9
	record a-3 virtio 1e9 '.substrate = "lab"'
	run "$bench" compare a-1 a-2 --store "$store"
	[ "$status" -eq 0 ]
	[[ "$output" == *"throughput_bps"*"-20.0 %"*"WORSE"* && "$output" == *"exits"*"equal"* ]]
	[ "$("$bench" compare a-1 a-2 --json --store "$store" | jq -r '.rows[0].verdict')" = worse ]
	fails 3 "another substrate \(host -> lab\).*--force" "$bench" compare a-1 a-3 --store "$store"
	run "$bench" compare a-1 a-3 --force --store "$store"
	[ "$status" -eq 0 ]
}

@test "compare --plan: pairs by configuration, means where they belong" {
	record a-1 virtio 1e9 '.plan_id = "p1"'
	record a-2 vhost 3e9 '.plan_id = "p1"'
	record b-1 virtio 0.8e9 '.plan_id = "p2"'
	record b-2 vhost 3e9 '.plan_id = "p2"'
	record b-3 e1000 1e8 '.plan_id = "p2"'
	run "$bench" compare --plan a-1 b-2 --store "$store"
	[ "$status" -eq 0 ]
	# Harmonic mean of 1 and 3 is 1.5, of 0.8 and 3 it is 1.26; the ratios 0.8 and 1 have the geometric mean 0.894.
	[[ "$output" =~ throughput_bps\ +2\ +1.50\ G\ +1.26\ G\ +-10.6\ %\ +-20.0\ %\ +\+0.0\ %\ +0\ +1 ]]
	record c-1 sriov 1e9 '.plan_id = "p3"'
	fails 3 "no configuration in common" "$bench" compare --plan a-1 c-1 --store "$store"
}

@test "gate on stored samples: trips, passes, writes Markdown and JUnit" {
	record a-1 virtio 1e9
	record a-2 virtio 0.9e9
	record a-3 virtio 0.9e9
	run "$bench" gate --baseline=a-1 --screening=a-2 --confirmation=a-3 --store "$store" \
		--markdown="$BATS_TEST_TMPDIR/g.md" --junit="$BATS_TEST_TMPDIR/g.xml"
	[ "$status" -eq 1 ] && [[ "$output" == *"throughput_bps"*"TRIPPED"* ]]
	grep -q '| \*\*TRIPPED\*\* |' "$BATS_TEST_TMPDIR/g.md"
	grep -q 'tests="2" failures="1" errors="0" skipped="0"' "$BATS_TEST_TMPDIR/g.xml"
	run "$bench" gate --baseline=a-1 --screening=a-2 --confirmation=a-1 --store "$store"
	[ "$status" -eq 0 ] && [[ "$output" == *"not confirmed"* ]]
	run "$bench" gate --baseline=a-1 --screening=a-1 --store "$store"
	[ "$status" -eq 0 ] && [[ "$output" == *"gate passed"* ]]
	echo 'throughput_bps 15%' > "$BATS_TEST_TMPDIR/floors"
	run "$bench" gate --baseline=a-1 --screening=a-2 --floors="$BATS_TEST_TMPDIR/floors" --store "$store"
	[ "$status" -eq 0 ]
	fails 3 "not measured with --deterministic" "$bench" gate --baseline=a-1 --deterministic --store "$store"
	fails 2 "baseline=RUN is missing" "$bench" gate --store "$store"
}

@test "gate in virtual time: one exit more is named with its reason" {
	virtual='.time_base = "virtual" | .substrate = "lab" | .samples |= .[:2]'
	record a-1 virtio 1e9 "$virtual | .samples[].metrics = {exits: 23884} |
		.exits = [{reason: \"io\", key: \"0x3f8\", count: 100}]"
	record a-2 virtio 1e9 "$virtual | .samples[].metrics = {exits: 23885} |
		.exits = [{reason: \"io\", key: \"0x3f8\", count: 101}]"
	run "$bench" gate --baseline=a-1 --screening=a-2 --deterministic --store "$store"
	[ "$status" -eq 1 ]
	[[ "$output" == *"exits"*"23884"*"23885"*"TRIPPED"* && "$output" == *"exit io 0x3f8: 100 -> 101"* ]]
	run "$bench" gate --baseline=a-1 --screening=a-1 --deterministic --store "$store"
	[ "$status" -eq 0 ]
}

@test "accept wants a reason and a metric that is there" {
	record a-1 virtio 1e9
	fails 2 "why=TEXT is missing" "$bench" accept a-1 throughput_bps --store "$store"
	fails 3 "no metric of this name" "$bench" accept a-1 boot_ns --why x --store "$store"
	"$bench" accept a-1 throughput_bps --why "new kernel" --store "$store"
	[ "$(jq -r .throughput_bps "$store/runs/a-1/accepted.json")" = "new kernel" ]
}

@test "rerun names what has changed and repeats the one cell" {
	echo first > "$BATS_TEST_TMPDIR/input"
	record a-1 virtio 1e9 ".inputs = [{name: \"vmm\", path: \"$BATS_TEST_TMPDIR/input\", sha256: \"00\"}]"
	run "$bench" rerun a-1 --dry-run --store "$store"
	[ "$status" -eq 0 ]
	[[ "$output" == *"differs: input vmm"* ]]
	[[ "$output" == *"run net-throughput --mode=virtio --vmm=builtin --guest=linux --on=host"* ]]
	run "$bench" rerun a-1 --strict --store "$store"
	[ "$status" -eq 1 ]
}

@test "rerun: a sealed lab's inputs came from this machine" {
	local sum
	sum=$(sha256sum <"$O/agent")
	record a-1 virtio 1e9 ".time_base = \"virtual\" | .substrate = \"lab\" |
		.inputs = [{name: \"agent\", path: \"/exitlab/agent\", sha256: \"${sum%% *}\"}]"
	run "$bench" rerun a-1 --dry-run --store "$store"
	[[ "$output" == *"every input is what it was"*"--on=lab --deterministic"* ]] || { echo "$output"; false; }
}

@test "sweep: shipped job files are valid plans, claims can be judged" {
	for f in experiments/*.ini; do
		run "$bench" sweep "$f" --dry-run --store "$store"
		[ "$status" -eq 0 ] || { echo "$f: $output"; false; }
	done
	record a-1 virtio 1e9
	run "$bench" sweep firecracker-spec --judge --store "$store"
	[ "$status" -eq 0 ]
	[[ "$output" == *"125 ms"*"not measured"*"bench run boot --vmm=firecracker"* ]]
	run "$bench" sweep claims --judge --store "$store"
	[ "$status" -eq 0 ] && [[ "$output" == *"virtio-net, throughput"*Gb/s*" no "* ]]
	printf '[x]\nmode=virtio\n' > "$BATS_TEST_TMPDIR/bad.ini"
	fails 2 "workload= is missing" "$bench" sweep "$BATS_TEST_TMPDIR/bad.ini"
}

@test "sweep hardware: the boots of both vendors side by side, and what each extension does" {
	boot='.workload = "boot" | .mode = "" | .time_base = "virtual" | .substrate = '
	record b-1 virtio 1 "$boot"'"lab-intel" | .knobs.paging = "shadow" | .exits = [{reason: "invlpg", key: "", count: 999}]'
	record b-2 virtio 1 "$boot"'"lab-intel" | .knobs.paging = "shadow" | .summary.boot_exits = .summary.exits |
		.exits = [{reason: "invlpg", key: "", count: 70}, {reason: "io_instruction", key: "", count: 9},
			{reason: "wbinvd", key: "", count: 1}] | .samples[].metrics.boot_exits = 80'
	record b-3 virtio 1 "$boot"'"lab-intel" | .knobs.paging = "nested" |
		.exits = [{reason: "io_instruction", key: "", count: 9}] | .samples[].metrics.boot_exits = 9'
	record b-4 virtio 1 "$boot"'"lab" |
		.exits = [{reason: "io", key: "", count: 8}, {reason: "write_cr0", key: "", count: 2}]'
	run "$bench" sweep hardware --judge --store "$store"
	[ "$status" -eq 0 ]
	grep -Eq 'lab-intel, shadow +lab-intel, nested +lab, nested' <<<"$output"
	grep -Eq '^ports +9 +9 +8$' <<<"$output"
	grep -Eq '^INVLPG, INVPCID +70 +0 +0$' <<<"$output"
	grep -Eq '^control registers +0 +0 +2$' <<<"$output"
	grep -Eq '^others +1 +0 +0$' <<<"$output"
	grep -Eq '^all +80 +9 +10$' <<<"$output"
	grep -Eq '^EPT, exits of a Linux boot .* 0.113x.* no' <<<"$output"
}

@test "a store that is full, or on a read-only file system: one line, and what is there can be read" {
	unshare -rm true 2>/dev/null || skip "no user namespaces here"
	record a-1 virtio 1e9
	record a-2 virtio 1e9
	export bench store
	export -f fails
	unshare -rm bash -ec '
		full=$(mktemp -d) && mount -t tmpfs -o size=1m tmpfs "$full"
		"$bench" import "'"$BATS_TEST_TMPDIR"'/a-1.json" --store "$full" > /dev/null
		cat /dev/zero > "$full/ballast" 2> /dev/null || true
		fails 1 "disk full; free some space" "$bench" import "'"$BATS_TEST_TMPDIR"'/a-2.json" --store "$full"
		"$bench" show --store "$full" | grep -q a-1
		umount "$full"; rmdir "$full"
		mount --bind "$store" "$store" && mount -o remount,bind,ro "$store"
		"$bench" show a-1 --store "$store" > /dev/null
		"$bench" list runs --store "$store" | grep -q a-1
		fails 3 "read-only" "$bench" rm a-1 --store "$store"
	'
}

@test "a store of a newer format is refused" {
	record a-1 virtio 1e9
	echo 2 > "$store/format"
	fails 3 "written by a newer exitlab" "$bench" list runs --store "$store"
}

@test "without HOME: the home of the password database; nowhere that others can write to" {
	[ "$(id -u)" -eq 0 ] || skip "not root: another user is needed"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR"
	install -m 755 "$bench" "$BATS_TEST_TMPDIR/bench"
	cd "$BATS_TEST_TMPDIR"
	stranger=$(($(date +%s) % 1000000 + 3000000000))
	fails 3 "no home directory.*set HOME, or name a place with --store" \
		setpriv --reuid="$stranger" --clear-groups env -i PATH="$PATH" ./bench list runs
	[ ! -e /tmp/.local ]
	mkdir state && chown "$stranger" state
	setpriv --reuid="$stranger" --clear-groups env -i PATH="$PATH" XDG_STATE_HOME="$PWD/state" ./bench list runs
	[ -d state/exitlab ]
}
