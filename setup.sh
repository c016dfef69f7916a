#!/bin/bash
# SPDX-License-Identifier: MIT
# Install what Exitlab needs (Debian packages only) and unpack the kernels that the lab and the guests boot.
# Idempotent; a second run with nothing missing takes well under a second.
#
#   ./setup.sh              what building and running need, and the distribution's kernel
#   ./setup.sh --tests      also what only the tests need: a browser, TeX, linters
#   ./setup.sh --newer      also the newer kernel from backports, for checks against two KVM versions
#   ./setup.sh --intel      also the Intel lab's emulator: Bochs, built from Debian 13's source in about 2 minutes
#   ./setup.sh --xen        also the Xen lab's hypervisor and its tools, unpacked and not installed
#   ./setup.sh --xen-shadow also a hypervisor with shadow paging, built from Debian's source in about 2 minutes; the lab then uses it
#   ./setup.sh --proofs     also what make proofs needs: CBMC, from Debian 13 where this release has none
#   ./setup.sh --check      install nothing; say what is missing (exit 3)
set -euo pipefail
cd "$(dirname "$0")"

build_packages="build-essential clang pkg-config git bpftool libbpf-dev libelf-dev zlib1g-dev
	libpfm4-dev libjansson-dev libsqlite3-dev libinih-dev libncurses-dev libgsl-dev libnl-route-3-dev
	liblzma-dev libzstd-dev liburing-dev libmd-dev"
run_packages="gnuplot-nox fonts-liberation iproute2 ethtool kmod xz-utils iperf3 fio nvme-cli procps"
test_packages="libcmocka-dev llvm bats strace sqlite3 busybox-static cpio acpica-tools poppler-utils linux-perf trace-cmd tcpdump curl shellcheck python3 tmux
	dmsetup clang-format clang-tidy cppcheck libclang-rt-14-dev chromium texlive-latex-recommended debhelper
	libvirt-daemon-driver-qemu libvirt-clients"
qemu_package=qemu-system-x86
qemu_min=1:8.0 # the igb SR-IOV card
storage_daemon_package=qemu-utils

home=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)} # as base/home.c has it
cache=${EXITLAB_CACHE:-${XDG_CACHE_HOME:-$home/.cache}/exitlab}
mode=install tests="" newer="" intel="" xen="" shadow="" proofs="" packages="$build_packages $run_packages"

for arg in "$@"; do
	case $arg in
	--check) mode=check ;;
	--tests) tests=1 packages+=" $test_packages" ;;
	--newer) newer=1 ;;
	--intel) intel=1 ;;
	--xen) xen=1 ;;
	--xen-shadow) xen=1 shadow=1 packages+=" flex bison" ;;
	--proofs) proofs=1 ;;
	-h | --help) sed -n '3,14s/^# \{0,1\}//p' "$0"; exit 0 ;;
	*) echo "setup: unknown option $arg; see ./setup.sh --help" >&2; exit 2 ;;
	esac
done

say() { echo "setup: $*" >&2; }
fail() { say "error: $*"; exit 3; }

installed() { dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }
available() { [ -n "$(apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: \((none)\)\{0,1\}//p')" ]; }

missing_packages() {
	# A package that this release does not have (libclang-rt-14-dev on another Debian) is no reason to stop.
	# shellcheck disable=SC2086
	dpkg-query -W -f='${Package} ${db:Status-Status}\n' $packages 2>/dev/null |
		awk '$2 == "installed" { print $1 }' | sort -u >"$tmp/have"
	# shellcheck disable=SC2086
	printf '%s\n' $packages | sort -u | comm -23 - "$tmp/have"
}

qemu_ok() {
	local have
	have=$(dpkg-query -W -f='${Version}' $qemu_package 2>/dev/null) || return 1
	dpkg --compare-versions "$have" ge $qemu_min
}

apt() { DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@"; }

key=/usr/share/keyrings/debian-archive-keyring.gpg
# shellcheck disable=SC1091
codename() { (. /etc/os-release && echo "$VERSION_CODENAME"); }

# The mirror that this machine already uses; whatever is wanted beyond its packages comes from there too.
own_mirror() {
	local site
	site=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' |
		awk -v c="$(codename)" '$2 == c { print $1; exit }')
	[ -n "$site" ] || fail "no apt source for $(codename) found (apt-get indextargets); add one and try again"
	echo "$site"
}

