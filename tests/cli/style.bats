# SPDX-License-Identifier: MIT
# tests/style/style: this tree keeps its rules, and each rule finds a deliberate breach of it.
load ../helper

# breach FINDING RULE PATH <<TEXT: in a tree that has only this file, the rule finds just this.
breach() {
	local found
	mkdir -p "$BATS_TEST_TMPDIR/tree/$(dirname "$3")"
	cat >"$BATS_TEST_TMPDIR/tree/$3"
	run tests/style/style --root="$BATS_TEST_TMPDIR/tree" "$2"
	found=$(grep "^[a-z/]*[a-z]\(\.[ch]\)\{0,1\}:[0-9]*: " <<<"$output" || true)
	rm -f "$BATS_TEST_TMPDIR/tree/$3"
	# shellcheck disable=SC2053 # a pattern
	[ "$status" -eq $((${#1} > 0)) ] && [[ $found == $1 ]] || { echo "found: $found"; echo "want: $1"; return 1; }
}

# lines N: as many lines, which say nothing
lines() {
	yes ';' | head -n "$1"
}

setup() {
	mkdir -p "$BATS_TEST_TMPDIR"/tree/{base,results,analysis,vmm,tests/style}
	printf '%s\n' 'base' 'results base' 'analysis results' 'vmm base results/import.h' \
		>"$BATS_TEST_TMPDIR/tree/tests/style/arrows"
	touch "$BATS_TEST_TMPDIR/tree/results/import.h"
	: >"$BATS_TEST_TMPDIR/tree/tests/style/state"
}

@test "this tree keeps its rules" {
	run tests/style/style
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "width: a long line, blanks at its end, and blanks where a tab belongs; a long message may be" {
	breach 'base/a.c:1: 122 columns;*' width base/a.c <<<"$(printf '\tint a;%0108d' 0)"
	breach 'base/a.c:1: blanks at the end' width base/a.c <<<"int a; "
	breach 'base/a.c:1: indented with blanks' width base/a.c <<<"        int a;"
	breach '' width base/a.c <<<"$(printf '\tlog_error("%0120d");' 0)"
}

@test "arrows: upwards, sideways, past the one header that is let in, in a circle" {
	breach 'base/a.c:1: base may not include results/store.h: *' arrows base/a.c <<<'#include "results/store.h"'
	breach 'base/a.c:1: *' arrows base/a.c <<<'  #  include "analysis/stats.h" /* a blank is no hiding place */'
	breach 'vmm/a.c:1: vmm may not include results/store.h: *' arrows vmm/a.c <<<'#include "results/store.h"'
	breach '' arrows vmm/a.c <<<'#include "results/import.h"'
	breach '' arrows analysis/a.c <<<'#include "base/log.h"'
	breach '' arrows analysis/a.c <<<'/* #include "vmm/core.h" */'
	echo 'base analysis' >>"$BATS_TEST_TMPDIR/tree/tests/style/arrows"
	breach 'tests/style/arrows:?: base may include itself by way of others: a circle*' arrows base/a.c </dev/null
}

@test "choice: two in a statement, one inside another, an err that is kept, too many of them" {
	breach 'base/a.c:1: 2 conditional expressions in one statement' choice base/a.c <<<"int f(int a) { g(a ? 1 : 2, a ? 3 : 4); }
$(lines 300)"
	breach 'base/a.c:1: a conditional expression inside another: if, or a function of its own' choice base/a.c \
		<<<"int f(int a) { return a ? 1 : b ? 3 : 4; }
$(lines 300)"
	breach 'base/a.c:1: err kept by a conditional expression: if (!err)' choice base/a.c <<<"int f(int a) { err = err ? err : f(a); }
$(lines 300)"
	breach 'base/a.c:1: err kept by a conditional expression: if (!err)' choice base/a.c <<<"int f(int a) { return err ? err : f(a); }
$(lines 300)"
	breach 'base:0: 1 conditional expressions in 1 lines, more than 10 per 1,000' choice base/a.c <<<"int f(int a) { return a ? 1 : 2; }"
	breach '' choice base/a.c <<<"int f(void) { g('?', \"?\"); } /* ? */ // ?"
}

@test "function: a long one, a median that is too long, a static one whose name is a verb alone" {
	breach 'base/a.c:1: f has 62 lines, more than 60*half of the functions*' function base/a.c <<<"int f(void)
{$(lines 60)
}"
	breach 'all:0: half of the functions are longer than 13 lines' function base/a.c <<<"int f(void)
{$(lines 12)
}"
	breach 'base/a.c:1: measure: what? *' function base/a.c <<<'static int measure(void) { return 0; }'
	breach '' function base/a.c <<<'static int measure_link(void) { return 0; } int measure(void) { return 0; }'
}

@test "state: at file scope, in a function, in a list, behind a pointer; what is constant is none; a row too many" {
	breach 'base/a.c:1: count changes*' state base/a.c <<<'static unsigned count;'
	breach 'base/a.c:1: ready changes*' state base/a.c <<<'bool ready = true;'
	breach 'base/a.c:1: at changes*' state base/a.c <<<'int f(void) { static struct place at[3]; return at[0].x; }'
	breach 'base/a.c:1: b changes*' state base/a.c <<<'static const char *const a = "a", *b;'
	breach 'base/a.c:1: one changes*' state base/a.c <<<'static struct { int a; } one;'
	breach 'base/a.c:1: two changes*' state base/a.c <<<'static char two[2] __attribute__((aligned(8)));'
	breach '' state base/a.c <<<'static const int a[] = {1, 2}; extern int b; struct c { int d; }; typedef int e; int g(int h); enum i { J = 1 };'
	echo 'base/a.c gone' >"$BATS_TEST_TMPDIR/tree/tests/style/state"
	breach 'tests/style/state:1: base/a.c has no such gone any more: *' state base/a.c </dev/null
}

@test "opening: a file without a header of its own says what it is" {
	breach 'base/a.c:1: has no header of its own: *' opening base/a.c <<<'// SPDX-License-Identifier: MIT
#include "base/log.h"'
	breach '' opening base/a.c <<<'// SPDX-License-Identifier: MIT
/* What it is. */
#include "base/log.h"'
	touch "$BATS_TEST_TMPDIR/tree/base/a.h"
	breach '' opening base/a.c <<<'#include "base/log.h"'
}
