# SPDX-License-Identifier: MIT
# Records of strangers and of hostile guests through the command line: class 20 of docs/robustness.md.
load ../helper

setup() {
	store=$BATS_TEST_TMPDIR/store
	pwned=$BATS_TEST_TMPDIR/pwned
}

# record ID: a run whose names and texts ask for $pwned to be made, for scripts, for terminals.
record() {
	jq -n --arg id "$1" --arg cmd "touch $pwned" '
		("`" + $cmd + "`") as $run | ("\"; system(\"" + $cmd + "\")\n!" + $cmd + "\n") as $out |
		{schema: 1, id: $id, started: "2026-03-14T09:26:53Z", workload: "exit-cost", mode: ("virtio" + $run),
		 vmm: ("builtin" + $out), guest: "micro", substrate: "host", time_base: "real", ok: true,
		 knobs: {("k" + $run): ("v" + $run)}, params: {duration_ns: 2000000000, reps: 6},
		 exits: [{reason: ("npf" + $run), key: ("k" + $out), count: 9, total_ns: 900, p50_ns: 90, p99_ns: 200,
			  kvm_ns: 300, user_ns: 300, kvm_fast_ns: 300}],
		 samples: [range(6) | {ok: true, metrics: {exit_cost_ns: (100 + .)},
			   hists: {("exit_cost_ns.cpuid" + $run): {count: 3, sum: 300, min: 90, max: 110, slots: [[90, 3]]}}}],
		 summary: ({median: 102, ci_low: 101, ci_high: 104, n: 6} as $s | {exit_cost_ns: $s,
			   "exit_cost_ns.<script/src=pwned>pwned</script>": $s, "exit_cost_ns.\"onload=pwned x=\"": $s})}' >"$BATS_TEST_TMPDIR/$1.json"
	"$bench" import "$BATS_TEST_TMPDIR/$1.json" --store "$store" >/dev/null
}

@test "what names say is drawn, not run" {
	record a-1
	"$bench" plot a-1 --figure=all --format=svg --out="$BATS_TEST_TMPDIR/figures" --store "$store"
	"$bench" report a-1 --out="$BATS_TEST_TMPDIR/report.html" --store "$store"
	ls "$BATS_TEST_TMPDIR"/figures/*.svg
	none grep -l '`' "$BATS_TEST_TMPDIR"/figures/*.gp
	[ ! -e "$pwned" ]
}

# Python's tables are another's opinion of what is no character to print.
printable() {
	"$@" | python3 -c '
import sys, unicodedata
for n, c in enumerate(sys.stdin.buffer.read().decode()):
    assert c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp"), (n, c)'
}

@test "a terminal is told nothing: list, show, compare, rerun" {
	record a-1
	attack=$(printf '\e]0;x\a\e[31m\xc2\x9b31m\nok 2\r\xe2\x80\xae\xd8\x9c')
	for id in a-2 a-3; do
		jq --arg id $id --arg bad "$attack" 'def spoil: . + $bad;
			.id = $id | (.workload, .mode, .vmm, .guest, .exits[].reason, .exits[].key) |= spoil |
			.ok = false | .error = "x" | .samples[0] |= {ok: false, error: ("no" | spoil)} |
			.checks = [{name: ("c" | spoil), ok: false, detail: ("d" | spoil)}] | .plan = {id: $id, cell: ("p" | spoil)} |
			.inputs = [{name: ("i" | spoil), path: ("/i" | spoil), build: "b", sha256: ("0" | spoil), version: ("v" | spoil)}] |
			.environment = {kernel: ("k" + $id | spoil), cpu: ("q" | spoil)} | .params.note = $bad |
			.knobs = {("k" | spoil): ("v" | spoil)}' "$BATS_TEST_TMPDIR/a-1.json" >"$BATS_TEST_TMPDIR/$id.json"
		"$bench" import "$BATS_TEST_TMPDIR/$id.json" --store "$store" >/dev/null
	done
	printable "$bench" list runs --store "$store"
	printable "$bench" show a-2 --samples --inputs --all --store "$store"
	printable "$bench" compare a-2 a-3 --force --store "$store"
	printable "$bench" rerun a-2 --dry-run --store "$store"
}

@test "pages hold what names say as text" {
	record a-1
	"$bench" dashboard --out="$BATS_TEST_TMPDIR/site" --store "$store"
	"$bench" report a-1 --out="$BATS_TEST_TMPDIR/report.html" --store "$store"
	grep -q 'pwned' "$BATS_TEST_TMPDIR/site/index.html"
	# Python's parser is another's opinion of what an element and an attribute is.
	python3 - "$BATS_TEST_TMPDIR"/site/*.html "$BATS_TEST_TMPDIR"/site/s/*.html "$BATS_TEST_TMPDIR/report.html" <<-'END'
		import html.parser, sys
		class Page(html.parser.HTMLParser):
		    raw = None
		    def handle_starttag(self, tag, attrs):
		        self.raw = tag if tag in ("script", "style") and ("type", "application/json") not in attrs else None
		        assert "pwned" not in tag and not any("pwned" in k or k.startswith("on") for k, v in attrs), (tag, attrs)
		        assert not any(k == "src" and "pwned" in (v or "") for k, v in attrs), (tag, attrs)
		    def handle_data(self, data):
		        assert self.raw is None or "pwned" not in data, data
		    def handle_endtag(self, tag):
		        self.raw = None
		for name in sys.argv[1:]:
		    Page().feed(open(name).read())
	END
}

@test "gnuplot has no privileges, and the figure is where it was asked for" {
	[ "$(id -u)" -eq 0 ] || skip "not root: there is nothing to give up"
	mkdir -m 755 "$BATS_TEST_TMPDIR/bin"
	chmod 755 "$BATS_FILE_TMPDIR" "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR"
	cat >"$BATS_TEST_TMPDIR/bin/gnuplot" <<-'END'
		#!/bin/sh
		{ id -u; id -G; grep -E '^(CapEff|NoNewPrivs):' /proc/self/status; } >"${1%.gp}.svg"
	END
	chmod 755 "$BATS_TEST_TMPDIR/bin/gnuplot"
	record a-1
	mkdir -m 700 "$BATS_TEST_TMPDIR/mine"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH "$bench" plot a-1 --figure=exit-cost --format=svg \
		--out="$BATS_TEST_TMPDIR/mine/x.svg" --store "$store"
	run cat "$BATS_TEST_TMPDIR/mine/x.svg"
	echo "$output"
	[ "$output" = $'65534\n65534\nCapEff:\t0000000000000000\nNoNewPrivs:\t1' ]
	[ "$(stat -c %u "$BATS_TEST_TMPDIR/mine/x.svg")" -eq 0 ]

	# A link for a drawing would have root copy what it leads to.
	printf '#!/bin/sh\nln -s /etc/shadow "${1%%.gp}.svg"\n' >"$BATS_TEST_TMPDIR/bin/gnuplot"
	rm "$BATS_TEST_TMPDIR/mine/x.svg"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH fails 3 "cannot be kept" "$bench" -q plot a-1 --figure=exit-cost --format=svg \
		--out="$BATS_TEST_TMPDIR/mine/x.svg" --store "$store"
	[ ! -e "$BATS_TEST_TMPDIR/mine/x.svg" ]
	[ -z "$(find /tmp -maxdepth 1 -name 'exitlab-gnuplot-*' -newer "$BATS_TEST_TMPDIR/bin/gnuplot")" ]
}
