# SPDX-License-Identifier: MIT
# Figures and reports as files: fonts, text, re-running by hand. What they draw is held by tests/unit/analysis_figures_test.c.
load ../helper

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || exit 1
	: "${O:=build}"
	make -s O="$O" "$O/tests/golden/gen" "$O/bench"
	"$O/tests/golden/gen" figures "$BATS_FILE_TMPDIR/figures" 3.3in pdf
	"$O/tests/golden/gen" records "$BATS_FILE_TMPDIR/records"
	mkdir "$BATS_FILE_TMPDIR/store"
}

setup() {
	records=$BATS_FILE_TMPDIR/records figures=$BATS_FILE_TMPDIR/figures store="--store=$BATS_FILE_TMPDIR/store"
}

@test "every PDF embeds its fonts and holds text" {
	command -v pdffonts >/dev/null || skip "no pdffonts here (Debian: poppler-utils)"
	for f in "$figures"/*.pdf; do
		run pdffonts "$f"
		[ "${#lines[@]}" -ge 3 ] || { echo "$f: no font"; false; }
		for l in "${lines[@]:2}"; do
			[[ "$l" =~ \ yes\ (yes|no)\ +(yes|no)\ +[0-9]+\ +[0-9]+ ]] || { echo "$f: not embedded: $l"; false; }
		done
		[ -n "$(pdftotext "$f" - | tr -d '[:space:]')" ] || { echo "$f: no text"; false; }
	done
	[ "$(ls "$figures"/*.pdf | wc -l)" -eq "$("$bench" list figures | tail -n +2 | wc -l)" ]
}

@test "PDFs are as wide as asked" {
	command -v pdfinfo >/dev/null || skip "no pdfinfo here (Debian: poppler-utils)"
	for f in "$figures"/*.pdf; do
		w=$(pdfinfo "$f" | sed -n 's/^Page size: *\([0-9]*\).*/\1/p')
		[ "$w" -ge 237 ] && [ "$w" -le 238 ] || { echo "$f: $w pt, want 3.3 in"; false; }
	done
}

# A word of Liberation Sans is 1.116 times its size high; labels over bars are one point smaller.
@test "text is 7 pt in every PDF" {
	command -v pdftotext >/dev/null || skip "no pdftotext here (Debian: poppler-utils)"
	for f in "$figures"/*.pdf; do
		pdftotext -bbox "$f" - | awk -F'"' '/<word/ && /[0-9]</ && $8 - $4 > most { most = $8 - $4 } END { exit !(most > 7.7 && most < 7.9) }' || { echo "$f: text is not 7 pt"; false; }
	done
}

@test "a figure can be drawn again by hand, elsewhere" {
	cp "$figures"/throughput.{gp,dat} "$figures/style.gp" "$BATS_TEST_TMPDIR"
	(cd "$BATS_TEST_TMPDIR" && gnuplot throughput.gp)
	cmp <(pdftotext "$figures/throughput.pdf" -) <(pdftotext "$BATS_TEST_TMPDIR/throughput.pdf" -)
}

@test "captions name platform, substrate, n and interval" {
	for f in "$figures"/*.txt; do
		for word in "Platform: synthetic" "substrate: host" "boots per configuration"; do
			grep -q "$word" "$f" || { echo "$f lacks $word"; false; }
		done
	done
	grep -q "n = 10 boots" "$figures/throughput.txt"
	grep -q "95 % interval" "$figures/throughput.txt"
}

@test "bench plot: one figure to a file, in the format of its name" {
	"$bench" -q plot "$store" "$records"/cpu-{1,2}.json --figure=throughput --out "$BATS_TEST_TMPDIR/fig1.svg"
	grep -q "<svg" "$BATS_TEST_TMPDIR/fig1.svg"
	[ -s "$BATS_TEST_TMPDIR/fig1.gp" ] && [ -s "$BATS_TEST_TMPDIR/fig1.dat" ] && [ -s "$BATS_TEST_TMPDIR/fig1.txt" ]
	"$bench" -q plot "$store" "$records"/cpu-1.json --figure=throughput --format=png --width=7in --out "$BATS_TEST_TMPDIR/fig2"
	file "$BATS_TEST_TMPDIR/fig2.png" | grep -q "2100 x" || skip "no file(1) here"
}

@test "bench plot: what is missing is said, with the run that supplies it" {
	fails 1 "no record has a latency_ns histogram; .bench run net-latency" "$bench" plot "$store" "$records/cpu-1.json" --figure=latency-cdf --out "$BATS_TEST_TMPDIR/x.pdf"
	fails 2 "no figure pie" "$bench" plot "$store" "$records/cpu-1.json" --figure=pie
	fails 2 "not a width" "$bench" plot "$store" "$records/cpu-1.json" --width=99in
	fails 2 "which runs" "$bench" plot
}

@test "bench plot: substrates do not mix unless forced" {
	sed 's/"substrate": "host"/"substrate": "lab"/' "$records/cpu-2.json" >"$BATS_TEST_TMPDIR/lab.json"
	fails 2 "differ in substrate" "$bench" plot "$store" "$records/cpu-1.json" "$BATS_TEST_TMPDIR/lab.json" --figure=throughput --out "$BATS_TEST_TMPDIR/x.pdf"
	"$bench" -q plot --force "$store" "$records/cpu-1.json" "$BATS_TEST_TMPDIR/lab.json" --figure=throughput --out "$BATS_TEST_TMPDIR/x.pdf"
	grep -q "substrate: host and lab" "$BATS_TEST_TMPDIR/x.txt"
}

@test "bench report: html holds its figures and asks nothing of the network" {
	"$bench" -q report "$store" "$records"/cpu-{0,1,2,3}.json --out "$BATS_TEST_TMPDIR/r.html"
	[ "$(grep -o '<svg' "$BATS_TEST_TMPDIR/r.html" | wc -l)" -ge 6 ]
	none grep -oE '(src|href)="?https?:' "$BATS_TEST_TMPDIR/r.html"
	[ ! -e "$BATS_TEST_TMPDIR/r.html-figures" ]
	# Drawings in one page must not share ids: a hatch would take another's colour.
	[ -z "$(grep -oE "id='f[0-9]+gpPat[0-9]+'" "$BATS_TEST_TMPDIR/r.html" | sort | uniq -d)" ]
}

@test "bench report: tex compiles" {
	command -v pdflatex >/dev/null || skip "no pdflatex here (Debian: texlive-latex-recommended)"
	"$bench" -q report "$store" "$records"/cpu-{0,1,2,3}.json --out "$BATS_TEST_TMPDIR/r.tex"
	cd "$BATS_TEST_TMPDIR"
	timeout 60 pdflatex -interaction=nonstopmode -halt-on-error r.tex >log 2>&1 || { tail -20 log; false; }
	pdftotext r.pdf - | grep -q "Provenance"
	# Two hyphens stay two, and the table of claims is read without a lens: it wraps instead of shrinking.
	pdftotext r.pdf - | grep -q -- "--mode=e1000"
	pdftotext -bbox r.pdf - | awk -F'"' '/>claim</ { exit !($8 - $4 > 7) }'
	! grep Overfull log
}

@test "bench report: markdown on stdout" {
	run "$bench" -q report "$store" "$records/cpu-1.json" --format=md --out -
	[ "$status" -eq 0 ]
	[[ "$output" == "# net-throughput: e1000"* ]]
}
