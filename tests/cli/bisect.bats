# SPDX-License-Identifier: MIT
# bench bisect over a history whose builds are scripts around our VMM, with the micro guest on this host's KVM.
load ../helper
bats_require_minimum_version 1.5.0

setup() {
	[ -w /dev/kvm ] || skip "no /dev/kvm"
	store=$BATS_TEST_TMPDIR/store
	repo=$BATS_TEST_TMPDIR/repo
	mkdir -p "$repo" "$BATS_TEST_TMPDIR/cache"
	ln -s "${EXITLAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/exitlab}/kernels" "$BATS_TEST_TMPDIR/cache/kernels"
	export EXITLAB_JOURNAL_DIR=$BATS_TEST_TMPDIR/journal EXITLAB_CACHE=$BATS_TEST_TMPDIR/cache
	git -C "$repo" init -q
	git -C "$repo" config user.email a@example.org
	git -C "$repo" config user.name a
	printf 'build/vmm: vmm.sh\n\tmkdir -p build; cp vmm.sh build/vmm; chmod +x build/vmm\nbuild/vhost-user-net:\n' >"$repo/Makefile"
	echo build >"$repo/.gitignore"
}

# commit NAME FROM TO: a VMM that is told TO where we say FROM.
commit() {
	printf '#!/bin/bash\nexec %q "${@//%s/%s}" # %s\n' "$vmm" "$2" "$3" "$1" >"$repo/vmm.sh"
	git -C "$repo" add -A
	git -C "$repo" commit -qm "$1"
}

is_undone() {
	[ "$(git -C "$repo" worktree list | wc -l)" -eq 1 ]
	[ -z "$(ls "$EXITLAB_CACHE/bisect")" ]
	[ -z "$(ls "$EXITLAB_JOURNAL_DIR")" ]
}

# bisect STATUS GOOD BAD: over the exits that a kick is when it is none of an eventfd's.
bisect() {
	run "-$1" --separate-stderr "$bench" bisect "$2" "$3" --repo "$repo" --metric=userspace_exits --limit=14 --json -- \
		net-throughput --guest=micro --on=host --set ioeventfd=on --store="$store"
	echo "$output" >"$BATS_TEST_TMPDIR/json"
}

@test "the first bad one of four commits" {
	commit zero nothing nothing
	commit one nothing nothing
	commit two ioeventfd=on ioeventfd=off
	commit three ioeventfd=on ioeventfd=off
	commit four ioeventfd=on ioeventfd=off
	bisect 0 HEAD~4 HEAD
	json 'j["metric"] == "userspace_exits" and [c["state"] for c in j["commits"]] == ["good", "bad", "untried", "bad"]'
	json 'j["first_bad"] == j["commits"][1]["id"] and j["commits"][1]["subject"] == "two"'
	json 'j["commits"][1]["value"] >= 2 * j["commits"][1]["of_good"]'
	is_undone
}

@test "one that does not build is skipped: then it is that or the next" {
	commit zero nothing nothing
	printf 'build/vmm:\n\tfalse\n' >"$repo/Makefile"
	commit one nothing nothing
	git -C "$repo" checkout -q HEAD~1 -- Makefile
	commit two ioeventfd=on ioeventfd=off
	bisect 125 HEAD~2 HEAD
	json '[c["state"] for c in j["commits"]] == ["skipped", "bad"] and j["first_bad"] is None'
	[[ "$stderr" == *"one: skipped (it does not build)"* ]]
}

@test "killed: the worktree goes at the next start, after Ctrl-C at once" {
	commit zero nothing nothing
	printf 'build/vmm:\n\ttouch %q; sleep 100\n' "$BATS_TEST_TMPDIR/building" >"$repo/Makefile"
	commit one nothing nothing
	commit two nothing nothing
	for sig in INT KILL; do
		rm -f "$BATS_TEST_TMPDIR/building"
		setsid "$bench" -q bisect HEAD~1 HEAD --repo "$repo" -- boot --guest=micro --store="$store" 3>&- &
		pid=$!
		until [ -e "$BATS_TEST_TMPDIR/building" ]; do
			kill -0 "$pid"
			sleep 0.05
		done
		[ "$(git -C "$repo" worktree list | wc -l)" -eq 2 ]
		if [ "$sig" = INT ]; then
			kill -INT -- "-$pid"
			wait "$pid" || [ $? -eq 130 ]
		else
			kill -KILL -- "-$pid"
			wait "$pid" || [ $? -eq 137 ]
			"$bench" -q recover
		fi
		is_undone
	done
}

@test "what is no history is refused in a line" {
	commit zero nothing nothing
	commit one nothing nothing
	fails 2 'expected GOOD BAD -- WORKLOAD' "$bench" bisect HEAD~1 --repo "$repo" -- boot
	fails 2 'expected GOOD BAD -- WORKLOAD' "$bench" bisect HEAD~1 HEAD --repo "$repo"
	fails 2 'nosuch is no commit of' "$bench" bisect nosuch HEAD --repo "$repo" -- boot
	fails 2 'HEAD is no ancestor of HEAD~1' "$bench" bisect HEAD HEAD~1 --repo "$repo" -- boot
	[ "$(git -C "$repo" worktree list | wc -l)" -eq 1 ]
}
