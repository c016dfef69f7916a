# SPDX-License-Identifier: MIT
# A small Linux guest (Debian's kernel, busybox) for tests that run inside the lab.
#
#   guest_build                       once per file
#   guest_tap N                       tap0..tapN-1, 10.9.i.1/24, no queues option; guest_tap N multi_queue
#   guest_run VMM_OPTIONS... <SCRIPT  boot, run the script as root with eth0.. up as 10.9.i.2, power off; output in $output
: "${GUEST_TIMEOUT:=90}"
guest_reset=--no-reboot
guest_dir=/tmp/exitlab-guest
guest_kernels=${XDG_CACHE_HOME:-$HOME/.cache}/exitlab/kernels/default
# In the order of their dependencies.
guest_modules=(virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci failover net_failover virtio_net
	virtio_console virtio-rng)

guest_build() {
	local m
	[ -s "$guest_dir/base.gz" ] && return
	mkdir -p "$guest_dir/root"/{bin,proc,sys,dev,tmp,modules}
	cp /usr/bin/busybox "$guest_dir/root/bin/"
	for m in "${guest_modules[@]}"; do
		cp "$(find "$guest_kernels/root/lib/modules" -name "$m.ko")" "$guest_dir/root/modules/"
	done
	cat >"$guest_dir/root/init" <<-EOF
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		export PATH=/bin
		mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
		for m in ${guest_modules[*]}; do insmod /modules/\$m.ko; done
		up() { ip addr add 10.9.\$1.2/24 dev eth\$1; ip link set eth\$1 up; }
		for i in 0 1 2 3 4 5 6 7; do [ -d /sys/class/net/eth\$i ] && up \$i; done
		. /script
		poweroff -f
	EOF
	chmod +x "$guest_dir/root/init"
	(cd "$guest_dir/root" && find . | cpio -o -H newc --quiet | gzip -1) >"$guest_dir/base.gz"
}

guest_tap() {
	local i
	for ((i = 0; i < $1; i++)); do
		ip link del "tap$i" 2>/dev/null || true
		ip tuntap add dev "tap$i" mode tap vnet_hdr ${2:+$2}
		ip addr add "10.9.$i.1/24" dev "tap$i"
		ip link set "tap$i" up
	done
}

guest_run() {
	guest_try "$@"
	[ "$status" -eq 0 ]
}

# The lab loses a guest now and then: see docs/lab.md.
guest_lost() {
	grep -q 'triple fault' <<<"$output" && echo "lost by the lab"
}

guest_try() {
	mkdir -p "$guest_dir/extra"
	cat >"$guest_dir/extra/script"
	(cd "$guest_dir/extra" && echo script | cpio -o -H newc --quiet | gzip -1) >"$guest_dir/extra.gz"
	cat "$guest_dir/base.gz" "$guest_dir/extra.gz" >"$guest_dir/initrd"
	run timeout "$GUEST_TIMEOUT" "$vmm" --kernel "$guest_kernels/vmlinux" --initrd "$guest_dir/initrd" \
		--cmdline "console=ttyS0 quiet mitigations=off panic=-1" --mem 256M $guest_reset "$@" </dev/null
	echo "$output"
}
