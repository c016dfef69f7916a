# SPDX-License-Identifier: MIT
# The probes on the micro guest, on this machine's KVM whatever its back end.
load ../helper
load micro

setup() {
	need_kvm
	[ "$(id -u)" -eq 0 ] || skip "not root"
	[ -r /sys/kernel/btf/vmlinux ] || skip "the kernel has no BTF"
}

# profile_micro JOB [PROFILE OPTION...]: JSON of the profiled micro guest in $BATS_TEST_TMPDIR/json
profile_micro() {
	local job=$1
	shift
	timeout 60 "$bench" profile --json "$@" -- "$vmm" --kernel "$O/micro.elf" --cmdline "$job" --mem 64M \
		--console none --agent "$BATS_TEST_TMPDIR/agent" >"$BATS_TEST_TMPDIR/json"
}

@test "probes: every exit is in a row, none is lost, the histograms add up" {
	profile_micro "workload=exit-cost duration_ns=200000000"
	json 'j["totals"]["exits"] == sum(e["count"] for e in j["exits"]) > 100'
	json 'j["lost"] == 0'
	json 'all(sum(n for _, n in e["hist"]["slots"]) == e["hist"]["count"] for e in j["exits"])'
	json 'all(sum(e[p + "_ns"] for p in "kvm_fast kvm user wait asleep".split()) == e["total_ns"] for e in j["exits"])'
	# The exit that ended it all has no entry any more; every other one is in its histogram.
	json 'sum(e["total_ns"] != e["hist"]["sum"] for e in j["exits"]) <= 1'
}

@test "profile --listen: what has been counted, for a collector" {
	local port page=$BATS_TEST_TMPDIR/page
	"$bench" profile --all --listen=127.0.0.1:0 >/dev/null 2>"$BATS_TEST_TMPDIR/err" &
	until port=$(sed -n 's/.*metrics are at port //p' "$BATS_TEST_TMPDIR/err") && [ -n "$port" ]; do
		kill -0 $! || { cat "$BATS_TEST_TMPDIR/err"; return 1; }
		sleep 0.1
	done
	timeout 60 "$vmm" --kernel "$O/micro.elf" --cmdline "workload=exit-cost duration_ns=200000000" --mem 64M \
		--console none --agent none
	curl -sf "http://127.0.0.1:$port/metrics" >"$page"
	curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/" | grep -qx 404
	kill $!
	wait $!
	[ "$(tail -1 "$page")" = "# EOF" ]
	# The marker is written as often as the guest says, and each exit of a reason is in its histogram.
	grep '^kvm_exits_total{.*key="out 0xe10"' "$page" | grep -q ' 3$'
	awk '/^kvm_exit_duration_seconds_bucket.*le="\+Inf"/ { n += $NF } /^kvm_exits_total/ { all += $NF }
		END { exit !(n > 100 && all - n >= 0 && all - n <= 8) }' "$page"
}

@test "probes: the guest's markers open and close the window in the kernel" {
	profile_micro "workload=exit-cost duration_ns=200000000" --window
	json 'j["window"]["opened"] and j["window"]["closed"]'
	json '0 < j["window"]["close_ns"] - j["window"]["open_ns"] == j["window"]["total_ns"]'
	# The write that opens is not inside, the one that closes is.
	json 'sum(e["count"] for e in j["exits"] if e["key"] == "out 0xe10") == 1'
}

@test "probes: a guest that never opens the window has counted nothing" {
	profile_micro "workload=boot" --window
	json 'not j["window"]["closed"] or j["totals"]["exits"] < 10'
}

@test "probes: rows of the vCPU's own thread, its CPU time within the run" {
	profile_micro "workload=exit-cost duration_ns=200000000"
	json '[t for t in j["threads"] if t["role"] == "vcpu" and t["cpu_ns"] > 0]'
	json 'all(t["cpu_ns"] <= 1.01 * (j["window"]["close_ns"] - j["window"]["open_ns"]) for t in j["threads"])'
}

