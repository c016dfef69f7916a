# SPDX-License-Identifier: MIT
# Hostile drivers, one test per class of bug that other VMMs had. Each ends with a sane driver that resets the card and
# gets an answer from the host's kernel through the TAP, so a device that hangs, or a VMM that dies, fails it.
# VMM=build/asan/vmm runs them against a sanitized build.
load ../helper
load micro
: "${VMM:=$vmm}"

setup() {
	need_kvm
	unshare -rn true 2>/dev/null || skip "no user namespaces here, and not root"
	[ -w /dev/net/tun ] || skip "no /dev/net/tun"
}

# hostile MODE CLASS: it attacked, and everything lives on.
hostile() {
	run timeout 100 unshare -rn sh -c '
		ip tuntap add t0 mode tap && ip addr add 10.77.0.1/24 dev t0 && ip link set t0 up || exit 77
		exec "$0" --kernel "$1/micro.elf" --mem 64M --cpus 2 --console none --agent stdio --net "mode=$2,tap=t0" \
			--cmdline "workload=hostile op=$3 addr=10.77.0.2/24 peer=10.77.0.1"' "$VMM" "$O" "$1" "$2"
	echo "$output"
	[ "$status" -eq 0 ]
	grep -qE "^exitlab note hostile: $2: [1-9][0-9]* cases, the card lives" <<<"$output"
	! grep -qE 'Sanitizer|runtime error' <<<"$output"
}

@test "virtio: rings laid over BARs, the LAPIC, holes and the end of RAM (QEMU CVE-2021-3929 and its kin)" {
	hostile virtio rings-elsewhere
}
@test "virtio: buffers that are no RAM" { hostile virtio buffers-elsewhere; }
@test "virtio: chains that loop, leave the table, are empty, huge, wrap; odd headers, short frames" { hostile virtio bad-chains; }
@test "virtio: indirect tables too long, ragged, nested, not RAM" { hostile virtio indirect; }
@test "virtio: indices beyond the ring, heads beyond the table, one head many times" { hostile virtio indices; }
@test "virtio: common configuration written in every status at every width" { hostile virtio common-config; }
@test "virtio: reset and moved rings while frames are in flight" { hostile virtio reset-busy; }
@test "virtio: another vCPU rewrites descriptors while they are read" { hostile virtio double-fetch; }
@test "PCI: configuration space at every offset and width, ports and ECAM" { hostile virtio config-space; }
@test "PCI: BARs at every width, unaligned, across their end" { hostile virtio bars; }
@test "PCI: MSI-X tables full of nonsense" { hostile virtio msix; }
@test "PCI: MSI-X vectors masked and unmasked while frames come in" { hostile virtio msix-live; }
@test "PCI: BARs over one another, RAM, ECAM and the APICs" { hostile virtio bars-overlap; }
@test "legacy ports fuzzed, UART divisor 0" { hostile virtio ports; }
@test "e1000: head, tail and length in and out of the ring (CVE-2016-1981, CVE-2021-20257)" { hostile e1000 e1000-rings; }
@test "e1000: the tail leaves the ring while the card walks to it" { hostile e1000 e1000-tail-race; }
@test "e1000: rings and buffers that are no RAM" { hostile e1000 e1000-elsewhere; }
@test "e1000: segmentation contexts of all kinds (CVE-2019-5609, CVE-2022-23087)" { hostile e1000 e1000-contexts; }
@test "e1000: receive buffers of all sizes, across the end of RAM" { hostile e1000 e1000-receive; }
@test "e1000: every register at every width while it runs" { hostile e1000 e1000-registers; }
@test "e1000: configuration space and BARs" {
	hostile e1000 config-space
	hostile e1000 bars
	hostile e1000 bars-overlap
}
