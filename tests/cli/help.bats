#!/usr/bin/env bats
# The texts made from the tables of options: reference, man pages, completion.
load ../helper

# The words that bash would offer after LINE, whose last word may be unfinished.
complete_line() { # WORD...
	bash -c '
		PATH=$1:$PATH
		. <(bench help --completion)
		compopt() { :; }
		shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_bench bench "${COMP_WORDS[COMP_CWORD]}"
		printf "%s\n" "${COMPREPLY[@]}"' - "$(dirname "$bench")" "$@"
}

@test "docs/reference.md is what the tables say" {
	"$bench" help --markdown >"$BATS_TEST_TMPDIR/reference.md"
	diff -u docs/reference.md "$BATS_TEST_TMPDIR/reference.md" ||
		{ echo "run: build/bench help --markdown > docs/reference.md"; false; }
}

@test "a man page for every command, without a complaint of groff" {
	"$bench" help --man="$BATS_TEST_TMPDIR/man"
	[ -s "$BATS_TEST_TMPDIR/man/bench.1" ]
	for c in $("$bench" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p'); do
		[ -s "$BATS_TEST_TMPDIR/man/bench-$c.1" ]
	done
	command -v groff >/dev/null || skip "no groff"
	[ -z "$(groff -man -Tutf8 -ww "$BATS_TEST_TMPDIR"/man/*.1 2>&1 >/dev/null)" ]
}

@test "completion: commands, workloads, options and their values" {
	[[ "$(complete_line bench ru)" == run ]]
	[[ "$(complete_line bench run net-th)" == net-throughput ]]
	[[ "$(complete_line bench run --determ)" == --deterministic ]]
	[[ "$(complete_line bench run --mode = vhost-user- )" == vhost-user-blk ]]
	[[ "$(complete_line bench run --set = ring)" == ring= ]]
	[[ "$(complete_line bench plot --format = p)" == *pdf*png* ]]
	[[ "$(complete_line bench plot --figure = latency-c)" == latency-cdf ]]
	[[ "$(complete_line bench list wor)" == workloads ]]
}
