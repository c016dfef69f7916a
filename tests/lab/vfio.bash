# SPDX-License-Identifier: MIT
# Devices of the lab for our VMM: the virtual function of the first card, and the whole second card.
load linux

# shellcheck disable=SC2034 # linux.bash reads them
guest_dir=/tmp/exitlab-vfio-guest
# shellcheck disable=SC2034
guest_modules=(i2c-algo-bit dca igb igbvf)
vf=0000:01:10.0
card=0000:02:00.0
in_guest="console=ttyS0 quiet mitigations=off panic=-1 iomem=relaxed"

vfio_build() {
	mkdir -p $guest_dir/root/bin
	gcc -static -O1 -pthread -Wall -o $guest_dir/root/bin/poke "$BATS_TEST_DIRNAME/poke.c"
	guest_build
}

# bind DEVICE [DRIVER]: to vfio-pci, or to its own driver again.
bind() {
	[ ! -e "/sys/bus/pci/devices/$1/driver" ] || echo "$1" >"/sys/bus/pci/devices/$1/driver/unbind"
	echo "${2-vfio-pci}" >"/sys/bus/pci/devices/$1/driver_override"
	echo "$1" >/sys/bus/pci/drivers_probe
}

# The host's end of the wire is the first card: 10.9.0.1 for the guest's eth0, 10.9.1.1 for its eth1.
make_vf() {
	echo 0 >/sys/bus/pci/devices/0000:01:00.0/sriov_drivers_autoprobe
	echo 1 >/sys/class/net/eth0/device/sriov_numvfs
	ip link set eth0 up vf 0 mac 52:54:00:00:00:07
	ip addr add 10.9.0.1/24 dev eth0
	ip addr add 10.9.1.1/24 dev eth0
	bind $vf
}

undo_vf() {
	ip addr flush dev eth0
	ip link set eth0 down
	echo 0 >/sys/class/net/eth0/device/sriov_numvfs
	echo 1 >/sys/bus/pci/devices/0000:01:00.0/sriov_drivers_autoprobe
}