add_backports() {
	local list=/etc/apt/sources.list.d/exitlab-backports.list codename site
	[ -e $list ] && return
	codename=$(codename)
	site=$(own_mirror)
	say "adding the suite $codename-backports of this machine's own mirror"
	echo "deb [signed-by=$key] $site $codename-backports main" >$list
	apt update
}

install_packages() {
	local want=$1 p names=()
	say "installing:" $want
	[ -n "$(find /var/lib/apt/lists -name '*_Packages*' -mmin -1440 2>/dev/null | head -1)" ] || apt update
	for p in $want; do
		if available "$p"; then names+=("$p"); else say "warning: no package $p in this release; left out"; fi
	done
	[ ${#names[@]} -eq 0 ] || apt install -y --no-install-recommends "${names[@]}" >/dev/null ||
		{ apt update && apt install -y --no-install-recommends "${names[@]}" >/dev/null; } ||
		fail "apt-get could not install the packages above"
}

# What tests serve disks with; it comes with the QEMU of the same release.
storage_daemon_ok() { [ -z "$tests" ] || [ -x /usr/bin/qemu-storage-daemon ]; }

install_qemu() {
	local cand names=$qemu_package
	cand=$(apt-cache policy $qemu_package | sed -n 's/^ *Candidate: //p')
	say "installing QEMU"
	[ -z "$tests" ] || names="$qemu_package $storage_daemon_package"
	# shellcheck disable=SC2086
	if dpkg --compare-versions "$cand" ge $qemu_min; then
		apt install -y --no-install-recommends $names >/dev/null
	else
		add_backports
		apt install -y --no-install-recommends -t "$(codename)-backports" $names >/dev/null
	fi
	qemu_ok || fail "QEMU is still older than ${qemu_min#*:}, which lacks the igb SR-IOV card"
}

u8() { od -An -tu1 -j$(($2)) -N1 "$1" | tr -d ' '; }
u32() { od -An -tu4 -j$(($2)) -N4 "$1" | tr -d ' '; }

# bzImage boot protocol 2.08: the compressed vmlinux lies at payload_offset behind the setup sectors.
extract_vmlinux() {
	local image=$1 out=$2 start len
	start=$(((($(u8 "$image" 0x1f1)) + 1) * 512 + $(u32 "$image" 0x248)))
	len=$(u32 "$image" 0x24c)
	tail -c +$((start + 1)) "$image" | head -c "$len" >"$tmp/payload" || true
	case $(od -An -tx1 -N4 "$tmp/payload" | tr -d ' ') in
	fd377a58) xz -dc --single-stream <"$tmp/payload" >"$out" || true ;; # 4 bytes of size follow the stream
	1f8b*) gzip -dc <"$tmp/payload" >"$out" 2>/dev/null || true ;;
	28b52ffd) zstd -qdc <"$tmp/payload" >"$out" 2>/dev/null || true ;;
	*) fail "$image: unknown compression of the kernel" ;;
	esac
	[ "$(od -An -tx1 -N4 "$out" | tr -d ' ')" = 7f454c46 ] || fail "$image: no ELF kernel inside"
}

