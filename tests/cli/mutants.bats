# SPDX-License-Identifier: MIT
# The table of tests/mutate follows the sources (make mutants runs it; too long for here).
load ../helper

@test "every row of tests/mutate finds the check that it takes out" {
	run tests/mutate -d
	echo "$output"
	[ "$status" -eq 0 ]
}
