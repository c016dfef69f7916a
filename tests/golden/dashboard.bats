# SPDX-License-Identifier: MIT
# The dashboard over a synthetic store, driven in headless Chromium.
load ../helper

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || exit 1
	: "${O:=build}"
	make -s O="$O" "$O/tests/golden/gen" "$O/bench"
	"$O/tests/golden/gen" store "$BATS_FILE_TMPDIR/store" 120
	"$O/bench" -q dashboard --store "$BATS_FILE_TMPDIR/store" --out "$BATS_FILE_TMPDIR/site"
	"$O/tests/golden/gen" store "$BATS_FILE_TMPDIR/fleet-store" 60 3
	mkdir "$BATS_FILE_TMPDIR/elsewhere" "$BATS_FILE_TMPDIR/elsewhere/runs"
	EXITLAB_MACHINE=node02 "$bench" doctor --store="$BATS_FILE_TMPDIR/elsewhere" >/dev/null
	sed -i 's/"found": "[^"]*"/"found": "powersave"/' "$BATS_FILE_TMPDIR"/elsewhere/machines/node02-*.json
	"$bench" -q import "$BATS_FILE_TMPDIR/elsewhere" --store="$BATS_FILE_TMPDIR/fleet-store"
	"$bench" -q dashboard --store "$BATS_FILE_TMPDIR/fleet-store" --out "$BATS_FILE_TMPDIR/fleet"
	timeout 120 /usr/bin/python3 tests/golden/browser.py "$BATS_FILE_TMPDIR/site" "$BATS_FILE_TMPDIR/fleet" >"$BATS_FILE_TMPDIR/browser" 2>&1 || true
}

# in_browser CHECK: browser.py said ok to it.
in_browser() {
	if grep -q "^no Chromium" "$BATS_FILE_TMPDIR/browser"; then
		skip "no Chromium here (Debian: chromium)"
	fi
	grep -qx "ok $1" "$BATS_FILE_TMPDIR/browser" || { cat "$BATS_FILE_TMPDIR/browser"; return 1; }
}

@test "pages load within 2 s" { in_browser loads_quickly; }
@test "several machines: filter by machine" { in_browser machine_filter; }
@test "a machine's page: its speed and drift, its noise, what doctor found there" { in_browser machine_page; }
@test "overview: filter by text and by verdict" { in_browser overview_filters; }
@test "overview: by keyboard" { in_browser overview_keyboard; }
@test "history: hover shows run and build, and links the record" { in_browser hover; }
@test "history: drag, double click and buttons zoom" { in_browser zoom; }
@test "history: by keyboard" { in_browser keyboard; }
@test "history: the known change is marked once, exits over time are drawn" { in_browser change_is_marked; }
@test "dark when the system is, light when asked" { in_browser dark_mode; }
@test "a phone's width: nothing sticks out" { in_browser narrow; }
@test "no request leaves file://" { in_browser stays_on_disk; }
@test "no console error" { in_browser quiet; }

@test "the new slowdown is flagged worse, the old gain has become the level" {
	run grep -o 'data-verdict="[a-z]*" data-text="net-throughput [a-z0-9-]*, builtin (host) throughput_bps' "$BATS_FILE_TMPDIR/site/index.html"
	[[ "$output" == *'"worse" data-text="net-throughput vhost, builtin'* ]]
	[[ "$output" == *'"steady" data-text="net-throughput e1000, builtin'* ]]
	[ "$(grep -c worse <<<"$output")" -eq 1 ]
	grep -q '▼ -[56]\.[0-9] % worse since 2024-01-25' "$BATS_FILE_TMPDIR/site/index.html"
}

@test "bench accept ends the flag" {
	cp -r "$BATS_FILE_TMPDIR/store" "$BATS_TEST_TMPDIR/store"
	"$bench" accept --help >/dev/null 2>&1 || skip "no bench accept in this build"
	id=$(grep -o '"i":72,' -m1 "$BATS_FILE_TMPDIR"/site/s/net-throughput-vhost-builtin-throughput_bps-*.html | head -1)
	[ -n "$id" ]
	run=$(cd "$BATS_TEST_TMPDIR/store/runs" && printf '%s\n' *-000483)
	"$bench" -q accept --store "$BATS_TEST_TMPDIR/store" "$run" throughput_bps --why "known price of a fix"
	"$bench" -q dashboard --store "$BATS_TEST_TMPDIR/store" --out "$BATS_TEST_TMPDIR/site" --metric throughput_bps
	none grep -q 'data-verdict="worse"' "$BATS_TEST_TMPDIR/site/index.html"
	grep -q 'level accepted: known price of a fix' "$BATS_TEST_TMPDIR"/site/s/net-throughput-vhost-builtin-throughput_bps-*.html
}