# unpack_kernel LINK VERSION-OF-METAPACKAGE: the kernel that linux-image-amd64 of that version depends on.
unpack_kernel() {
	local link=$1 meta=$2 pkg release dir
	pkg=$(apt-cache show "linux-image-amd64=$meta" | sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p' | head -1)
	[ -n "$pkg" ] || fail "linux-image-amd64: no such package known to apt; run apt-get update"
	release=${pkg#linux-image-}
	dir=$cache/kernels/$release
	say "unpacking $pkg into $dir (not installed into the system)"
	mkdir -p "$cache/kernels"
	rm -rf "$dir.tmp"
	mkdir "$dir.tmp"
	(cd "$tmp" && apt-get -qq download "$pkg" 2>/dev/null) || fail "apt-get could not download $pkg"
	dpkg -x "$tmp"/"$pkg"_*.deb "$dir.tmp/root"
	[ -d "$dir.tmp/root/lib" ] || ln -s usr/lib "$dir.tmp/root/lib"
	/sbin/depmod -b "$dir.tmp/root" "$release"
	ln -s "root/boot/vmlinuz-$release" "$dir.tmp/vmlinuz"
	extract_vmlinux "$dir.tmp/vmlinuz" "$dir.tmp/vmlinux"
	ln -s "root/lib/modules/$release" "$dir.tmp/modules"
	rm -rf "$dir"
	mv "$dir.tmp" "$dir"
	ln -sfn "$release" "$cache/kernels/$link"
	rm -f "$tmp/payload" "$tmp/$pkg"_*.deb
}

# libvirt's driver for QEMU does not start without the user that its daemon's package makes.
libvirt_user=libvirt-qemu
libvirt_user_ok() { getent passwd $libvirt_user >/dev/null && getent group $libvirt_user >/dev/null; }
add_libvirt_user() {
	say "adding the user $libvirt_user, as Debian's libvirt-daemon-system does"
	getent group $libvirt_user >/dev/null || groupadd --system --gid 64055 $libvirt_user
	getent passwd $libvirt_user >/dev/null || useradd --system --uid 64055 --gid $libvirt_user --no-create-home \
		--home-dir /var/lib/libvirt --shell /usr/sbin/nologin $libvirt_user
}

kernel_ok() { [ -s "$cache/kernels/$1/vmlinux" ]; }
kernel_version() { # the newest version of the metapackage in (or, with "newer", above) the plain suite
	apt-cache madison linux-image-amd64 | awk -F'|' -v n="$1" '
		{ gsub(/ /, "", $2); b = $3 ~ /backports/ } (n == "newer") == b { print $2; exit }'
}

# Bochs 3.0 is Debian 13's. Its package has the debugger, a display and a meter of its speed in it, which make it slower
# and its runs unequal, so it is built without.
bochs_suite=trixie
bochs_options="--with-nogui --without-x --without-x11 --disable-docbook --disable-show-ips --enable-cpu-level=6
	--enable-x86-64 --enable-vmx=2 --enable-smp --enable-avx --enable-memtype --enable-all-optimizations"

# Into the directory in which it is called. An apt of its own: this machine's sources stay as they are.
fetch_bochs() {
	local site conf
	site=$(own_mirror) || return
	conf="-o Dir::Etc::SourceList=$PWD/list -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists=$PWD/lists"
	conf+=" -o Dir::Cache=$PWD/cache -o APT::Sandbox::User=root"
	mkdir -p lists/partial cache/archives/partial
	echo "deb-src [signed-by=$key] $site $bochs_suite main" >list
	# shellcheck disable=SC2086
	apt-get -qq $conf update && apt-get -qq $conf source --tar-only bochs
}

# replace FILE WAS IS: sed's s/WAS/IS/, which has to find something.
replace() {
	grep -q "$2" "$1" && sed -i "s/$2/$3/" "$1"
}

# VM entry demands that the posted-interrupt descriptor lies at a multiple of 64 bytes (SDM 26.2.1.1), where Bochs 3.0 says
# 4096. A virtual interrupt whose delivery ends in an exit, as a page fault under shadow paging, is what the exit has to tell as
# IDT-vectoring information (SDM 28.2.4); Bochs 3.0 told the last event before it, which KVM then delivered once more.
# RDRAND gives the same numbers in every run; what does not compile without AVX-512 is left out.
mend_bochs() {
	local deliver='interrupt(vector, BX_EXTERNAL_INTERRUPT, 0, 0);'
	replace cpu/vmx.cc '! IsValidPageAlignedPhyAddr(vm->pid_addr)' '! IsValidPhyAddr(vm->pid_addr) || (vm->pid_addr \& 0x3f)' &&
		replace cpu/vapic.cc "$deliver" \
			"vm->idt_vector_info = vector | (BX_EXTERNAL_INTERRUPT << 8), vm->idt_vector_error_code = 0, $deliver" &&
		replace cpu/init.cc 'srand(time(NULL))' 'srand(1)' &&
		sed -i '/^\tavx10_2_\(cvt\|misc\)\.o\( \\\)\{0,1\}$/d' cpu/avx/Makefile.in
}

compile_bochs() {
	mkdir "$tmp/bochs" && cd "$tmp/bochs" && fetch_bochs && mkdir src &&
		tar -xf bochs_*.orig.tar.* -C src --strip-components=1 && cd src && mend_bochs || return
	# shellcheck disable=SC2086
	CXXFLAGS="-O2 -g0" ./configure $bochs_options && make -j"$(nproc)" bochs && strip bochs
}

build_bochs() {
	local dir=$cache/bochs
	say "building Bochs from Debian's source package into $dir (about 2 minutes on 2 cores)"
	(compile_bochs) >"$tmp/bochs.log" 2>&1 || {
		tail -5 "$tmp/bochs.log" >&2
		fail "Bochs cannot be built here, and the Intel lab needs it"
	}
	mkdir -p "$dir"
	mv "$tmp/bochs/src/bochs" "$dir/bochs.tmp"
	mv "$dir/bochs.tmp" "$dir/bochs"
	bochs_recipe >"$dir/bochs.recipe"
	rm -rf "$tmp/bochs"
}

# By what it was built: another recipe is another emulator.
bochs_recipe() { { declare -f fetch_bochs mend_bochs compile_bochs replace && echo "$bochs_suite $bochs_options"; } | sha256sum; }
# own_apt LINE: the options of an apt that knows one source, in the directory in which it is called.
own_apt() {
	local site
	site=$(own_mirror) || return
	mkdir -p lists/partial cache/archives/partial
	echo "${1/SITE/[signed-by=$key] $site}" >list
	echo "-o Dir::Etc::SourceList=$PWD/list -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists=$PWD/lists" \
		"-o Dir::Cache=$PWD/cache -o APT::Sandbox::User=root"
}

# Debian 12 has no CBMC: Debian 13's, with the C library that it wants, beside this machine's and not installed.
fetch_cbmc() {
	local conf
	conf=$(own_apt "deb SITE trixie main") || return
	# shellcheck disable=SC2086
	apt-get -qq $conf update && apt-get -qq $conf download cbmc libc6 libstdc++6 libgcc-s1 minisat
}

unpack_cbmc() {
	local dir=$cache/cbmc p
	mkdir "$tmp/cbmc" && cd "$tmp/cbmc" && fetch_cbmc || return
	rm -rf "$dir.tmp"
	for p in *.deb; do dpkg -x "$p" "$dir.tmp" || return; done
	cat >"$dir.tmp/cbmc" <<-end
		#!/bin/sh
		exec $dir/usr/lib64/ld-linux-x86-64.so.2 --library-path $dir/usr/lib/x86_64-linux-gnu:$dir/usr/lib $dir/usr/bin/cbmc "\$@"
	end
	chmod +x "$dir.tmp/cbmc"
	rm -rf "$dir" && mv "$dir.tmp" "$dir"
}

install_cbmc() {
	say "unpacking CBMC into $cache/cbmc (not installed into the system)"
	(unpack_cbmc) >"$tmp/cbmc.log" 2>&1 || {
		tail -5 "$tmp/cbmc.log" >&2
		fail "CBMC cannot be had here, and make proofs needs it"
	}
	rm -rf "$tmp/cbmc"
}

cbmc_ok() { command -v cbmc >/dev/null || [ -x "$cache/cbmc/cbmc" ]; }
bochs_ok() { [ -x "$cache/bochs/bochs" ] && [ "$(cat "$cache/bochs/bochs.recipe" 2>/dev/null)" = "$(bochs_recipe)" ]; }

# Xen: the packages that its metapackage leads to and the libraries that only they bring, as a tree that the lab lays over this
# machine's. In it /usr/sbin has the programs themselves instead of scripts that look for the running version.
xen_tools="xenstore-utils xen-utils-common libxencall1 libxendevicemodel1 libxenevtchn1 libxenforeignmemory1 libxengnttab1
	libxenhypfs1 libxenstore4 libxentoolcore1 libxentoollog1 libyajl2"

unpack_xen() {
	local dir=$cache/xen hypervisor version p
	hypervisor=$(apt-cache depends xen-system-amd64 | sed -n 's/.*Depends: \(xen-hypervisor-.*-amd64\)$/\1/p' | head -1)
	version=${hypervisor#xen-hypervisor-}
	version=${version%-amd64}
	[ -n "$version" ] || { echo "xen-system-amd64: no such package known to apt; run apt-get update" >&2; return 1; }
	mkdir "$tmp/xen" && cd "$tmp/xen" || return
	# shellcheck disable=SC2086
	apt-get -qq download "$hypervisor" "xen-utils-$version" "libxenmisc$version" $xen_tools || return
	rm -rf "$dir.tmp" && mkdir -p "$dir.tmp/root" || return
	for p in *.deb; do dpkg -x "$p" "$dir.tmp/root" || return; done
	for p in "$dir.tmp/root/usr/lib/xen-$version/bin"/*; do ln -sfn "../lib/xen-$version/bin/${p##*/}" "$dir.tmp/root/usr/sbin/${p##*/}"; done
	gzip -dc "$dir.tmp/root/boot/xen-$version-amd64.gz" >"$dir.tmp/xen.elf" || return
	dpkg-deb -f "$hypervisor"_*.deb Version >"$dir.tmp/version" || return
	rm -rf "$dir" && mv "$dir.tmp" "$dir"
}

install_xen() {
	say "unpacking Xen into $cache/xen (not installed into the system)"
	(unpack_xen) >"$tmp/xen.log" 2>&1 || {
		tail -5 "$tmp/xen.log" >&2
		fail "Xen cannot be had here, and the Xen lab needs it"
	}
	rm -rf "$tmp/xen"
}

# The PC of an HVM domain: Xen's build of QEMU, into the same tree with what this machine lacks of its libraries. Xen's are there.
unpack_pc() {
	local p
	mkdir "$tmp/pc" && cd "$tmp/pc" || return
	apt-get -qq -s --no-install-recommends install qemu-system-xen >plan || return
	# shellcheck disable=SC2046
	apt-get -qq download qemu-system-xen $(sed -n '/^Inst \(qemu-system-xen\|libxen\)/!s/^Inst \([^ ]*\).*/\1/p' plan) || return
	for p in *.deb; do dpkg -x "$p" "$cache/xen/root" || return; done
	dpkg-deb -f qemu-system-xen_*.deb Version >"$cache/xen/pc"
}

install_pc() {
	say "unpacking the QEMU of Xen's HVM domains into $cache/xen (not installed into the system)"
	(unpack_pc) >"$tmp/pc.log" 2>&1 || {
		tail -5 "$tmp/pc.log" >&2
		fail "qemu-system-xen cannot be had here; --lab=xen works without HVM domains"
	}
	rm -rf "$tmp/pc"
}

# Xen as Debian configures it, with shadow paging and, in what xentrace records, which of the event channels' calls it was.
compile_xen() {
	local conf suite
	suite=$(codename)
	mkdir "$tmp/xen-source" && cd "$tmp/xen-source" && conf=$(own_apt "deb-src SITE $suite main") || return
	# shellcheck disable=SC2086
	apt-get -qq $conf update && apt-get -qq $conf source --tar-only xen && mkdir src || return
	tar -xf xen_*.orig.tar.* -C src --strip-components=1 && cd src/xen || return
	replace common/trace.c '^    case __HYPERVISOR_sched_op:$' '    case __HYPERVISOR_event_channel_op:\n&' || return
	sed '/CONFIG_\(SHADOW_PAGING\|LIVEPATCH\)\b/d' "$cache"/xen/root/boot/xen-*.config >.config
	printf '%s\n' CONFIG_SHADOW_PAGING=y '# CONFIG_LIVEPATCH is not set' >>.config
	export XEN_CONFIG_EXPERT=y
	make olddefconfig && make XEN_VENDORVERSION=-exitlab -j"$(nproc)" && cp xen "$cache/xen/built.tmp" || return
	mv "$cache/xen/built.tmp" "$cache/xen/built.elf"
}

build_xen() {
	say "building Xen with shadow paging from Debian's source package into $cache/xen (about 2 minutes on 2 cores)"
	(compile_xen) >"$tmp/xen.log" 2>&1 || {
		tail -5 "$tmp/xen.log" >&2
		fail "Xen cannot be built here; --lab=xen works without shadow paging"
	}
	rm -rf "$tmp/xen-source"
}

shadow_ok() { [ -s "$cache/xen/built.elf" ]; }
pc_ok() { [ -s "$cache/xen/pc" ]; }
xen_ok() { [ -s "$cache/xen/xen.elf" ] && [ -s "$cache/xen/version" ]; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

need=$(missing_packages)
# A package that the release lacks was said once; remember it.
[ -z "$need" ] || [ ! -e "$cache/absent" ] || need=$(printf '%s\n' $need | grep -vxFf "$cache/absent" || true)
{ qemu_ok && storage_daemon_ok; } && need_qemu= || need_qemu=1
kernel_ok default && need_kernel= || need_kernel=1
{ [ -z "$newer" ] || kernel_ok newer; } && need_newer= || need_newer=1
{ [ -z "$intel" ] || bochs_ok; } && need_bochs= || need_bochs=1
{ [ -z "$xen" ] || xen_ok; } && need_xen= || need_xen=1
{ [ -z "$xen" ] || { [ -z "$need_xen" ] && pc_ok; }; } && need_pc= || need_pc=1
{ [ -z "$shadow" ] || { [ -z "$need_xen" ] && shadow_ok; }; } && need_shadow= || need_shadow=1
{ [ -z "$proofs" ] || cbmc_ok; } && need_cbmc= || need_cbmc=1
{ [ -z "$tests" ] || libvirt_user_ok; } && need_user= || need_user=1

[ -n "$need$need_qemu$need_kernel$need_newer$need_bochs$need_xen$need_pc$need_shadow$need_cbmc$need_user" ] || exit 0

if [ $mode = check ] || { [ "$(id -u)" != 0 ] && [ -n "$need$need_qemu$need_user" ]; }; then
	[ -z "$need_user" ] || say "missing: the user $libvirt_user"
	[ -z "$need$need_qemu" ] || say "missing packages:" $need ${need_qemu:+"$qemu_package (>= ${qemu_min#*:})${tests:+ and its $storage_daemon_package}"}
	[ -z "$need_kernel" ] || say "missing: the unpacked kernel in $cache/kernels"
	[ -z "$need_cbmc" ] || say "missing: CBMC in $cache/cbmc"
	[ -z "$need_bochs" ] || say "missing: the Intel lab's emulator in $cache/bochs"
	[ -z "$need_xen" ] || say "missing: the Xen lab's hypervisor in $cache/xen"
	[ -z "$need_pc" ] || say "missing: the QEMU of Xen's HVM domains in $cache/xen"
	[ -z "$need_shadow" ] || say "missing: the Xen lab's hypervisor with shadow paging in $cache/xen"
	fail "run this once as root: $PWD/setup.sh${tests:+ --tests}${newer:+ --newer}${intel:+ --intel}${xen:+ --xen${shadow:+-shadow}}${proofs:+ --proofs}"
fi
if [ -n "$need" ]; then
	install_packages "$need"
	mkdir -p "$cache"
	missing_packages >"$cache/absent"
fi
[ -z "$need_qemu" ] || install_qemu
[ -z "$need_user" ] || add_libvirt_user
[ -z "$need_kernel" ] || { [ -n "$(kernel_version plain)" ] || apt update; unpack_kernel default "$(kernel_version plain)"; }
if [ -n "$need_newer" ]; then
	add_backports
	unpack_kernel newer "$(kernel_version newer)"
fi
[ -z "$need_bochs" ] || build_bochs
[ -z "$need_xen" ] || install_xen
[ -z "$need_pc" ] || install_pc
[ -z "$need_shadow" ] || build_xen
[ -z "$need_cbmc" ] || install_cbmc
say "ready"
