# SPDX-License-Identifier: MIT
# long
# bench with a virtual function that exists.
load ../helper

state() {
	ip -j link show dev eth0 | jq -c '.[0] | {flags: (.flags - ["LOWER_UP", "NO-CARRIER"]), vfinfo_list}'
	grep -s . /sys/bus/pci/devices/0000:01:1*/driver_override /sys/bus/pci/devices/0000:01:00.0/sriov_numvfs
	readlink /sys/bus/pci/devices/0000:01:1*/driver
}

@test "--vf: a function that exists, in a VLAN, with its settings; driver, override, MAC and the rest come back" {
	local latency=("$bench" run net-latency --mode=sriov --work=50 --reps=1 --on=host --store="$BATS_TEST_TMPDIR/s") vf used
	modprobe -a igbvf 8021q
	echo 2 >/sys/class/net/eth0/device/sriov_numvfs
	vf=$(basename "$(readlink /sys/class/net/eth0/device/virtfn1)")
	ip link set eth0 up vf 1 mac 52:54:00:00:00:09 spoofchk off
	for _ in $(seq 50); do [ -d "/sys/bus/pci/devices/$vf/net" ] && break; sleep 0.1; done
	state >"$BATS_TEST_TMPDIR/before"
	used=$(ls "/sys/bus/pci/devices/$vf/net")
	ip link set "$used" up
	[ "$("${latency[@]}" --vf="$vf" 2>&1 | grep -c "this host uses it: its interface $used is up; ip link set $used down")" -eq 1 ]
	ip link set "$used" down
	[ "$("${latency[@]}" 2>&1 | grep -c 'eth0 has 2 virtual functions already.*--vf=0000:01:1')" -eq 1 ]
	[ "$("${latency[@]}" --vf=0000:02:00.0 2>&1 | grep -c 'no virtual function of a network card')" -eq 1 ]
	"${latency[@]}" --vf="$vf" --set vlan=7 --set trust=on --json >"$BATS_TEST_TMPDIR/out"
	jq -e '.ok and .summary.latency_ns.median > 0' "$BATS_TEST_TMPDIR/out"
	for _ in $(seq 50); do [ -d "/sys/bus/pci/devices/$vf/net" ] && break; sleep 0.1; done
	state | diff "$BATS_TEST_TMPDIR/before" -
	ip link set eth0 down
	echo 0 >/sys/class/net/eth0/device/sriov_numvfs
}
