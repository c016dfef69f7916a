# SPDX-License-Identifier: MIT
# virtio-net under Debian's kernel: every layout of the rings, both ways, with the payload checked.
load ../helper
load linux

listeners=()

setup_file() {
	load ../helper
	load linux
	guest_build
	dd if=/dev/urandom of="$guest_dir/payload" bs=64K count=48 status=none
}

# bit N of a sysfs feature string
bit() {
	echo "${1:$2:1}"
}

on() {
	[ "$1" = on ] && echo 1 || echo 0
}

# start_cells QUEUES IRQ: one guest with a card for each of {split, packed} x {indirect} x {event_idx}. It fetches a file over
# each card and sends it back.
start_cells() {
	local queues=$1 irq=$2 i=0 ring indirect event opts=()
	[ ${#listeners[@]} -eq 0 ] || kill "${listeners[@]}" 2>/dev/null || true
	wants=() listeners=()
	# An input that never ends: nc gives up when its own does.
	rm -f "$guest_dir/open" && mkfifo "$guest_dir/open" && exec 7<>"$guest_dir/open"
	guest_tap 8 "$([ "$queues" -gt 1 ] && echo multi_queue)"
	for ring in split packed; do
		for indirect in on off; do
			for event in on off; do
				opts+=(--net "mode=virtio,tap=tap$i,queues=$queues,irq=$irq,ring=$ring,indirect=$indirect,event_idx=$event")
				wants+=("cell$i $(on $indirect)$(on $event)$([ $ring = packed ] && echo 1 || echo 0) ok")
				busybox nc -l -p $((6000 + i)) <"$guest_dir/payload" 3>&- &
				listeners+=($!)
				busybox nc -l -p $((7000 + i)) >"$guest_dir/back$i" <&7 3>&- &
				listeners+=($!)
				i=$((i + 1))
			done
		done
	done
	guest_try --cpus "$queues" "${opts[@]}" <<-'EOF'
		mkfifo /tmp/open; exec 7<>/tmp/open
		for i in 0 1 2 3 4 5 6 7; do
			f=$(cat /sys/class/net/eth$i/device/features)
			nc 10.9.$i.1 $((6000 + i)) >/tmp/f <&7 && nc 10.9.$i.1 $((7000 + i)) </tmp/f && ok=ok || ok=failed
			echo "cell$i $(echo $f | cut -c29)$(echo $f | cut -c30)$(echo $f | cut -c35) $ok"
			echo "queues$i $(ls -d /sys/class/net/eth$i/queues/rx-* | wc -l)"
		done
		grep -c PCI-MSI /proc/interrupts | sed 's/^/msi-vectors /'
	EOF
}

teardown() {
	[ ${#listeners[@]} -eq 0 ] || kill "${listeners[@]}" 2>/dev/null || true
}

cells() {
	local queues=$1 irq=$2 want
	start_cells "$@"
	! guest_lost || start_cells "$@"
	[ "$status" -eq 0 ]
	for want in "${wants[@]}"; do
		grep -q "^$want" <<<"$output" || { echo "not seen: $want"; return 1; }
	done
	for i in 0 1 2 3 4 5 6 7; do
		cmp "$guest_dir/payload" "$guest_dir/back$i"
		grep -q "^queues$i $queues" <<<"$output"
	done
	if [ "$irq" = intx ]; then
		grep -q '^msi-vectors 0' <<<"$output"
	else
		! grep -q '^msi-vectors 0' <<<"$output"
	fi
}

@test "virtio-net: split and packed, indirect, event index: one queue pair, MSI-X" {
	cells 1 msix
}

@test "virtio-net: split and packed, indirect, event index: one queue pair, INTx" {
	cells 1 intx
}

@test "virtio-net: split and packed, indirect, event index: two queue pairs, MSI-X" {
	cells 2 msix
}

@test "virtio-net: split and packed, indirect, event index: two queue pairs, INTx" {
	cells 2 intx
}

@test "virtio-net: the driver goes and comes 50 times under traffic both ways" {
	local flood sink
	guest_tap 1
	ping -q -f -s 1400 10.9.0.2 >/dev/null 2>&1 3>&- &
	flood=$!
	rm -f "$guest_dir/open" && mkfifo "$guest_dir/open" && exec 7<>"$guest_dir/open"
	busybox nc -u -l -p 9 >/dev/null <&7 3>&- &
	sink=$!
	guest_run --net mode=virtio,tap=tap0 <<-'EOF'
		while :; do nc -u 10.9.0.1 9 </dev/zero; done 2>/dev/null &
		dev=$(basename $(readlink -f /sys/class/net/eth0/device)) n=0
		cd /sys/bus/virtio/drivers/virtio_net
		for i in $(seq 50); do
			usleep 20000
			echo $dev >unbind && echo $dev >bind && up 0 && n=$((n + 1))
		done
		kill $!
		echo "rebound $n"
		ping -c 3 -W 5 10.9.0.1 >/dev/null && echo "and it works"
	EOF
	kill $flood $sink 2>/dev/null || true
	grep -q '^rebound 50' <<<"$output"
	grep -q '^and it works' <<<"$output"
}

@test "virtio-console is hvc0 and virtio-rng is hwrng" {
	rm -f "$guest_dir/hvc"
	guest_run --device "virtio-console,out=$guest_dir/hvc" --device virtio-rng <<-'EOF'
		echo "first line over virtio" >/dev/hvc0
		seq 1 2000 >/dev/hvc0
		cat /sys/class/misc/hw_random/rng_current
		dd if=/dev/hwrng bs=512 count=4 2>/dev/null | wc -c
	EOF
	grep -q '^virtio_rng' <<<"$output"
	grep -q '^2048' <<<"$output"
	head -1 "$guest_dir/hvc" | grep -q "first line over virtio"
	[ "$(tr -d '\r' <"$guest_dir/hvc" | sed 1d | tr '\n' ' ' | md5sum)" = "$(seq 1 2000 | tr '\n' ' ' | md5sum)" ]
}
