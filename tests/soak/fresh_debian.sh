#!/bin/bash
# SPDX-License-Identifier: MIT
# A fresh Debian of this machine's release with the package and nothing else of ours: doctor, the micro guest, and with the kernels of the
# package's setup.sh a Linux guest and the main job. Needs root, debootstrap, debhelper and the mirror that apt knows; five minutes and 4 GB.
#
#   tests/soak/fresh_debian.sh          DIR=PATH keeps the system there, or takes it from there
#
# It has its own mounts and network but for the package's installation; /dev/kvm is this machine's.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${O:=build}"
for tool in debootstrap dh; do
	command -v $tool >/dev/null || { echo "fresh Debian: skipped, no $tool"; exit 0; }
done
[ "$(id -u)" -eq 0 ] || { echo "fresh Debian: skipped, needs root"; exit 0; }
status=0
temporary=
[ -n "${DIR:-}" ] || { DIR=$(mktemp -d /var/tmp/exitlab-fresh.XXXXXX) && temporary=1; }
root=$DIR/root
trap '[ -z "$temporary" ] || rm -rf --one-file-system "$DIR"' EXIT

# inside COMMAND: as in a machine of its own, with this one's network where NET is set.
inside() {
	local net=--net
	[ -z "${NET:-}" ] || net=
	# shellcheck disable=SC2016,SC2086
	unshare --mount --ipc --uts $net --propagation private bash -c '
		hostname fresh
		mount --rbind "$0" "$0" && cd "$0" && mount -t proc proc proc && mount --rbind /sys sys &&
			mount --rbind /dev dev && mount -t tmpfs tmpfs tmp && mount -t tmpfs tmpfs run && mkdir -p run/old &&
			pivot_root . run/old && umount -l /run/old && cd / &&
			exec env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
				bash -c "$1"' "$root" "$1"
}

# try NAME COMMAND WANT: it ends well and says what matches.
try() {
	local said began=$SECONDS
	said=$(inside "$2" 2>&1)
	if [ $? -eq 0 ] && grep -qE "$3" <<<"$said"; then
		echo "ok $1 ($((SECONDS - began)) s)"
	else
		echo "not ok $1"
		tail -25 <<<"$said" | sed 's/^/# /'
		status=1
	fi
}

if [ ! -e "$root/etc/debian_version" ]; then
	release=$(. /etc/os-release && echo "$VERSION_CODENAME")
	site=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' | awk -v c="$release" '$2 == c { print $1; exit }')
	debootstrap --variant=minbase "$release" "$root" "$site" >"$DIR/log" 2>&1 || { tail -5 "$DIR/log"; exit 1; }
	cp /etc/resolv.conf "$root/etc/"
fi
make -s deb O="$O" >"$DIR/log" 2>&1 || { tail -20 "$DIR/log"; exit 1; }
rm -f "$root"/root/exitlab_*.deb
cp "$O"/deb/exitlab_*.deb "$root/root/"
echo "Debian $(cat "$root/etc/debian_version"), $(chroot "$root" dpkg-query -W | wc -l) packages"
NET=1 try "the package is installed, with what it asks for" \
	'apt-get -qq update && apt-get -qq -y install --no-install-recommends /root/exitlab_*.deb && dpkg-query -W exitlab' '^exitlab'
try "bench doctor answers" 'bench doctor' 'micro guest +ok'
try "bench run boot --guest=micro" 'bench run boot --guest=micro --on=host --reps=3' 'boot_ns|boot'
NET=1 try "setup.sh unpacks the kernel" '/usr/libexec/exitlab/setup.sh && bench doctor' 'lab +ok'
try "the main job, a Linux guest" 'ip link set lo up; bench run net-throughput --mode=virtio,vhost --reps=1 --warmup=0 --duration=1s' \
	'^vhost/builtin'
exit $status
