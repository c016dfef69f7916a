# SPDX-License-Identifier: MIT
# long
# An assigned device through a guest's reset and the host's unplugging; a virtual function that is somebody's.
load ../helper
load vfio

setup() {
	vfio_build
	make_vf
}

teardown() {
	undo_vf
}

@test "the guest reboots with the device assigned, and it works again" {
	guest_reset=""
	guest_ends_after() { # PATTERN N
		local i
		for ((i = 0; i < 800; i++)); do
			[ -e $guest_dir/console ] && [ "$(grep -ac "$1" $guest_dir/console)" -ge "$2" ] && break
			sleep 0.1
		done
		kill "$(pidof vmm)"
	}
	rm -f $guest_dir/console
	guest_ends_after pong 2 3>&- &
	guest_run --vfio $vf --console $guest_dir/console --cmdline "$in_guest" <<-'EOF' || true
		sleep 2
		ping -c 3 -i 0.2 -W 5 10.9.0.1 >/dev/null && echo pong
		reboot -f
	EOF
	cat $guest_dir/console
	[ "$(grep -ac pong $guest_dir/console)" -ge 2 ]
}

@test "the host takes the device back (unbind): the VMM says so and ends, and the host has it" {
	local i
	rm -f $guest_dir/console
	(
		for ((i = 0; i < 300; i++)); do grep -aqs guest-up $guest_dir/console && break; sleep 0.1; done
		echo $vf >/sys/bus/pci/drivers/vfio-pci/unbind
	) 3>&- &
	guest_run --vfio $vf --console $guest_dir/console <<<'echo guest-up; sleep 60' || true
	[ "$status" -eq 1 ]
	grep -q "$vf: the host wants the device back" <<<"$output"
	wait
	[ ! -e /sys/bus/pci/devices/$vf/driver ]
	bind $vf
}
