# SPDX-License-Identifier: MIT
# Assigned devices: what cannot be assigned is refused with one line; what a guest can do to its device hurts nobody.
load ../helper
load vfio

setup_file() {
	vfio_build
	make_vf
}

teardown_file() {
	bind $card ""
	undo_vf
}

refused() { # STATUS PATTERN ADDRESS
	fails "$1" "$2" timeout 20 "$vmm" --kernel "$guest_kernels/vmlinux" --console none --vfio "$3"
}

@test "refused: no such device, in use by the host, a group that is not viable, in use by another VMM" {
	refused 3 'no such PCI device; see lspci' 0000:77:00.0
	refused 2 'expected an address like 0000:01:10.0' 01:10
	refused 3 "$card: it is bound to igb; bind it to vfio-pci" $card
	modprobe lpc_ich
	[ -e /sys/bus/pci/devices/0000:00:1f.0/driver ] || skip "nothing of the group of 00:1f.2 has a driver"
	bind 0000:00:1f.2
	refused 3 'group [0-9]+ is not viable: bind these to vfio-pci as well.*0000:00:1f.0 \(lpc_ich\)' 0000:00:1f.2
	bind 0000:00:1f.2 ""
	exec 9<>"/dev/vfio/$(basename "$(readlink /sys/bus/pci/devices/$vf/iommu_group)")"
	refused 3 'another process has the group open' $vf
	exec 9>&-
}

@test "the kernel's newest way is taken: iommufd where it has it, else groups" {
	local node=/dev/vfio/vfio other=/dev/iommu pid i
	! grep -q ' vfio-dev$' /proc/devices || { node=/dev/iommu other=/dev/vfio/vfio; }
	"$vmm" --kernel "$O/micro.elf" --cmdline workload=exit-cost --console none --vfio $vf 3>&- &
	pid=$!
	for ((i = 0; i < 100; i++)); do
		ls -l /proc/$pid/fd >"$BATS_TEST_TMPDIR/fds"
		grep -q "kvm-vcpu" "$BATS_TEST_TMPDIR/fds" && break
		sleep 0.05
	done
	kill $pid
	wait $pid || true
	cat "$BATS_TEST_TMPDIR/fds"
	grep -q " $node\$" "$BATS_TEST_TMPDIR/fds"
	none grep -q " $other\$" "$BATS_TEST_TMPDIR/fds"
}

# In the guest eth0 is the card (igb loads first) and eth1 the function; their slots are 1 and 2.
@test "two devices of two groups: MSI-X masked under load, memory switched off during MMIO, DMA outside the guest" {
	bind $card
	guest_run --vfio $card --vfio $vf --cpus 2 --cmdline "$in_guest" <<-'EOF'
		sleep 2
		ping -c 3 -i 0.2 -W 5 10.9.0.1 >/dev/null && echo card-works
		ping -c 3 -i 0.2 -W 5 10.9.1.1 >/dev/null && echo function-works
		ping -q -i 0.01 -c 200 10.9.1.1 >/tmp/ping &
		poke mask 0000:00:02.0 300
		wait
		grep loss /tmp/ping
		ping -c 3 -i 0.2 -W 5 10.9.1.1 >/dev/null && echo unmasked-works
		poke mem 0000:00:02.0 200
		ping -c 3 -i 0.2 -W 5 10.9.1.1 >/dev/null && echo decoding-works
		poke dma 0000:00:02.0 0x300000000
		sleep 1
		ip link set eth1 down; ip link set eth1 up; ip addr add 10.9.1.2/24 dev eth1 2>/dev/null
		sleep 2
		ping -c 3 -i 0.2 -W 5 10.9.1.1 >/dev/null && echo reset-works
	EOF
	for what in card function unmasked decoding reset; do
		grep -q "$what-works" <<<"$output" || { echo "missing: $what"; false; }
	done
	grep -q ' 0% packet loss' <<<"$output"
	grep -q 'memory off 200 times: [0-9]* reads, some all-ones' <<<"$output"
	grep -q "$vf: DMA outside the guest's memory, stopped by the IOMMU: .* so far, the first at 0x300000" <<<"$output"
}

@test "INTx, level-triggered and resampled: a card without MSI works, and every interrupt is acknowledged" {
	bind $card
	guest_run --vfio $card --cmdline "$in_guest pci=nomsi" <<-'EOF'
		sleep 2
		ping -q -i 0.02 -c 100 10.9.0.1 | grep loss
		grep eth0 /proc/interrupts
	EOF
	grep -q ' 0% packet loss' <<<"$output"
	grep -qE 'IO-APIC +[0-9]+-fasteoi +eth0' <<<"$output"
	[ "$(awk '/fasteoi +eth0/ { print $2 }' <<<"$output")" -ge 100 ]
}
