# SPDX-License-Identifier: MIT
# Sourced by every .bats file: paths, and a store of the test's own.
cd "$BATS_TEST_DIRNAME/../.." || exit 1
: "${O:=build}"
bench=$PWD/$O/bench
vmm=$PWD/$O/vmm
export NO_COLOR=1

# none CMD...: the command fails. A bare "! CMD" does not end a test unless it is the last one.
none() {
	! "$@"
}

# fails STATUS PATTERN CMD...: the command ends with STATUS, and one line on stderr matches PATTERN.
fails() {
	local want=$1 pattern=$2 status=0 err
	shift 2
	err=$("$@" 2>&1 >/dev/null </dev/null) || status=$?
	if [ "$status" -ne "$want" ] || ! grep -qE "$pattern" <<<"$err" || [ "$(grep -c . <<<"$err")" -ne 1 ]; then
		echo "status $status (want $want), stderr: $err (want one line like $pattern)"
		return 1
	fi
}
