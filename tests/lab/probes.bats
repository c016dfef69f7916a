# SPDX-License-Identifier: MIT
# The probes against the other two who count: KVM itself and perf, on a back end with kvm_exit.
load ../helper

setup_file() {
	[ -w /dev/kvm ] || modprobe kvm_amd
}

@test "counts per reason equal perf kvm stat's for the same run" {
	# perf starts the run itself, so that it records from before the first exit.
	perf kvm stat record -a -o "$BATS_TEST_TMPDIR/perf.data" timeout 60 "$bench" profile --json -- \
		"$vmm" --kernel "$O/micro.elf" --mem 64M --console none --agent none \
		--cmdline "workload=exit-cost duration_ns=300000000" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err"
	sed -n '/^{/,/^}/p' "$BATS_TEST_TMPDIR/out" >"$BATS_TEST_TMPDIR/json"
	perf kvm -i "$BATS_TEST_TMPDIR/perf.data" stat report >"$BATS_TEST_TMPDIR/report" 2>&1
	python3 - "$BATS_TEST_TMPDIR" <<-'EOF'
		import json, re, sys
		d = sys.argv[1]
		ours = {}
		for e in json.load(open(d + "/json"))["exits"]:
		    # perf counts an exit when the guest is entered again; so does the histogram.
		    if e["hist"]["count"]:
		        ours[e["reason"]] = ours.get(e["reason"], 0) + e["hist"]["count"]
		text = open(d + "/report").read()
		perf = {m[0]: int(m[1]) for m in re.findall(r"^\s*(\S+)\s+(\d+)\s+[\d.]+%", text, re.M)}
		perf["vmmcall"] = perf.pop("hypercall", perf.pop("vmmcall", None))
		perf = {k: v for k, v in perf.items() if v}
		if ours != perf or not ours:
		    print("ours", ours, "perf", perf, text)
		    sys.exit(1)
	EOF
}

@test "exits in the window equal KVM's binary statistics, none lost" {
	timeout 120 "$bench" run exit-cost --guest=micro --on=host --reps=1 --json --store="$BATS_TEST_TMPDIR/store" \
		>"$BATS_TEST_TMPDIR/json"
	json '{c["name"]: c["ok"] for c in j["checks"]}["cross_check"]'
	json '{c["name"]: c["ok"] for c in j["checks"]}["lost_events"]'
	json 'all(e["kvm_ns"] > 0 for e in j["exits"] if e["reason"] == "cpuid")'
}

@test "port, register and memory exits have their keys; kicks through ioeventfd are seen" {
	timeout 60 "$bench" profile --json -- "$vmm" --kernel "$O/micro.elf" --mem 64M --console none --agent none \
		--device exitlab-testdev --cmdline "workload=exit-cost duration_ns=300000000" >"$BATS_TEST_TMPDIR/json"
	json 'j["backend"] == "svm"'
	json '[e for e in j["exits"] if e["reason"] == "io" and e["key"] == "out 0xe10"]'
	json '[e for e in j["exits"] if e["reason"] == "npf" and e["key"].startswith("0x") and e["user_ns"] > 0]'
	json 'j["notify"]["kicks_ioeventfd"] > 0'
	json 'j["lost"] == 0'
}

@test "QEMU: an exit's register has QEMU's own name for it" {
	timeout 60 "$bench" profile --json --duration=6s -- qemu-system-x86_64 -nodefaults -no-user-config -display none \
		-machine q35,accel=kvm -cpu host -m 64 -no-reboot -no-shutdown -kernel "$O/micro.elf" -append workload=exit-cost \
		-device e1000 -chardev "socket,id=qmp,path=probes-$$,abstract=on,server=on,wait=off" \
		-mon chardev=qmp,mode=control -serial null -serial null >"$BATS_TEST_TMPDIR/json"
	json '[e for e in j["exits"] if e["key"] == "out 0x510" and e["device"] == "fw_cfg"]'
	json '[e for e in j["exits"] if "+0x" in e.get("device", "") or e.get("device", "").startswith("e1000 ")]'
}

@test "the life of one packet on every path: no step missing, none twice" {
	# That each sum is within 5 % is tests/soak/deterministic.sh's to say: times here are an emulator's.
	"$bench" -q life e1000,virtio,vhost,vhost-user,sriov --on=host --work=30 --json --store="$BATS_TEST_TMPDIR/store" \
		>"$BATS_TEST_TMPDIR/json" || [ $? -eq 1 ]
	python3 - "$BATS_TEST_TMPDIR/json" <<-'EOF'
		import itertools, json, sys
		paths = json.load(open(sys.argv[1]))
		assert sorted(p["mode"] for p in paths) == ["e1000", "sriov", "vhost", "vhost-user", "virtio"], paths
		for p in paths:
		    life, at = p["life"], 0
		    print(p["mode"], len(life["steps"]), life["trips"], life["unclear"], p["sum_ns"], p["measured_ns"], file=sys.stderr)
		    assert life["dropped"] == 0 and life["trips"] >= 20, life
		    assert [part for part, _ in itertools.groupby(s["part"] for s in life["steps"])] == ["request", "peer", "answer", "guest"]
		    for s in life["steps"]:
		        assert s["at_ns"] == at, (p["mode"], s, at)
		        at += s["ns"]
		    assert at == life["ns"] == p["sum_ns"]
		    assert 0.5 < p["sum_ns"] / p["measured_ns"] < 2, p["mode"]
	EOF
}

@test "any process with a KVM VM: vCPUs come and go, and every exit of each is counted" {
	every_vcpu_is_counted
}

@test "no type information, no tracefs: one line each, or no need of it" {
	fails 3 'no type information.*BTF.*still work' unshare -m sh -c \
		"mkdir -p /tmp/exitlab-empty; mount --bind /tmp/exitlab-empty /sys/kernel/btf; exec '$bench' profile --all --duration=1s"
	unshare -m sh -c "umount -R /sys/kernel/debug /sys/kernel/tracing 2>/dev/null; exec '$bench' profile --json -- \
		python3 tests/vmm/bare_vm.py 1" | grep -v '^vcpu' >"$BATS_TEST_TMPDIR/json"
	json 'j["exits"]'
}

@test "little memory may be locked: the kernel does not ask for it any more" {
	# Since 5.11 BPF memory is charged to the control group.
	sh -c "ulimit -l 64; exec '$bench' profile --json -- python3 tests/vmm/bare_vm.py 1" |
		grep -v '^vcpu' >"$BATS_TEST_TMPDIR/json"
	json 'j["exits"]'
}
