# SPDX-License-Identifier: MIT
# The probes against KVM's own statistics over a whole run of QEMU.
load ../helper

setup_file() {
	[ -w /dev/kvm ] || modprobe kvm_amd
}

# The counts of a whole run of QEMU: it stays, stopped, after the guest's power-off, so that KVM's own are still there.
@test "QEMU: totals equal KVM's own statistics for the whole run" {
	"$bench" profile --json -- qemu-system-x86_64 -nodefaults -no-user-config -display none -machine q35,accel=kvm \
		-cpu host -m 64 -no-reboot -no-shutdown -kernel "$O/micro.elf" -append workload=exit-cost \
		-serial null -serial null >"$BATS_TEST_TMPDIR/json" 2>"$BATS_TEST_TMPDIR/err" &
	local pid=$! vm="" last="" now
	for _ in $(seq 300); do
		sleep 0.2
		vm=$(ls -d /sys/kernel/debug/kvm/[0-9]*-[0-9]* 2>/dev/null | head -1)
		now=$([ -z "$vm" ] || cat "$vm/exits")
		# Unchanged for a second, after more than a handful: it has powered off.
		if [ -n "$now" ] && [ "$now" -gt 1000 ] && [ "$now" = "$last" ]; then
			same=$((same + 1))
			[ "$same" -lt 5 ] || break
		else
			same=0
		fi
		last=$now
	done
	for s in exits io_exits mmio_exits halt_exits irq_injections; do
		echo "$s $(cat "$vm/$s")"
	done >"$BATS_TEST_TMPDIR/kvm"
	kill -INT "$pid"
	wait "$pid"
	python3 - "$BATS_TEST_TMPDIR" <<-'EOP'
		import json, sys
		j = json.load(open(sys.argv[1] + "/json"))
		t = j["totals"]
		assert "no QMP socket" in j["names_note"], "why its registers are addresses"
		kvm = dict(l.split() for l in open(sys.argv[1] + "/kvm"))
		ours = {"exits": t["exits"], "io_exits": t["pio"], "mmio_exits": t["mmio"], "halt_exits": t["hlt"],
		        "irq_injections": t["injected"]}
		bad = {k: (v, int(kvm[k])) for k, v in ours.items() if v != int(kvm[k])}
		print("ours", ours, "of them by the fast path", t["fast"], "untraced", t["untraced"], "KVM", kvm)
		# What KVM leaves out of "exits" must be exactly what its fast path handled.
		if bad.get("exits") and bad["exits"][0] - t["fast"] == bad["exits"][1]:
		    del bad["exits"]
		if bad or t["exits"] < 1000:
		    print("ours, KVM's:", bad, t)
		    sys.exit(1)
	EOP
}
