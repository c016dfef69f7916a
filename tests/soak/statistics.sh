#!/bin/bash
# SPDX-License-Identifier: MIT
# The unit tests that simulate or kill at random, at full length, with these bars (each is asserted, and fails the script):
#
#   analysis_stats        2,000 experiments of each kind: intervals cover 93 to 97 %
#   analysis_compare      1,000 comparisons: half of one among 40 metrics is caught with 7 boots in 99 %; "detectable" in 68 to 92 %
#   analysis_gate         1,000 A/A gates: at most 1 % trip, at most 5 % with 2 % between runs and 20 A/A pairs; 5 % slower is caught
#   analysis_ab           1,000 A/B comparisons of equal sides under drifts and correlation: at most 1 % get a verdict; 10 % slower is found
#   analysis_changepoint  1,000 series of AR(1) 0.5: at most 5 % have a false level; a step of 3 sigma in 100 points is found in 90 %
#   results_store         200 kills of a process that writes to the store
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${O:=build}"
status=0
for t in analysis_stats analysis_compare analysis_gate analysis_ab analysis_changepoint; do
	echo "# $t"
	(ulimit -t 1200; EXITLAB_SOAK=1 exec "$O/tests/unit/${t}_test" 2>&1) | { grep -vE '^\[' || true; }
	[ "${PIPESTATUS[0]}" -eq 0 ] || { echo "FAILED: $t"; status=1; }
done
echo "# store, 200 kills"
EXITLAB_SOAK=200 timeout 600 "$O/tests/unit/results_store_test" > /dev/null 2>&1 || { echo "FAILED: store"; status=1; }
exit $status
