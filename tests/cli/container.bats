# SPDX-License-Identifier: MIT
# Mode container on this machine itself: beside host, and nothing of it left behind.
load ../helper

setup() {
	[ "$(id -u)" = 0 ] || skip "not root"
	cgroups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	[ -n "$cgroups" ] || skip "no cgroup2 is mounted"
	store=$BATS_TEST_TMPDIR/store
	export EXITLAB_JOURNAL_DIR=$BATS_TEST_TMPDIR/journal
}

both() {
	"$bench" run "$@" --mode=host,container --on=host --reps=1 --warmup=0 --store="$store" --json >"$BATS_TEST_TMPDIR/json"
}

left() {
	find "$cgroups" -maxdepth 1 -name "exitlab-$1-*"
}

@test "throughput, latency, idle and start of a container beside those of the machine; no exits" {
	both net-throughput --duration=300ms
	json 'all(r["ok"] and r["summary"]["throughput_bps"]["median"] > 0 for r in j["records"])'
	json '[r["summary"].get("exits_per_packet", {}).get("median") for r in j["records"]] == [None, 0]'
	both net-latency --work=50
	json 'all(r["summary"]["latency_ns"]["median"] > 0 for r in j["records"])'
	both idle --duration=100ms
	json '[r["summary"].get("exits_per_s", {}).get("median") for r in j["records"]] == [None, 0]'
	both boot
	json 'all(0 < r["summary"]["boot_ns"]["median"] < 5e9 for r in j["records"])'
	[ -z "$(left '*')" ]
	[ -z "$(ls "$EXITLAB_JOURNAL_DIR")" ]
}

@test "kill -9 in the middle: the container dies with bench, and bench recover takes its cgroup away" {
	"$bench" run idle --mode=container --on=host --reps=1 --warmup=0 --duration=60s --store="$store" >/dev/null 2>&1 &
	local pid=$! group=""
	for _ in $(seq 200); do
		group=$(left "$pid")
		[ -z "$group" ] || [ -z "$(cat "$group/cgroup.procs")" ] || break
		sleep 0.05
	done
	[ -n "$(cat "$group/cgroup.procs")" ]
	kill -9 "$pid"
	wait "$pid" || true
	"$bench" recover 2>&1
	[ ! -e "$group" ]
	[ -z "$(ls "$EXITLAB_JOURNAL_DIR")" ]
}
