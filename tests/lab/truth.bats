# SPDX-License-Identifier: MIT
# alone
# The probes against programs whose exits are known: truth.c.
load ../helper

setup_file() {
	[ -w /dev/kvm ] || modprobe kvm_amd
	gcc -D_GNU_SOURCE -O1 -pthread -Wall -o "$BATS_FILE_TMPDIR/truth" "$BATS_TEST_DIRNAME/truth.c"
}

teardown() {
	[ ! -d /sys/module/null_blk ] || rmmod null_blk
}

# known CASE: what the probes saw of it, and what it did itself, for holds.
known() {
	timeout 120 "$bench" profile --json -- "$BATS_FILE_TMPDIR/truth" "$1" "$BATS_TEST_TMPDIR/truth.json" >"$BATS_TEST_TMPDIR/json"
}

# holds EXPRESSION: true in Python of the probes' j, the truth t, rows(...), out_of_kvm(...), is_userspace(shown) and near(shown, true).
holds() {
	python3 - "$BATS_TEST_TMPDIR" "$1" <<-'EOF'
		import json, sys
		j, t = (json.load(open(sys.argv[1] + name)) for name in ("/json", "/truth.json"))

		def rows(what, **like):
		    return sum(e[what] for e in j["exits"] if all(e[k] == v for k, v in like.items()))

		# What an exit takes that is not KVM's own work: a thread may wait and sleep in userspace, too.
		def out_of_kvm(**like):
		    return sum(rows(part, **like) for part in ("user_ns", "wait_ns", "asleep_ns"))

		def near(shown, true, more=0):
		    low, high = 0.98 * true, 1.02 * true + more
		    print(f"shown {shown / 1e6:.3f} ms, true {true / 1e6:.3f} ms ({low / 1e6:.3f} to {high / 1e6:.3f})", file=sys.stderr)
		    return low <= shown <= high

		# What the program says was userspace's. It reads its clock outside of KVM_RUN and the probes see events inside of it, so
		# half of what lies between may be meant: within 2 %, or on a busy machine within what the program itself cannot tell.
		def is_userspace(shown, vm=""):
		    half = t[vm + "edge_ns"] / 2
		    true = t[vm + "user_ns"] + t[vm + "off_ns"] + half
		    print(f"shown {shown / 1e6:.3f} ms, true {true / 1e6:.3f} ms, of which {half / 1e6:.3f} ms more or less", file=sys.stderr)
		    return abs(shown - true) <= max(0.02 * true, half)

		if not eval(sys.argv[2]):
		    print(sys.argv[2], "does not hold;", t)
		    for e in j["exits"][:8]:
		        print({k: v for k, v in e.items() if k != "hist"})
		    sys.exit(1)
	EOF
}

@test "an exit that returns to userspace twice: all of its time there is userspace's" {
	known twice
	holds 't["exits"] - 1 == rows("count", key="in 0x2f0") == 20'
	holds 'is_userspace(out_of_kvm(key="in 0x2f0"))'
	holds 'rows("user_ns", key="in 0x2f0") >= 0.98 * t["user_cpu_ns"]'
}

@test "two VMs take turns on one thread: each exit is its own vCPU's" {
	known two_vms
	holds 'rows("count", key="in 0x2f0") == rows("count", key="in 0x2f1") == 20'
	holds 'is_userspace(out_of_kvm(key="in 0x2f0"))'
	holds 'is_userspace(out_of_kvm(key="in 0x2f1"), "b_")'
}

@test "a vCPU that three threads hand on: every exit has its userspace part" {
	known handover
	holds 't["exits"] - 1 == rows("count", key="in 0x2f0") == rows("user_count", key="in 0x2f0") == 42'
	holds 'is_userspace(out_of_kvm(key="in 0x2f0"))'
}

@test "a guest that spins beside a hog: waiting for the CPU is waiting, not KVM" {
	known hog
	# The first exit goes on until the hog is there.
	holds 'near(rows("wait_ns") - rows("wait_ns", key="in 0x2f0"), t["wait_ns"])'
	holds 'near(rows("guest_ns") + rows("total_ns"), t["all_ns"])'
	holds 'rows("kvm_ns") < 0.05 * t["cpu_ns"]'
}

