# SPDX-License-Identifier: MIT
# make install: the tree works from anywhere, without the checkout it was built in and without root.
#
# boots a lab
load ../helper

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || exit 1
	# Not below the tests' own directory: that is closed to others, and one test is somebody else.
	DIR=$(mktemp -d /tmp/exitlab-install.XXXXXX)
	export DIR P=$DIR/usr
	chmod 755 "$DIR"
	make -s install O="${O:-build}" PREFIX="$P" >"$DIR/log" 2>&1 || { cat "$DIR/log"; exit 1; }
	cache=${EXITLAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/exitlab}
	KERNELS=$(readlink -f "$cache/kernels")
	export KERNELS
}

teardown_file() {
	rm -rf "$DIR"
}

setup() {
	cd /
	export XDG_STATE_HOME=$BATS_TEST_TMPDIR
	bench=$P/bin/bench
}

@test "DESTDIR is only where it is put; nothing lands outside" {
	make -s -C "$BATS_TEST_DIRNAME/../.." install O="${O:-build}" DESTDIR="$BATS_TEST_TMPDIR/root" PREFIX=/opt/exitlab
	diff <(cd "$P" && find . -type f | sort) <(cd "$BATS_TEST_TMPDIR/root/opt/exitlab" && find . -type f | sort)
	[ "$(ls "$BATS_TEST_TMPDIR/root")" = opt ]
}

@test "a run outside the checkout finds its VMM and guest; the record goes to XDG_STATE_HOME" {
	[ -c /dev/kvm ] || skip "no /dev/kvm"
	run "$bench" run null --guest=micro --on=host --reps=1 --no-probes
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	[ -n "$(find "$BATS_TEST_TMPDIR/exitlab/runs" -name record.json -size +0)" ]
	run "$bench" show last --inputs
	grep -q "$P/libexec/exitlab/vmm" <<<"$output" || { echo "$output"; false; }
	"$bench" plot last --out="$BATS_TEST_TMPDIR/figures"
}

@test "what is missing is told with the path of the installed setup.sh, which works" {
	fails 3 "no unpacked kernel in /nonexistent; run .*libexec/exitlab/setup.sh" \
		env EXITLAB_CACHE=/nonexistent "$bench" lab exec -- true
	"$P"/libexec/exitlab/setup.sh --help | grep -q -- --newer
}

