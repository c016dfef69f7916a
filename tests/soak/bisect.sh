#!/bin/bash
# SPDX-License-Identifier: MIT
# bench bisect finds the built-in slowdown in a history of 64 commits, at a place that is drawn. REAL=1: by doorbells of the
# micro guest on this host's KVM, two minutes; else in virtual time, by exact counts, ten minutes on 2 cores.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${O:=build}"
: "${REAL:=}"
bench=$PWD/$O/bench
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# Each commit changes the program a little; from number $bad on netq.h has the slowdown whatever make is told.
bad=$((RANDOM % 62 + 2))
git clone -q --no-hardlinks . "$dir/repo"
cd "$dir/repo" || exit 1
git config user.email a@example.org
git config user.name a
for i in $(seq 0 64); do
	printf '// SPDX-License-Identifier: MIT\nconst char commit_number[] = "%02d"; extern const char commit_number[];\n' "$i" >vmm/core/commit_number.c
	[ "$i" -ne "$bad" ] || sed -i 's/^#ifdef EXITLAB_SLOWDOWN/#if 1/' vmm/devices/virtio_net/netq.h
	git add -A
	git commit -qm "number $i"
	[ "$i" -eq 0 ] && good=$(git rev-parse HEAD)
	[ "$i" -eq "$bad" ] && wanted=$(git rev-parse HEAD)
done

if [ -n "$REAL" ]; then
	plan=(--metric=guest_kicks -- net-throughput --guest=micro --on=host)
else
	plan=(-- net-throughput --guest=micro --deterministic)
fi
start=$SECONDS
"$bench" bisect "$good" HEAD --build="make -s -j$(nproc) WERROR=0 CC='$(command -v ccache) gcc' build/vmm build/vhost-user-net" \
	"${plan[@]}" --store="$dir/store" 2>"$dir/log" | tee "$dir/out"
status=${PIPESTATUS[0]}
tail -5 "$dir/log"
echo "# number $bad: status $status after $((SECONDS - start)) s"
if [ "$status" -ne 0 ] || ! grep -q "^first bad commit: $wanted number $bad\$" "$dir/out"; then
	echo "FAILED: not found"
	exit 1
fi
[ "$(git worktree list | wc -l)" -eq 1 ] || { echo "FAILED: a worktree is left"; exit 1; }