@test "a handler that works and sleeps: the sleep is told apart" {
	known sleeps
	holds 'near(rows("asleep_ns"), t["asleep_ns"])'
	holds 'is_userspace(out_of_kvm(key="in 0x2f0"))'
	holds 'rows("user_ns", key="in 0x2f0") >= 0.98 * t["user_cpu_ns"]'
	holds 'near(rows("guest_ns") + rows("total_ns") - rows("total_ns", reason="hlt"), t["all_ns"])'
}

@test "a vCPU that halts through several intervals: each has its own part of it" {
	timeout 120 "$bench" profile --interval=200ms --json -- "$BATS_FILE_TMPDIR/truth" halts "$BATS_TEST_TMPDIR/truth.json" \
		>"$BATS_TEST_TMPDIR/lines"
	python3 - "$BATS_TEST_TMPDIR/lines" <<-'EOF'
		import json, sys
		*lines, end = [json.loads(l) for l in open(sys.argv[1])]
		parts = [(l["seconds"], sum(r["total_ns"] for r in l["rows"] if r["hlt"]) / 1e9) for l in lines]
		print(parts, file=sys.stderr)
		# All but the first and the last are nothing else.
		assert sum(0.97 * s <= halted <= 1.03 * s for s, halted in parts) >= 3
		assert sum(r["count"] for l in lines for r in l["rows"] if r["hlt"]) == 1
	EOF
}

@test "two VMs whose vCPUs and vectors have the same numbers: how long each interrupt waited is its own" {
	"$bench" profile --all --json --interval=100ms >"$BATS_TEST_TMPDIR/lines" 3>&- &
	local pid=$! lines=0
	until [ -s "$BATS_TEST_TMPDIR/lines" ]; do
		kill -0 "$pid"
		sleep 0.1
	done
	"$BATS_FILE_TMPDIR/truth" two_irqs "$BATS_TEST_TMPDIR/truth.json"
	kill -INT "$pid"
	wait "$pid"
	tail -1 "$BATS_TEST_TMPDIR/lines" >"$BATS_TEST_TMPDIR/json"
	# (A fault while it is delivered has an interrupt injected once more: there are more injections than interrupts.)
	holds 'j["notify"]["accepted"] == j["notify"]["raise_to_injection"]["count"] == t["interrupts"] == 21'
	holds 'near(j["notify"]["raise_to_injection"]["max"], t["longest_ns"], 2e6)'
	holds 'sum(n for slot, n in j["notify"]["raise_to_injection"]["slots"]) == 21'
	holds 'j["notify"]["raise_to_injection"]["sum"] < 2 * t["longest_ns"]'
}

@test "a guest's own guest: its exits are marked, and can be left out or shown alone" {
	known nested
	holds 'rows("count", reason="nested io", key="in 0x2f3") == 100 and rows("count", reason="nested cpuid") == 50'
	holds 'rows("count", reason="io", key="in 0x2f0") == rows("count", reason="vmrun") == 50'
	holds 'rows("user_count", reason="nested io") == 100 and rows("count", key="in 0x2f3") == 100'
	timeout 120 "$bench" profile --json --nested=only -- "$BATS_FILE_TMPDIR/truth" nested "$BATS_TEST_TMPDIR/truth.json" \
		>"$BATS_TEST_TMPDIR/json"
	holds 'rows("count") == rows("count", reason="nested io") + rows("count", reason="nested cpuid") + rows("count", reason="nested interrupt") + rows("count", reason="nested npf") >= 150'
	timeout 120 "$bench" profile --json --nested=not -- "$BATS_FILE_TMPDIR/truth" nested "$BATS_TEST_TMPDIR/truth.json" \
		>"$BATS_TEST_TMPDIR/json"
	holds 'rows("count", reason="nested io") == 0 and rows("count", reason="io") == 50'
}

@test "page faults that KVM sleeps for" {
	known faults
	holds 'rows("count", reason="npf") >= 100'
	holds 'near(rows("asleep_ns", reason="npf"), t["asleep_ns"])'
}

@test "an interrupt that signals an eventfd amid an exit is no kick of it" {
	modprobe null_blk nr_devices=1 irqmode=2 completion_nsec=2000000
	known interrupted
	holds 'rows("count", key="in 0x2f0") == 20'
	holds 'j["notify"]["kicks_ioeventfd"] == rows("count", key="out 0x2f1") == 10000'
	holds 'j["lost"] == 0'
}

@test "240 vCPUs, ten ports each: every exit is counted" {
	known crowd
	holds 'j["totals"]["exits"] == rows("count") and rows("count", reason="io") == 2400 and rows("count", reason="hlt") == 240'
	holds 'j["lost"] == 0'
}