@test "probes: --trace writes a timeline that is JSON, and nothing is dropped" {
	profile_micro "workload=exit-cost duration_ns=200000000" --trace="$BATS_TEST_TMPDIR/trace.json"
	python3 - "$BATS_TEST_TMPDIR/trace.json" <<-'EOF'
		import json, sys
		t = json.load(open(sys.argv[1]))
		x = [e for e in t["traceEvents"] if e.get("ph") == "X"]
		assert len(x) > 100 and t["otherData"]["dropped"] == 0, (len(x), t["otherData"])
		assert all(e["dur"] >= 0 for e in x)
		names = {e["tid"]: e["args"]["name"] for e in t["traceEvents"] if e.get("ph") == "M"}
		assert names and all(e["tid"] in names for e in x) and "vCPU 0" in names.values(), names
		for tid in names:
		    at = lambda cat: sorted((e["ts"], e["ts"] + e["dur"]) for e in x if e["tid"] == tid and e["cat"] == cat)
		    exits, guest = at("exit"), at("guest")
		    # One thing at a time: exits and stays in the guest take turns, userspace is inside of an exit.
		    line = sorted(exits + guest)
		    assert guest and all(a[1] <= b[0] + 0.0015 for a, b in zip(line, line[1:]))
		    starts = {e[1]: e[0] for e in exits}
		    assert all(u[0] >= starts[u[1]] - 0.0015 for u in at("userspace") if u[1] in starts)
	EOF
}

# Numbers of one of our programs that is always loaded.
ours() {
	PATH=$PATH:/usr/sbin bpftool prog show | sed -n 's/^\([0-9]*\): .*name on_thread_end .*/\1/p' | sort
}

@test "probes: killed outright, nothing of theirs stays in the kernel" {
	local before new pid
	before=$(ours)
	"$bench" profile --all --duration=15s >/dev/null 2>&1 &
	pid=$!
	for _ in $(seq 50); do
		# Others may profile at the same time: only what came since counts.
		new=$(comm -13 <(echo "$before") <(ours) | head -1)
		[ -z "$new" ] || break
		sleep 0.1
	done
	[ -n "$new" ]
	kill -KILL "$pid"
	wait "$pid" || true
	for _ in $(seq 30); do
		ours | grep -qx "$new" || return 0
		sleep 0.1
	done
	# One that came since may be another profiler's: ours are gone if fewer are there than with us.
	[ "$(ours | wc -l)" -le "$(wc -w <<<"$before")" ]
}

@test "probes: a million exits a second are counted, every one, in memory that does not grow" {
	run timeout 60 "$O/tests/replay" 1000000 2
	echo "$output"
	[[ $output != *"too slow"* ]] || skip "this machine is too busy now"
	[ "$status" -eq 0 ]
}

@test "probes: any process with a KVM VM: vCPUs come and go, and every exit of each is counted" {
	every_vcpu_is_counted
}

@test "probes: 1,500 short VMs: all exits counted, the last vCPUs visible, an interval holds what was in it" {
	gcc -D_GNU_SOURCE -O1 -pthread -o "$BATS_TEST_TMPDIR/truth" tests/lab/truth.c
	timeout 120 "$bench" profile --interval=300ms --json -- "$BATS_TEST_TMPDIR/truth" many "$BATS_TEST_TMPDIR/truth.json" \
		>"$BATS_TEST_TMPDIR/lines"
	python3 - "$BATS_TEST_TMPDIR" <<-'EOP'
		import json, sys
		lines = [json.loads(l) for l in open(sys.argv[1] + "/lines")]
		t, end = json.load(open(sys.argv[1] + "/truth.json")), lines.pop()
		assert end["lost"] == 0 and end["totals"]["exits"] == sum(e["count"] for e in end["exits"]) == t["exits"] == 16500
		assert end["totals"]["pio"] == 15000, end["totals"]
		last = {e["key"] for e in end["exits"] if e["tid"] == t["last_tid"]}
		assert {f"in {port:#x}" for port in range(0x2f0, 0x2fa)} <= last, last
		ended = [th for th in end["threads"] if th["name"] == "(ended)" and th["role"] == "vcpu"]
		assert ended and ended[0]["ended"] > 500, end["threads"][:3]
		counts = [sum(r["count"] for r in l["rows"]) for l in lines]
		assert sum(counts) <= 16500 and max(counts) < 10000, counts
	EOP
}

