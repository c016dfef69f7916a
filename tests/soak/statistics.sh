#!/bin/bash
# SPDX-License-Identifier: MIT
# The unit tests that simulate or kill at random, at full length: 2,000 experiments of each kind for the coverage of
# intervals, 1,000 gates and A/B comparisons, 200 series, 200 kills of a process that writes to the store.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${O:=build}"
status=0
for t in analysis_stats analysis_gate analysis_ab analysis_changepoint; do
	echo "# $t"
	EXITLAB_SOAK=1 timeout 600 "$O/tests/unit/${t}_test" 2>&1 | grep -vE '^\[' || true
	[ "${PIPESTATUS[0]}" -eq 0 ] || { echo "FAILED: $t"; status=1; }
done
echo "# store, 200 kills"
EXITLAB_SOAK=200 timeout 600 "$O/tests/unit/results_store_test" > /dev/null 2>&1 || { echo "FAILED: store"; status=1; }
exit $status
