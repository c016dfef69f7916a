# SPDX-License-Identifier: MIT
# The recipes of CONTRIBUTING.md, carried out on a copy of the tree: the skeletons that it ships become a device, a workload,
# a mode, a VMM, a probe and a figure called "recipe", are built in one go, and run.
load ../helper

setup_file() {
	export copy=$BATS_FILE_TMPDIR/tree
	mkdir -p "$copy/$O"
	git ls-files -zco --exclude-standard | xargs -0 cp -p --parents -t "$copy"
	# With what is built already: only what a recipe touches is built anew.
	for f in obj probes micro libbase.a libvmm.a libbench.a libagent.a version.h bench vmm agent lab-init vhost-user-net vhost-user-blk micro.elf micro.elf64; do
		[ ! -e "$O/$f" ] || cp -a "$O/$f" "$copy/$O/"
	done
	cd "$copy" || return 1
	git init -q .
	commit
	for recipe in device workload mode vmm probe figure; do
		"make_$recipe"
		git add -A
		git diff --cached --name-only >"$BATS_FILE_TMPDIR/$recipe"
		commit
	done
	version=$(sed 's/.*"\(.*\)"/\1/' "$O/version.h")
	make -j2 O="$O" VERSION="$version" "$O/bench" "$O/vmm" "$O/agent" "$O/micro.elf" >"$BATS_FILE_TMPDIR/log" 2>&1 || { tail -30 "$BATS_FILE_TMPDIR/log"; return 1; }
}

setup() {
	cd "$copy" || return 1
	bench=$copy/$O/bench store=$BATS_TEST_TMPDIR/store
}

commit() {
	git add -A
	git -c user.name=test -c user.email=test@localhost commit -qm tree --allow-empty
}

from() { # SKELETON NEW
	sed 's/skeleton/recipe/g; s/SKELETON/RECIPE/g' "$1" >"$2"
}

make_device() {
	from vmm/devices/skeleton.c vmm/devices/recipe.c
	echo 'X(recipe)' >>vmm/device_rows.h
}

make_workload() {
	from workloads/skeleton.c workloads/recipe.c
	from workloads/agent/skeleton.c workloads/agent/recipe.c
	echo 'X(recipe, "recipe", false, recipe)' >>workloads/rows.h
}

make_mode() {
	from bench/modes/skeleton.c bench/modes/recipe.c
	echo 'X(recipe, "recipe", 4, "what the recipe makes")' >>results/mode_rows.h
}

make_vmm() {
	from bench/vmms/skeleton.c bench/vmms/recipe.c
	echo 'X(recipe)' >>bench/vmms/rows.h
}

make_probe() {
	for f in bpf.c c h; do
		from "tests/recipes/skeleton.$f" "probes/recipe.$f"
	done
	sed -i 's|^#include "probes/reasons.h"|&\n#include "probes/recipe.h"|
		s|^\tjson_object_set_new(j, "lost"|\tjson_object_set_new(j, "recipe", recipe_to_json(p));\n&|' probes/probes.c
}

make_figure() {
	from analysis/fig_skeleton.c analysis/fig_recipe.c
	echo 'X(recipe, "recipe", 0.7, false, NULL, "What the recipe draws", "a rate", "bench run recipe")' >>analysis/figure_rows.h
}

# touches RECIPE TITLE MOST: the files that the recipe names, and no more than MOST of them.
touches() {
	local named touched
	named=$(sed -n "/^## $2\$/,/^## /s/^Files: //p" CONTRIBUTING.md | tr -d '\140' | tr ' ' '\n' | sed 's/NAME/recipe/' | sort)
	touched=$(sort "$BATS_FILE_TMPDIR/$1")
	echo "# $1: $(wc -l <<<"$touched") files: $(tr '\n' ' ' <<<"$touched")" >&3
	[ "$named" = "$touched" ] || { diff <(echo "$named") <(echo "$touched"); return 1; }
	[ "$(wc -l <<<"$touched")" -le "$3" ]
}

need_kvm() {
	[ -c /dev/kvm ] || skip "no /dev/kvm"
}

@test "a device is three files at most, and a guest boots with it" {
	touches device "A device" 3
	fails 2 "no device nothing; there are .*recipe" "$O/vmm" --kernel="$O/micro.elf" --device=nothing
	need_kvm
	timeout 60 "$O/vmm" --kernel="$O/micro.elf" --device=recipe --cmdline=workload=null --console=none --agent=stdio --mem=64M </dev/null |
		grep -q '^exitlab done'
}

@test "a workload is three files at most, and has its number" {
	touches workload "A workload" 3
	"$bench" run recipe --mode=host --on=host --duration=100ms --reps=1 --store="$store" --json |
		jq -e '.workload == "recipe" and .ok and .summary.ops_per_s.median > 1000'
}

@test "a mode is three files at most, and guests reach the peer over it" {
	touches mode "A mode" 3
	"$bench" list modes | grep -q '^recipe .*what the recipe makes'
	"$bench" run net-throughput --mode=recipe --dry-run | grep -q 'recipe/builtin'
	need_kvm
	[ "$(id -u)" -eq 0 ] && [ -c /dev/net/tun ] || skip "not root, or no /dev/net/tun"
	"$bench" run net-throughput --guest=micro --mode=recipe --on=host --no-probes --reps=1 --store="$store" --json |
		jq -e '.mode == "recipe" and .ok and .summary.throughput_bps.median > 0'
}

@test "a VMM is two files at most, and boots guests" {
	touches vmm "A VMM" 2
	fails 3 "recipe has no such device" "$bench" run net-throughput --mode=virtio --vmm=recipe --dry-run
	need_kvm
	"$bench" run null --guest=micro --vmm=recipe --on=host --no-probes --reps=1 --store="$store" --json | jq -e '.vmm == "recipe" and .ok'
}

@test "a probe is its files and its call, and counts" {
	touches probe "A probe" 4
	need_kvm
	[ "$(id -u)" -eq 0 ] || skip "not root"
	timeout 60 "$bench" profile --json -- python3 tests/vmm/bare_vm.py 1 | grep -v '^vcpu' | jq -e '.recipe.userspace > 0'
}

@test "a figure is two files at most, and is drawn" {
	touches figure "A figure" 2
	"$bench" run compute --mode=host --on=host --work=100 --reps=1 --store="$store" --json >/dev/null
	"$bench" plot last --store="$store" --figure=recipe --format=svg --out="$BATS_TEST_TMPDIR/fig"
	grep -q 'median of ops_per_s' "$BATS_TEST_TMPDIR/fig.txt"
	[ -s "$BATS_TEST_TMPDIR/fig.svg" ]
}
