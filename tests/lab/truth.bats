# SPDX-License-Identifier: MIT
# The probes against programs whose exits are known: truth.c.
load ../helper

setup_file() {
	[ -w /dev/kvm ] || modprobe kvm_amd
	gcc -D_GNU_SOURCE -O1 -pthread -Wall -o "$BATS_FILE_TMPDIR/truth" "$BATS_TEST_DIRNAME/truth.c"
}

# known CASE: what the probes saw of it, and what it did itself, for holds.
known() {
	timeout 120 "$bench" profile --json -- "$BATS_FILE_TMPDIR/truth" "$1" "$BATS_TEST_TMPDIR/truth.json" >"$BATS_TEST_TMPDIR/json"
}

# holds EXPRESSION: true in Python of the probes' j, the truth t, rows(...) and near(shown, true, inside).
holds() {
	python3 - "$BATS_TEST_TMPDIR" "$1" <<-'EOF'
		import json, sys
		j, t = (json.load(open(sys.argv[1] + name)) for name in ("/json", "/truth.json"))

		def rows(what, **like):
		    return sum(e[what] for e in j["exits"] if all(e[k] == v for k, v in like.items()))

		# The program reads its clock outside of KVM_RUN, the probes see events inside of it.
		def near(shown, true, inside=0):
		    low, high = 0.98 * true, 1.02 * true + inside
		    print(f"shown {shown / 1e6:.3f} ms, true {true / 1e6:.3f} ms ({low / 1e6:.3f} to {high / 1e6:.3f})", file=sys.stderr)
		    return low <= shown <= high

		if not eval(sys.argv[2]):
		    print(sys.argv[2], "does not hold;", t)
		    for e in j["exits"][:8]:
		        print({k: v for k, v in e.items() if k != "hist"})
		    sys.exit(1)
	EOF
}

@test "an exit that returns to userspace twice: all of its time there is userspace's" {
	known twice
	holds 't["exits"] == rows("count", key="in 0x2f0") == 201'
	holds 'near(rows("user_ns", key="in 0x2f0"), t["user_ns"] + t["call_ns"], t["inside_ns"])'
}

@test "two VMs take turns on one thread: each exit is its own vCPU's" {
	known two_vms
	holds 'rows("count", key="in 0x2f0") == rows("count", key="in 0x2f1") == 101'
	holds 'near(rows("user_ns", key="in 0x2f0"), t["user_ns"], t["inside_ns"])'
	holds 'near(rows("user_ns", key="in 0x2f1"), t["b_user_ns"], t["inside_ns"])'
}

@test "a vCPU that three threads hand on: every exit has its userspace part" {
	known handover
	holds 't["exits"] == rows("count", key="in 0x2f0") == rows("user_count", key="in 0x2f0") + 1 == 211'
	holds 'near(rows("user_ns", key="in 0x2f0"), t["user_ns"], t["inside_ns"])'
}
