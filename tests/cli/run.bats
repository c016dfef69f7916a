# SPDX-License-Identifier: MIT
# The runner, with the micro guest on this host's KVM and with jobs that need no VM.
load ../helper

setup() {
	store=$BATS_TEST_TMPDIR/store
}

record() { # ARGS...: the record of a run on stdout
	"$bench" run "$@" --on=host --store="$store" --json 2>"$BATS_TEST_TMPDIR/err" || { cat "$BATS_TEST_TMPDIR/err" >&2; return 1; }
}

need_kvm() {
	[ -c /dev/kvm ] || skip "no /dev/kvm"
}

@test "a record has what SCHEMA.md says, and nothing else" {
	local out=$BATS_TEST_TMPDIR/record.json
	record null --mode=host --reps=2 >"$out"
	tests/schema "$out"
	# A failed boot, and whatever the host's KVM shows.
	if [ -c /dev/kvm ]; then
		"$bench" run exit-cost --guest=micro --on=host --reps=1 --pin=none --no-probes --store="$store" --json >"$out" 2>/dev/null
		tests/schema "$out"
		record exit-cost --guest=micro --reps=1 --set op=cpuid >"$out"
		tests/schema "$out"
	fi
	jq '.samples[0].surprise = 1 | del(.params.pin)' "$out" >"$out.bad"
	run tests/schema "$out.bad"
	[ "$status" -eq 1 ]
	[ "$output" = $'.params: missing: pin\n.samples[]: not in SCHEMA.md: surprise' ] || { echo "$output"; false; }
}

@test "the same plan twice differs in what was measured and in nothing else" {
	need_kvm
	plan() {
		record exit-cost --guest=micro --reps=2 --seed=7 --set op=pio_user |
			jq -S 'def shape: if type == "object" then map_values(shape) elif type == "array" then map(shape) else type end;
				del(.id, .plan_id, .order, .started, .finished, .summary, .exits, .checks, .overhead_pct, .environment.calibration_ns) |
				.samples |= map({index, boot, ok, placement, keys: (keys - ["tags"]), metrics: (.metrics | del(.overhead_pct) | shape)})'
	}
	a=$(plan)
	b=$(plan)
	[ -n "$a" ] && [ "$a" = "$b" ] || { diff <(echo "$a") <(echo "$b"); false; }
}

@test "a condition is in the record and in its series" {
	record null --mode=host --reps=1 --condition=busy | jq -e '.params.condition == "busy" and .environment.calibration_ns > 0'
	"$bench" list runs --store="$store" --json | grep -q 'condition=busy'
	fails 2 "expected free|slow|busy|one-core" "$bench" run null --mode=host --condition=lazy
}

@test "what the runner adds to a boot and its window: at most one second a sample" {
	need_kvm
	record null --guest=micro --reps=3 |
		jq -e '[.samples[].stage_ns.overhead] | sort | .[1] < 1e9' || { cat "$BATS_TEST_TMPDIR/err"; false; }
}

@test "every input has its hash and how it was built" {
	need_kvm
	record null --guest=micro --reps=1 | jq -e '[.inputs[] | select(.sha256 | length == 64) | {name, build}] ==
		[{name: "bench", build: "release"}, {name: "builtin", build: "release"}, {name: "micro", build: "unknown"}]'
}

@test "mode host: the job on this machine itself, also as none among the VMMs" {
	for w in "compute --work=100" "timer --duration=50ms" "null" "memory --set mem_bytes=1M"; do
		# shellcheck disable=SC2086 # two words
		record $w --vmm=none --reps=1 | jq -e '.mode == "host" and .vmm == "" and .guest == "none" and .ok'
	done
	fails 3 "exit-cost does not run without a guest" "$bench" run exit-cost --mode=host
	fails 2 "has no device path" "$bench" run compute --mode=virtio
}

@test "--pin: a list is checked before the first boot; the placement is in the sample" {
	fails 2 "expected auto, none or a list" "$bench" run null --mode=host --pin=4095 --store="$store"
	[ -z "$(ls -A "$store"/runs 2>/dev/null)" ]
	cpu=$(taskset -cp $$ | sed 's/.*: *//; s/[,-].*//')
	record null --mode=host --reps=1 --pin="$cpu" | jq -e --argjson c "$cpu" '.samples[0].placement == {agent: $c}'
	record null --mode=host --reps=1 --pin=none | jq -e '.samples[0].placement == {}'
}

