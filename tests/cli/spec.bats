# SPDX-License-Identifier: MIT
# SPECIFICATION.md names tests that are there, and its check notices when they are not.
load ../helper
bats_require_minimum_version 1.5.0

@test "every promise names a test that is there, or says that none holds it" {
	run -0 tests/spec
	[ "$(grep -cE '^[0-9]+\.[0-9]+ ' <<<"$output")" -eq "$(grep -cE '^\| [0-9]+\.[0-9]+ \|' SPECIFICATION.md)" ]
	run -0 tests/spec --untested
	none grep -v 'NO TEST (' <<<"$output"
}

@test "a test that has gone, a row without any, and one number twice are errors" {
	page=$BATS_TEST_TMPDIR/page.md
	printf '| 1.1 | a | `tests/cli/spec.bats: has gone, a row` |\n' >"$page"
	run -0 tests/spec "$page"
	printf '| 1.2 | b | `tests/cli/spec.bats: %s%s` |\n' never was >>"$page"
	run -1 tests/spec "$page"
	[[ "$output" == *"1.2  MISSING: tests/cli/spec.bats: never"* ]]
	printf '| 1.1 | a | |\n' >"$page"
	run -1 tests/spec "$page"
	printf '| 1.1 | a | none: why |\n| 1.1 | b | none: why |\n' >"$page"
	run -1 tests/spec "$page"
	[[ "$output" == *"twice: "*1.1* ]]
}

@test "what is tested is counted" {
	run -0 tests/count
	[ "$(awk '$1 == 0' <<<"$output")" = "" ]
	[ "$(wc -l <<<"$output")" -ge 10 ]
}