@test "profile --pairs: two ports that are read one after the other, then nothing for a while" {
	gcc -D_GNU_SOURCE -O1 -pthread -o "$BATS_TEST_TMPDIR/truth" tests/lab/truth.c
	timeout 60 "$bench" profile --pairs=40ms --json -- "$BATS_TEST_TMPDIR/truth" pairs "$BATS_TEST_TMPDIR/truth.json" \
		>"$BATS_TEST_TMPDIR/json"
	# The host's timer may come in between, where its interrupts are exits.
	python3 - "$BATS_TEST_TMPDIR/json" <<-'EOF'
		import json, sys
		p = json.load(open(sys.argv[1]))["pairs"]
		def pairs(first, *then):
		    return sum(r["count"] for r in p["rows"] if r["first"]["key"] == first and (r["then"]["key"] or r["then"]["reason"]) in then)
		print(p)
		assert p["within_ns"] == 40_000_000 and p["lost"] == 0
		assert pairs("in 0x2f0", "in 0x2f1", "interrupt", "external_interrupt") == 5 and pairs("in 0x2f0", "in 0x2f1") >= 3
		assert pairs("in 0x2f1", "in 0x2f0") == pairs("in 0x2f1", "in 0x2f1") == pairs("in 0x2f0", "in 0x2f0") == 0
		assert all(r["of"] == 5 for r in p["rows"] if r["first"]["key"] == "in 0x2f0"), p
		assert all(0 < r["guest_ns"] <= 40_000_000 * r["count"] for r in p["rows"])
	EOF
	# Off, nothing of it is there.
	timeout 60 "$bench" profile --json -- "$BATS_TEST_TMPDIR/truth" pairs "$BATS_TEST_TMPDIR/truth.json" >"$BATS_TEST_TMPDIR/json"
	json '"pairs" not in j'
}

# Two virtual machines that live for so many seconds; their processes are $one and $two.
two_vms() {
	python3 tests/vmm/bare_vm.py "$1" >/dev/null &
	one=$!
	python3 tests/vmm/bare_vm.py "$2" >/dev/null &
	two=$!
	sleep 0.5
}

@test "probes: --all, --interval, --vcpu, --histogram, --key=rip: two virtual machines that live and die meanwhile" {
	two_vms 5 3
	timeout 60 "$bench" profile --all --interval=1s --duration=4s --json >"$BATS_TEST_TMPDIR/lines"
	python3 - "$BATS_TEST_TMPDIR/lines" "$one" "$two" <<-'EOP'
		import json, sys
		lines = [json.loads(l) for l in open(sys.argv[1])]
		rates = [sum(r["count"] for r in l["rows"]) / l["seconds"] for l in lines[:-1]]
		assert len(rates) >= 3 and all(r > 100 for r in rates), rates
		assert len({e["tid"] for e in lines[-1]["exits"]}) >= 3, "both machines' vCPUs"
		assert {int(sys.argv[2]), int(sys.argv[3])} <= {e["pid"] for e in lines[-1]["exits"]}
	EOP
	wait "$one" "$two"
	timeout 60 "$bench" profile --vcpu=1 --histogram -- python3 tests/vmm/bare_vm.py 2 >"$BATS_TEST_TMPDIR/text"
	grep -qE '^ +[0-9.]+ [num]?s \.\. [0-9.]+ [num]?s +\|\*+' "$BATS_TEST_TMPDIR/text"
	printf '0000000000001000 T entry\n0000000000001003 T again\n' >"$BATS_TEST_TMPDIR/System.map"
	timeout 60 "$bench" profile --key=rip --symbols="$BATS_TEST_TMPDIR/System.map" -- python3 tests/vmm/bare_vm.py 1 \
		>"$BATS_TEST_TMPDIR/text"
	grep -qE '^io +0x1003 +again\+0x0 ' "$BATS_TEST_TMPDIR/text"
}