@test "knobs of the measurement: refused where they cannot be" {
	fails 2 "expected 1..64" "$bench" run net-throughput --set vms=65
	fails 3 "not supported yet with --deterministic" "$bench" run net-throughput --set vms=2 --deterministic
	fails 3 "vmm=xen:hvm: not supported yet with --deterministic" "$bench" run boot --lab=xen --vmm=xen:hvm --deterministic
	for option in --ipv6 --work=1M --tool=iperf3 --set=direction=both; do
		fails 3 "the micro guest sends or receives by IPv4" "$bench" run net-throughput --guest=micro --on=host $option
	done
	fails 2 "nothing here goes over a card" "$bench" run net-throughput --mode=virtio --nic=eth0
	fails 2 "no section nothing" "$bench" sweep knobs --only=nothing
	fails 3 "not supported yet with the micro guest" "$bench" run exit-cost --set vms=2
	fails 3 "under the feet of other guests" "$bench" run memory --guest=micro --set paging=shadow --on=host --store="$store"
}

@test "--deterministic: the program of --vmm=NAME:PATH is in the sealed lab" {
	[ -n "${FULL:-}" ] || skip "a lab of its own; FULL=1 runs it"
	cp "$(readlink -f "$(command -v qemu-system-x86_64)")" "$BATS_TEST_TMPDIR/other"
	"$bench" run boot --guest=micro --vmm="qemu:$BATS_TEST_TMPDIR/other" --deterministic --reps=1 --warmup=0 --store="$store" --json |
		jq -e '.ok and .vmm == "qemu:'"$BATS_TEST_TMPDIR"'/other"'
}

@test "--deterministic: two repetitions agree in every count and every virtual nanosecond" {
	[ -n "${FULL:-}" ] || skip "two minutes; FULL=1 runs it, tests/soak/deterministic.sh more"
	"$bench" run net-latency --mode=virtio --work=50 --deterministic --reps=2 --store="$store" --json 2>"$BATS_TEST_TMPDIR/err" |
		jq -e '.ok and (.checks[] | select(.name == "deterministic") | .ok)' || { cat "$BATS_TEST_TMPDIR/err"; false; }
	# What each boot said came back with it.
	[ -e "$(echo "$store"/runs/*/sample-0/console.log)" ] && [ -e "$(echo "$store"/runs/*/sample-1/console.log)" ]
}

@test "--set mem: a size within bounds reaches the guest, others are refused" {
	need_kvm
	record boot --guest=micro --reps=1 --no-probes --set mem=64M | jq -e '.params.mem_bytes == 67108864 and .ok'
	fails 2 'mem=8M: expected 16M..64G' "$bench" run boot --guest=micro --on=host --set mem=8M
	fails 2 'mem=lots: expected 16M..64G' "$bench" run boot --guest=micro --on=host --set mem=lots
}

@test "exits of a boot: the same in each, up to the guest's marker" {
	need_kvm
	record boot --guest=micro --reps=5 >"$BATS_TEST_TMPDIR/json"
	json 'len({s["metrics"]["userspace_exits"] for s in j["samples"]}) == 1'
	json 'all(sum(e["user_count"] for e in s["exits"] if e["key"] == "out 0xe10") == 1 for s in j["samples"])'
	json '{"name": "boot_marker", "ok": True}.items() <= [c for c in j["checks"] if c["name"] == "boot_marker"][0].items()'
}

@test "--vmm=all: every VMM whose program is here, over the paths that it has" {
	cells() {
		EXITLAB_LIBVIRT=/nonexistent EXITLAB_KVMTOOL=$1 "$bench" run net-throughput --mode=host,virtio,vhost-user --vmm=all --reps=1 --warmup=0 --dry-run |
			awk '$3 == 1 { print $2 }' | sort | tr '\n' ' '
	}
	[ "$(cells /nonexistent)" = "host vhost-user/builtin vhost-user/microvm vhost-user/qemu virtio/builtin virtio/microvm virtio/qemu " ]
	[ "$(cells /bin/true)" = "host vhost-user/builtin vhost-user/microvm vhost-user/qemu virtio/builtin virtio/kvmtool virtio/microvm virtio/qemu " ]
}