@test "a man page for every command, without a complaint of groff" {
	local c
	for c in $("$bench" --help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p' | sort -u); do
		[ "$c" != bench ] || continue
		[ -s "$P/share/man/man1/bench-$c.1" ] || { echo "no page for $c"; false; }
	done
	if command -v groff >/dev/null; then
		[ -z "$(groff -man -Tutf8 -ww -z "$P"/share/man/man1/*.1 2>&1)" ]
	fi
}

# completes WANT WORD...: the last word is being typed
completes() {
	local want=$1
	shift
	PATH=$P/bin:$PATH bash -c 'compopt() { :; }; source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
		COMP_LINE=$*; COMP_POINT=${#COMP_LINE}; _bench bench "${!#}" ""; printf "%s\n" "${COMPREPLY[@]}"' \
		"$P/share/bash-completion/completions/bench" "$@" | grep -qx -e "$want"
}

@test "the completion for bash knows commands, options and workloads" {
	completes recover bench rec
	completes --mode= bench run --mo
	completes net-throughput bench run net-t
}

@test "without root, from the installed tree: a whole run in the lab" {
	unshare -m true 2>/dev/null || skip "needs root, to stop being it"
	mkdir -p "$DIR"/{kernels,cache,home}
	ln -s "$DIR/kernels" "$DIR/cache/kernels"
	chown -R nobody "$DIR/cache" "$DIR/home"
	# The kernels may be where only root can go: a mount of our own shows them.
	run timeout 150 unshare -m sh -c "
		mount --bind '$KERNELS' '$DIR/kernels' &&
		exec setpriv --reuid=nobody --regid=nogroup --clear-groups env -u XDG_STATE_HOME \
			HOME='$DIR/home' EXITLAB_CACHE='$DIR/cache' '$bench' \
			run exit-cost --guest=micro --on=lab --reps=1 --work=100 --json" </dev/null
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	grep -q '"exit_cost_ns"' <<<"$output" || { echo "$output"; false; }
	[ "$(stat -c %U "$DIR"/home/.local/state/exitlab/runs/*/record.json)" = nobody ]
}

# bare_setup OPTION...: what setup.sh says on a machine on which nothing is installed.
bare_setup() {
	mkdir -p "$DIR/bare"
	printf '#!/bin/sh\nexit 1\n' >"$DIR/bare/dpkg-query"
	chmod 755 "$DIR/bare" "$DIR/bare/dpkg-query"
	PATH="$DIR/bare:$PATH" EXITLAB_CACHE="$DIR/none" "$P/libexec/exitlab/setup.sh" "$@" 2>&1
}

@test "setup.sh asks for the browser, TeX and the linters with --tests only" {
	local p
	run bare_setup --check
	[ "$status" -eq 3 ]
	[[ "$output" == *" build-essential "* ]]
	for p in chromium texlive-latex-recommended clang-tidy bats libcmocka-dev; do
		[[ "$output" != *" $p "* ]] || { echo "$p is none of what building and running need"; false; }
	done
	run bare_setup --check --tests
	[ "$status" -eq 3 ]
	for p in build-essential gnuplot-nox chromium texlive-latex-recommended clang-tidy bats libcmocka-dev; do
		[[ "$output" == *" $p "* ]] || { echo "$p is not named"; echo "$output"; false; }
	done
	[ "${lines[-1]}" = "setup: error: run this once as root: $P/libexec/exitlab/setup.sh --tests" ]
}

@test "setup.sh builds the Intel lab's emulator when asked for only" {
	run bare_setup --check
	[[ "$output" != *Intel* ]]
	run bare_setup --check --intel
	[ "$status" -eq 3 ]
	[[ "$output" == *"missing: the Intel lab's emulator in $DIR/none/bochs"* ]]
	[ "${lines[-1]}" = "setup: error: run this once as root: $P/libexec/exitlab/setup.sh --intel" ]
}

@test "setup.sh unpacks Xen when asked for only" {
	run bare_setup --check
	[[ "$output" != *Xen* ]]
	run bare_setup --check --xen
	[ "$status" -eq 3 ]
	[[ "$output" == *"missing: the Xen lab's hypervisor in $DIR/none/xen"*"missing: the QEMU of Xen's HVM domains in $DIR/none/xen"* ]]
	[ "${lines[-1]}" = "setup: error: run this once as root: $P/libexec/exitlab/setup.sh --xen" ]
}

@test "setup.sh without root says the one command that root must run, and changes nothing" {
	unshare -m true 2>/dev/null || skip "needs root, to stop being it"
	bare_setup --check >/dev/null || true
	run setpriv --reuid=nobody --regid=nogroup --clear-groups env PATH="$DIR/bare:$PATH" EXITLAB_CACHE="$DIR/none" \
		"$P/libexec/exitlab/setup.sh"
	[ "$status" -eq 3 ]
	[ "${lines[-1]}" = "setup: error: run this once as root: $P/libexec/exitlab/setup.sh" ] || { echo "$output"; false; }
	[ ! -e "$DIR/none" ]
}

@test "make dist-bin: the programs want no library of the machine that they are unpacked on" {
	local root=$BATS_TEST_TMPDIR/root tree=$BATS_TEST_DIRNAME/../.. p
	[ "$(id -u)" = 0 ] || skip "needs root, for a root without libraries"
	mkdir "$root"
	XZ_OPT=-0 make -s -C "$tree" dist-bin O="${O:-build}"
	tar -C "$root" --strip-components=1 -xf "$tree/${O:-build}"/dist/exitlab-*.tar.xz
	[[ "$(chroot "$root" /bin/bench --version)" == *"$(make -s -C "$tree" version)"* ]]
	chroot "$root" /bin/bench list modes | grep -q virtio-blk
	for p in vmm vhost-user-net vhost-user-blk vmm-xen; do
		chroot "$root" "/libexec/exitlab/$p" --help | grep -q -- --
	done
}
