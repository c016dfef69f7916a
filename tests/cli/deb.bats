# SPDX-License-Identifier: MIT
# make deb: what the package holds works where nothing but it is, and it asks for what the set-up would install.
load ../helper

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || exit 1
	export DIR TREE=$PWD
	DIR=$(mktemp -d)
	command -v dh >/dev/null || return 0
	make -s deb O="${O:-build}" >"$DIR/log" 2>&1 || { cat "$DIR/log"; exit 1; }
	dpkg -x "${O:-build}"/deb/exitlab_*.deb "$DIR/root"
}

teardown_file() {
	rm -rf "$DIR"
}

setup() {
	command -v dh >/dev/null || skip "no debhelper"
	export XDG_STATE_HOME=$BATS_TEST_TMPDIR
}

# alone COMMAND: where the checkout is not.
alone() {
	unshare -m sh -c "mount -t tmpfs none '$TREE' && cd / && exec $1" </dev/null
}

@test "without the source tree: the version says the build, doctor answers, the micro guest boots" {
	unshare -m true 2>/dev/null || skip "needs root, to hide the checkout"
	run alone "$DIR/root/usr/bin/bench --version"
	[[ "$output" == *"$(make -s -C "$TREE" version)"* ]] || { echo "$output"; false; }
	run alone "$DIR/root/usr/bin/bench doctor --json"
	[ "$status" -ne 4 ] && [[ "$output" == *'"verdict"'* ]] || { echo "$output"; false; }
	run alone "$DIR/root/usr/bin/bench sweep vmms --dry-run"
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	[ -c /dev/kvm ] || skip "no /dev/kvm"
	EXITLAB_CACHE=$BATS_TEST_TMPDIR/no-kernels run alone "$DIR/root/usr/bin/bench run boot --guest=micro --on=host --reps=1 --no-probes"
	[ "$status" -eq 0 ] || { echo "$output"; false; }
}

# packages NAME: those of setup.sh's list.
packages() {
	awk -v name="^$1=" '$0 ~ name { on = 1 } on { print } on && /"$/ { exit }' "$TREE/setup.sh" | sed 's/.*="//; s/"$//'
}

@test "debian/control asks for what setup.sh installs to build and to run" {
	local p
	for p in $(packages build_packages) $(packages run_packages); do
		case $p in build-essential | git) continue ;; esac # dpkg-dev asks for the one; the other names a checkout's build
		grep -qw -- "$p" "$TREE/debian/control" || { echo "no $p in debian/control"; false; }
	done
}