@test "its own false-alarm rate is shown and small" {
	run grep -o 'false-alarm rate: [0-9]* of the newest [0-9]* pairs' "$BATS_FILE_TMPDIR/site/index.html"
	[[ "$output" =~ ([0-9]+)\ of\ the\ newest\ ([0-9]+) ]]
	[ "${BASH_REMATCH[2]}" -eq 100 ]
	[ "${BASH_REMATCH[1]}" -le 8 ]
}

@test "an empty store and an unknown metric" {
	"$bench" -q dashboard --store "$BATS_TEST_TMPDIR/none" --out "$BATS_TEST_TMPDIR/site"
	grep -q "No runs yet" "$BATS_TEST_TMPDIR/site/index.html"
	fails 2 "no such metric" "$bench" dashboard --store "$BATS_TEST_TMPDIR/none" --metric speed
}

@test "--since leaves older runs out" {
	"$bench" -q dashboard --store "$BATS_FILE_TMPDIR/store" --out "$BATS_TEST_TMPDIR/site" --since 2024-02
	grep -q "of 246 runs" "$BATS_TEST_TMPDIR/site/index.html" || { grep -o "series of [0-9]* runs" "$BATS_TEST_TMPDIR/site/index.html"; false; }
}

@test "bench nightly: a slip in the last plan stops it before the first one boots" {
	printf '[a]\nworkload=boot\n[b]\nworkload=net-throughput\nmode=vhots\n' >"$BATS_TEST_TMPDIR/bad.ini"
	run "$bench" nightly "$BATS_TEST_TMPDIR/bad.ini" --store "$BATS_TEST_TMPDIR/none" --out "$BATS_TEST_TMPDIR/site"
	[ "$status" -eq 2 ]
	[[ "$output" == *"did you mean vhost"* ]]
	[[ "$output" == *"[b] is not a plan"*"nothing was run"* ]]
	[ ! -e "$BATS_TEST_TMPDIR/site" ] && [ ! -e "$BATS_TEST_TMPDIR/none/runs" ]
}

@test "bench nightly: the example is sound, and --no-run still refreshes the site" {
	"$bench" -q nightly docs/examples/nightly.ini --no-run --store "$BATS_FILE_TMPDIR/store" --out "$BATS_TEST_TMPDIR/site"
	[ -s "$BATS_TEST_TMPDIR/site/index.html" ]
}

@test "bench nightly: Ctrl-C ends the run, keeps its samples, builds the site and stops" {
	[ -w /dev/kvm ] || skip "no /dev/kvm here"
	"$bench" run exit-cost --guest=micro --on=host --dry-run >/dev/null || skip "no micro guest on this host"
	printf '[a]\nworkload=exit-cost\nguest=micro\non=host\nreps=40\n[b]\nworkload=boot\n' >"$BATS_TEST_TMPDIR/n.ini"
	cat >"$BATS_TEST_TMPDIR/run" <<-END
		trap 'echo stays' INT
		"$bench" nightly "$BATS_TEST_TMPDIR/n.ini" --store "$BATS_TEST_TMPDIR/store" --out "$BATS_TEST_TMPDIR/site"
		echo "status \$?"
	END
	setsid bash "$BATS_TEST_TMPDIR/run" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	group=$!
	for _ in $(seq 100); do
		grep -q '^\[2/40\]' "$BATS_TEST_TMPDIR/out" && break
		sleep 0.2
	done
	kill -INT -- "-$group"
	wait "$group" || true
	cat "$BATS_TEST_TMPDIR/out"
	grep -q "status 130" "$BATS_TEST_TMPDIR/out"
	grep -q "index.html: " "$BATS_TEST_TMPDIR/out"
	none grep -q '\[b\]' "$BATS_TEST_TMPDIR/out"
	[ -s "$BATS_TEST_TMPDIR/site/index.html" ]
	[ "$(ls "$BATS_TEST_TMPDIR/store/runs" | wc -l)" -eq 1 ]
}
