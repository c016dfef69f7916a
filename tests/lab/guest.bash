# SPDX-License-Identifier: MIT
# A busybox guest for tests that need two ends of a wire and nothing of bench: it runs the commands of its command line
# (after "run=", with + for blanks), and a peer's network namespace with a TAP on the other side.
guest_dir=/tmp/guest
kernel_dir=${XDG_CACHE_HOME:-$HOME/.cache}/exitlab/kernels/default

guest_build() {
	local r=$guest_dir/root m i=0
	mkdir -p "$r"/{bin,proc,sys,dev,mod,tmp}
	cp "$(command -v busybox)" "$r/bin/busybox"
	for m in net/core/failover drivers/net/net_failover drivers/virtio/virtio_ring drivers/virtio/virtio \
		drivers/virtio/virtio_pci_legacy_dev drivers/virtio/virtio_pci_modern_dev drivers/virtio/virtio_pci \
		drivers/net/virtio_net; do
		cp "$kernel_dir/modules/kernel/$m.ko" "$r/mod/$((10 + i))-${m##*/}.ko"
		i=$((i + 1))
	done
	cat >"$r/init" <<-'INIT'
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		export PATH=/bin
		mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev; mount -t tmpfs t /tmp
		for m in /mod/*.ko; do insmod $m; done
		ip link set lo up; ip link set eth0 up; ip addr add 10.9.0.2/24 dev eth0
		seq 1 150000 >/tmp/data
		send() { for i in $(seq $1); do cat /tmp/data; done | nc 10.9.0.1 $2; }
		command=$(sed 's/.*run=//; s/+/ /g' /proc/cmdline)
		eval "$command"
		echo guest-done
		poweroff -f
	INIT
	chmod +x "$r/init"
	(cd "$r" && find . | cpio -o -H newc --quiet) >$guest_dir/guest.cpio
	seq 1 150000 >$guest_dir/data
}

# The peer: namespace "far" with TAP wire0, 10.9.0.1.
wire_make() {
	ip netns add far
	nsenter --net=/run/netns/far sh -ec "ip link set lo up
		ip tuntap add wire0 mode tap multi_queue
		ip addr add 10.9.0.1/24 dev wire0
		ip link set wire0 up"
}

far() {
	nsenter --net=/run/netns/far "$@"
}

# shellcheck disable=SC2016 # expanded in there
# wire_carried BYTES: wait until the guest has sent so much since the wire was made (90 s at most).
wire_carried() {
	# One process: in the lab each costs tens of milliseconds.
	far bash -c 'exec 9<> <(:)
		for ((i = 0; i < 450; i++)); do
			while read -r name bytes _; do
				[ "$name" != wire0: ] || [ "$bytes" -lt "$0" ] || exit 0
			done </proc/net/dev
			read -rt 0.2 <&9
		done
		exit 1' "$1"
}

# guest COMMAND NET [VMM OPTIONS]: our VMM; its output on stdout.
guest() {
	local cmd=$1 net=$2
	shift 2
	far timeout 150 "$vmm" --kernel "$kernel_dir/vmlinux" --initrd $guest_dir/guest.cpio --mem 256M --net "$net" \
		--cmdline "console=ttyS0 panic=-1 quiet mitigations=off run=${cmd// /+}" "$@" </dev/null 2>&1
}

# expect_data PORT: the digest and length of what arrives there, into $guest_dir/got.PORT.
expect_data() {
	rm -f "$guest_dir/got.$1"
	far python3 -c '
import hashlib, socket, sys
s = socket.create_server(("10.9.0.1", int(sys.argv[1])))
s.settimeout(150)
c, _ = s.accept()
h, n = hashlib.md5(), 0
while d := c.recv(1 << 18):
    h.update(d)
    n += len(d)
print(h.hexdigest(), n)' "$1" >"$guest_dir/got.$1" 3>&-
}

# data_is N PORT: N copies of the data came over this port.
data_is() {
	local want i
	want=$(for i in $(seq "$1"); do cat $guest_dir/data; done | md5sum | cut -d' ' -f1)
	want="$want $(($1 * $(stat -c %s $guest_dir/data)))"
	for i in $(seq 50); do [ -s "$guest_dir/got.$2" ] && break; sleep 0.1; done
	[ "$(cat "$guest_dir/got.$2")" = "$want" ] || { echo "port $2: $(cat "$guest_dir/got.$2"), want $want"; return 1; }
}
