# SPDX-License-Identifier: MIT
load ../helper

@test "the lab has KVM with nested paging, vhost-net, TAP, VFIO, two SR-IOV cards, tracefs, BTF" {
	[ -c /dev/kvm ]
	[ -c /dev/vhost-net ]
	[ -c /dev/net/tun ]
	[ "$(cat /sys/module/kvm_amd/parameters/npt)" = Y ]
	[ -d /sys/bus/pci/drivers/vfio-pci ]
	# The cards, and the NVMe controller.
	[ "$(cat /sys/bus/pci/devices/*/sriov_totalvfs | sort | xargs)" = "4 7 7" ]
	[ -d /sys/kernel/tracing/events/kvm/kvm_exit ]
	[ -s /sys/kernel/btf/kvm ]
	dmesg | grep -q "DMAR-IR: Enabled IRQ remapping"
}

@test "doctor finds what the lab promises, kvm_exit by counting it" {
	"$bench" doctor --json >"$BATS_TEST_TMPDIR/json"
	jq -e '.kvm.found == "svm" and ([.micro_guest, .linux_guests, .nested_paging, .tap, .vhost_net, .iommu,
		.interrupt_remapping, .sriov, .btf, .tracepoints, .kvm_exit] | all(.verdict == "ok"))' "$BATS_TEST_TMPDIR/json"
}

@test "the checkout is writable, the rest of the host is not changed" {
	touch "$O/.lab-wrote-this"
	rm "$O/.lab-wrote-this"
	touch /usr/only-in-the-overlay
}

@test "boot: builtin and qemu reach the agent" {
	run "$bench" run boot --on=host --vmm=builtin,qemu --reps=1 --json --store=/tmp/store-boot
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	# The exits are those until the agent is there, and the rows are all of them.
	jq -s -e 'all(.[]; .samples[0] | .metrics.exits > 1000 and .metrics.exits == ([.exits[].count] | add))' \
		/tmp/store-boot/runs/*/record.json
}