@test "run --overhead: each kind of exit with and without observers; a tool that cannot is said to be missing" {
	run timeout 100 "$bench" run exit-cost --overhead --reps=1 --on=host --set op=pio_user --set observer=off \
		--store="$BATS_TEST_TMPDIR/store"
	[ "$status" -eq 2 ]
	[[ $output == *"--overhead sets the observer itself"* ]]
	timeout 100 "$bench" run exit-cost --overhead --reps=1 --on=host --set op=pio_user \
		--store="$BATS_TEST_TMPDIR/store" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" ||
		grep -q 'did not begin to record: .' "$BATS_TEST_TMPDIR/err"
	grep -qE '^exit +nobody looks +probes' "$BATS_TEST_TMPDIR/out"
	grep -qE '^pio_user +[0-9.]+ us +[+-][0-9.]+ %' "$BATS_TEST_TMPDIR/out"
}

@test "probes: a VMM of ours that nobody gave a statistics page has one: registers by name, what was suppressed" {
	timeout 60 "$bench" profile --json -- "$vmm" --kernel "$O/micro.elf" --cmdline "workload=exit-cost" --mem 64M \
		--console none --agent none --device exitlab-testdev >"$BATS_TEST_TMPDIR/json"
	json '[e for e in j["exits"] if e.get("device") == "exitlab-testdev0 scratch"]'
	json '"suppressed" in j["notify"]'
}

@test "probes: --all says which virtual machine the exits are of" {
	two_vms 4 4
	timeout 60 "$bench" profile --all --duration=2s >"$BATS_TEST_TMPDIR/text"
	wait "$one" "$two"
	cat "$BATS_TEST_TMPDIR/text"
	for pid in "$one" "$two"; do
		# Name, pid, vCPUs, exits, rate, and where the time went.
		grep -qE "^python3 +$pid +[12] +[0-9.]+( k| M)? +[0-9.]+( k| M)? +[0-9.]+ " "$BATS_TEST_TMPDIR/text"
	done
}

@test "probes: one of the two capabilities is not enough, both are" {
	run timeout 60 setpriv --bounding-set=-all,+bpf --inh-caps=-all "$bench" profile --all --duration=1s
	[ "$status" -eq 3 ]
	[ "${#lines[@]}" -eq 1 ]
	[[ $output == *"CAP_BPF and CAP_PERFMON"*"still work"* ]]
	timeout 60 setpriv --bounding-set=-all,+bpf,+perfmon --inh-caps=-all "$bench" profile --json -- \
		python3 tests/vmm/bare_vm.py 1 | grep -v '^vcpu' >"$BATS_TEST_TMPDIR/json"
	json 'j["exits"]'
}

@test "profile: a table has the columns that hold something, and says when there is no row" {
	timeout 60 "$bench" profile --key=msr -- python3 tests/vmm/bare_vm.py 1 >"$BATS_TEST_TMPDIR/text"
	grep -qx 'no exits of this kind' "$BATS_TEST_TMPDIR/text"
	timeout 60 "$bench" profile --key=reason -- python3 tests/vmm/bare_vm.py 1 >"$BATS_TEST_TMPDIR/text"
	grep -qE '^reason +count +per s .* max .*user( +waiting)?( +asleep)?$' "$BATS_TEST_TMPDIR/text"
}
