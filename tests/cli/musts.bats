# SPDX-License-Identifier: MIT
# docs/virtio-musts.md: a row for each demand of virtio 1.3, with the test that holds it or the reason why none does.
load ../helper

rows() {
	sed -n '/^|---/,$ { /^| /p }' docs/virtio-musts.md
}

exists() { # FILE: TEST
	grep -qE "^static void ${1#*: }\(void \*\*state\)" "tests/unit/${1%%:*}.c" &&
		grep -qE "[(]${1#*: }[),]" "tests/unit/${1%%:*}.c" || { echo "no such test: $1"; return 1; }
}

@test "every demand of virtio 1.3 has a test that exists, or a reason" {
	local n=0 where
	while IFS='|' read -r _ section must where _; do
		n=$((n + 1))
		where=${where# } where=${where% }
		[ -n "${section// /}" ] && [ -n "${must// /}" ]
		case $where in
		'n/a because '?*) continue ;;
		esac
		while read -r one; do exists "$one" || { echo "row $n, $section:$must"; false; }; done <<<"${where//; /$'\n'}"
	done < <(rows)
	[ "$n" -ge 120 ]
}
