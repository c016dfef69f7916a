# SPDX-License-Identifier: MIT
# Every command of the README and of docs/ is run, in the lab, with one boot where the text says more.
load ../helper

# A command that starts a lab of its own cannot run inside one: those are run by the cli tier.
runs_here() {
	[[ $1 != *" lab "* && $1 != *--lab=* && $1 != *--deterministic* && $1 != *"bench nightly"* && $1 != *"dashboard serve"* && $1 != *sweep* && $1 != *gate* ]]
}

@test "every command in README.md and docs/ works" {
	export XDG_STATE_HOME=/tmp/docs-state PATH=$PWD/$O:$PATH
	mkdir -p /tmp/docs && cd /tmp/docs
	local failed=0 n=0
	"$bench" run net-throughput --mode=host --reps=1 --duration=1s >/dev/null 2>&1 # the README starts after make demo
	while read -r command; do
		runs_here "$command" || continue
		n=$((n + 1))
		echo "# $command" >&3
		(cd "$BATS_TEST_DIRNAME/../.." && timeout 600 bash -c "${command//--out=/--out=/tmp/docs/}" </dev/null) >/tmp/docs/log 2>&1 ||
			{ failed=$((failed + 1)); echo "FAILED ($?): $command"; tail -5 /tmp/docs/log; }
	done < <("$BATS_TEST_DIRNAME/../docs-commands" "$BATS_TEST_DIRNAME"/../../README.md "$BATS_TEST_DIRNAME"/../../docs/*.md)
	echo "$n commands run, $failed failed"
	[ "$n" -ge 12 ] && [ $failed -eq 0 ]
}
