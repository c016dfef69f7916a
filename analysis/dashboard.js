// SPDX-License-Identifier: MIT
// The dashboard's pages: filter and keyboard on the overview, the interactive history on a series' page. No dependency,
// no request: everything comes with the page, so that it works from file://.
"use strict";
(function () {
const $ = (s, from) => (from || document).querySelector(s);
const $$ = (s, from) => [...(from || document).querySelectorAll(s)];
const root = document.documentElement;

// ---- theme: as the system has it, or as chosen here ----
const themes = ["auto", "light", "dark"];
function remembered() { try { return localStorage.getItem("exitlab-theme"); } catch (e) { return null; } }
function remember(t) { try { localStorage.setItem("exitlab-theme", t); } catch (e) { /* private or file: only this page */ } }
function setTheme(t) {
	if (t === "auto") root.removeAttribute("data-theme"); else root.dataset.theme = t;
	const b = $("#theme");
	if (b) b.textContent = "Theme: " + t;
}
let theme = themes.includes(remembered()) ? remembered() : "auto";
function nextTheme() { theme = themes[(themes.indexOf(theme) + 1) % 3]; remember(theme); setTheme(theme); }
setTheme(theme);
if ($("#theme")) $("#theme").addEventListener("click", nextTheme);

const typing = e => /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName) || e.ctrlKey || e.altKey || e.metaKey;

// ---- overview ----
function overview() {
	const cards = $$(".card"), search = $("#search"), machine = $("#machine");
	let want = "all";
	function apply() {
		const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
		let shown = 0;
		for (const c of cards) {
			const ok = (want === "all" || c.dataset.verdict === want) && (!machine || !machine.value ||
				c.dataset.machine === machine.value) && words.every(w => c.dataset.text.includes(w));
			c.hidden = !ok;
			shown += ok;
		}
		for (const s of $$("section")) s.hidden = !$(".card:not([hidden])", s);
		$("#shown").textContent = shown === cards.length ? "" : shown + " of " + cards.length + " shown";
	}
	for (const b of $$("[data-want]"))
		b.addEventListener("click", () => {
			want = b.dataset.want;
			$$("[data-want]").forEach(o => o.setAttribute("aria-pressed", o === b));
			apply();
		});
	search.addEventListener("input", apply);
	if (machine) {
		machine.value = decodeURIComponent(location.hash.slice(1));
		if (machine.selectedIndex < 0) machine.selectedIndex = 0;
		machine.addEventListener("change", () => { window.history.replaceState(null, "", "#" + encodeURIComponent(machine.value)); apply(); });
		apply();
	}
	search.addEventListener("keydown", e => { if (e.key === "Escape") { search.value = ""; apply(); search.blur(); } });
	document.addEventListener("keydown", e => {
		if (typing(e)) return;
		const visible = cards.filter(c => !c.hidden), at = visible.indexOf(document.activeElement);
		const step = {j: 1, ArrowDown: 1, ArrowRight: 1, k: -1, ArrowUp: -1, ArrowLeft: -1}[e.key];
		if (step && visible.length) {
			visible[at < 0 ? 0 : Math.min(Math.max(at + step, 0), visible.length - 1)].focus();
			e.preventDefault();
		} else if (e.key === "/") {
			search.focus();
			e.preventDefault();
		} else if (e.key === "t") nextTheme();
	});
}

// ---- numbers and dates ----
function si(v) {
	const a = Math.abs(v);
	for (const [s, p] of [[1e12, " T"], [1e9, " G"], [1e6, " M"], [1e3, " k"]])
		if (a >= s) return (v / s).toPrecision(3) + p;
	return a === 0 ? "0" : a < 1e-4 ? v.toExponential(2) : String(+v.toPrecision(3));
}
function format(v, unit) {
	if (v === null || v === undefined) return "";
	if (unit === "ns") {
		for (const [s, p] of [[1e9, " s"], [1e6, " ms"], [1e3, " us"]])
			if (Math.abs(v) >= s) return (v / s).toPrecision(3) + p;
		return +v.toPrecision(3) + " ns";
	}
	if (unit === "%") return +v.toPrecision(3) + " %";
	if (unit === "1" || !unit) return si(v);
	const t = si(v);
	return t + (/[a-zA-Z]$/.test(t) ? "" : " ") + ({"bit/s": "b/s", "1/s": "/s"}[unit] || unit);
}
const pct = r => (r >= 1 ? "+" : "−") + Math.abs((r - 1) * 100).toPrecision(Math.abs(r - 1) < 0.0995 ? 2 : 3) + " %";
const day = t => new Date(t * 1000).toISOString().slice(0, 10);
const minute = t => new Date(t * 1000).toISOString().slice(0, 16).replace("T", " ");

function ticks(lo, hi, n) {
	const raw = (hi - lo) / n, mag = 10 ** Math.floor(Math.log10(raw)), f = raw / mag;
	const step = (f < 1.5 ? 1 : f < 3.5 ? 2 : f < 7.5 ? 5 : 10) * mag, out = [];
	for (let v = Math.ceil(lo / step) * step; v <= hi + step * 1e-9; v += step) out.push(Math.abs(v) < step * 1e-9 ? 0 : v);
	return out;
}
const DAY = 86400;
function timeTicks(t0, t1, n) {
	const span = (t1 - t0) / n, out = [];
	const days = [1, 2, 7, 14].find(d => d * DAY >= span);
	const minutes = [1, 2, 5, 10, 20, 30, 60, 120, 180, 360, 720].find(m => m * 60 >= span);
	if (minutes) {
		for (let t = Math.ceil(t0 / minutes / 60) * minutes * 60; t <= t1; t += minutes * 60) out.push([t, minute(t).slice(5)]);
		return out;
	}
	if (days) {
		for (let t = Math.ceil(t0 / DAY) * DAY; t <= t1; t += days * DAY) out.push([t, day(t).slice(5)]);
		return out;
	}
	const months = [1, 2, 3, 6, 12, 24, 60].find(m => m * 30.4 * DAY >= span) || 120;
	const d = new Date(t0 * 1000);
	for (let m = d.getUTCFullYear() * 12 + d.getUTCMonth(); ; m++) {
		const t = Date.UTC(Math.floor(m / 12), m % 12, 1) / 1000;
		if (t > t1) return out;
		if (t >= t0 && m % months === 0) out.push([t, months >= 12 ? day(t).slice(0, 4) : day(t).slice(0, 7)]);
	}
}

// ---- history ----
const NS = "http://www.w3.org/2000/svg";
function node(parent, name, attrs, text) {
	const e = document.createElementNS(NS, name);
	for (const k in attrs) e.setAttribute(k, attrs[k]);
	if (text !== undefined) e.textContent = text;
	parent.appendChild(e);
	return e;
}

function history(d) {
	const wrap = $("#wrap"), svg = $("#chart"), mix = $("#mix"), tip = $("#tip"), info = $("#info");
	const n = d.t.length, first = d.t[0], last = d.t[n - 1], pad = last > first ? (last - first) * 0.02 : 3600;
	const full = [first - pad, last + pad];
	let [x0, x1] = full, cursor = -1, zero = false, drag = null, frame = 0;
	const M = {l: 58, r: 14, t: 22, b: 24};

	const width = () => svg.clientWidth || 600, height = () => svg.clientHeight || 320;
	const X = t => M.l + (t - x0) / (x1 - x0) * (width() - M.l - M.r);
	const T = px => x0 + (px - M.l) / (width() - M.l - M.r) * (x1 - x0);
	const lower = t => { let a = 0, b = n; while (a < b) { const m = (a + b) >> 1; if (d.t[m] < t) a = m + 1; else b = m; } return a; };
	function nearest(t) {
		const i = lower(t);
		if (i <= 0) return 0;
		if (i >= n) return n - 1;
		return t - d.t[i - 1] < d.t[i] - t ? i - 1 : i;
	}
	const verdictOf = c => d.better * (c.to - c.from) > 0 ? "better" : d.better * (c.to - c.from) < 0 ? "worse" : "changed";

	function yRange(a, b) {
		let lo = Infinity, hi = -Infinity;
		for (let i = a; i < b; i++) {
			lo = Math.min(lo, d.lo[i] ?? d.v[i]);
			hi = Math.max(hi, d.hi[i] ?? d.v[i]);
		}
		if (lo > hi) return [0, 1];
		const p = (hi - lo || Math.abs(hi) || 1) * 0.08;
		return [zero ? Math.min(0, lo) : lo - p, hi + p];
	}
	function axes(g, w, h, y0, y1, Y, unit) {
		for (const v of ticks(y0, y1, h < 220 ? 3 : 5)) {
			node(g, "line", {class: "gridline", x1: M.l, x2: w - M.r, y1: Y(v), y2: Y(v)});
			node(g, "text", {x: M.l - 6, y: Y(v) + 4, "text-anchor": "end"}, format(v, unit).replace(/ /g, "\u202f"));
		}
		for (const [t, s] of timeTicks(x0, x1, Math.max(2, Math.floor((w - M.l) / 85)))) {
			const x = X(t);
			if (x < M.l || x > w - M.r - 14) continue;
			node(g, "line", {class: "axis", x1: x, x2: x, y1: h - M.b, y2: h - M.b + 4});
			node(g, "text", {x, y: h - 8, "text-anchor": "middle"}, s);
		}
		node(g, "line", {class: "axis", x1: M.l, x2: w - M.r, y1: h - M.b, y2: h - M.b});
	}
	// One point per pixel column at most: first, extremes and last of each.
	function thin(a, b, w) {
		if (b - a <= 2 * w) return Array.from({length: b - a}, (_, k) => a + k);
		const out = [], per = (b - a) / w;
		for (let p = 0; p < w; p++) {
			const i0 = Math.floor(a + p * per), i1 = Math.floor(a + (p + 1) * per);
			let lo = i0, hi = i0;
			for (let i = i0; i < i1; i++) { if (d.v[i] < d.v[lo]) lo = i; if (d.v[i] > d.v[hi]) hi = i; }
			out.push(...[...new Set([i0, lo, hi, i1 - 1])].sort((p, q) => p - q));
		}
		return out;
	}
	function drawChart() {
		const w = width(), h = height(), a = Math.max(lower(x0) - 1, 0), b = Math.min(lower(x1) + 1, n);
		const [y0, y1] = yRange(lower(x0), lower(x1));
		const Y = v => h - M.b - (v - y0) / (y1 - y0) * (h - M.t - M.b);
		svg.setAttribute("viewBox", `0 0 ${w} ${h}`);
		svg.replaceChildren();
		axes(svg, w, h, y0, y1, Y, d.unit);
		const clip = node(node(svg, "clipPath", {id: "clip"}), "rect", {x: M.l, y: 0, width: Math.max(w - M.l - M.r, 1), height: h - M.b});
		const g = node(svg, "g", {"clip-path": "url(#clip)"}), at = thin(a, b, w - M.l - M.r);
		void clip;
		const withBand = at.filter(i => d.lo[i] !== null);
		if (withBand.length > 1)
			node(g, "path", {class: "band", d: "M" + withBand.map(i => `${X(d.t[i]).toFixed(1)},${Y(d.hi[i]).toFixed(1)}`).join("L") +
				"L" + withBand.reverse().map(i => `${X(d.t[i]).toFixed(1)},${Y(d.lo[i]).toFixed(1)}`).join("L") + "Z"});
		node(g, "path", {class: "series", d: "M" + at.map(i => `${X(d.t[i]).toFixed(1)},${Y(d.v[i]).toFixed(1)}`).join("L")});
		if (at.length < w / 6)
			for (const i of at) node(g, "circle", {class: "dot", cx: X(d.t[i]), cy: Y(d.v[i]), r: 2.5});
		for (const [i, j, from, to] of d.levels)
			node(g, "line", {class: "level", x1: X(d.t[i]), x2: X(d.t[j]), y1: Y(from), y2: Y(to)});
		let free = -Infinity;
		for (const c of d.chg) {
			const drift = c.until !== undefined, kind = verdictOf(c);
			const x = drift ? (X(d.t[c.i]) + X(d.t[c.until])) / 2 : X(d.t[c.i]);
			if (!drift) node(g, "line", {class: "change " + kind, x1: x, x2: x, y1: M.t - 4, y2: h - M.b});
			if (x < Math.max(free, M.l) || x > w - M.r) continue;
			const arrow = drift ? (c.to >= c.from ? "↗ " : "↘ ") : c.to >= c.from ? "▲ " : "▼ ";
			const s = arrow + (c.from ? pct(c.to / c.from) : "new") + (c.prov ? " ?" : "");
			node(svg, "text", {class: kind, x: Math.min(x, w - 66), y: 13}, s);
			free = x + 70;
		}
		for (const {i, why} of d.acc) {
			const x = X(d.t[i]), y = Y(d.v[i]);
			const m = node(g, "path", {class: "accepted", d: `M${x},${y - 6}l6,6l-6,6l-6,-6Z`});
			node(m, "title", {}, "level accepted: " + why);
		}
		if (cursor >= 0 && d.t[cursor] >= x0 && d.t[cursor] <= x1) {
			const x = X(d.t[cursor]);
			node(g, "line", {class: "cursor", x1: x, x2: x, y1: M.t, y2: h - M.b});
			node(g, "circle", {class: "cursordot", cx: x, cy: Y(d.v[cursor]), r: 4.5});
		}
		if (drag && Math.abs(drag.to - drag.from) > 3)
			node(svg, "rect", {class: "select", x: Math.min(drag.from, drag.to), y: M.t, width: Math.abs(drag.to - drag.from), height: h - M.t - M.b});
	}
	function drawMix() {
		if (!d.mix || !mix) return;
		const w = width(), h = mix.clientHeight || 200, a = Math.max(lower(x0) - 1, 0), b = Math.min(lower(x1) + 1, n);
		const per = Math.max(1, Math.floor((b - a) / (w - M.l - M.r))), at = [];
		for (let i = a; i < b; i += per) if (d.mix.v[0][i] !== null) at.push(i);
		let top = 0;
		for (const i of at) top = Math.max(top, d.mix.v.reduce((s, r) => s + r[i], 0));
		const Y = v => h - M.b - v / (top * 1.05 || 1) * (h - M.t - M.b);
		mix.setAttribute("viewBox", `0 0 ${w} ${h}`);
		mix.replaceChildren();
		axes(mix, w, h, 0, top * 1.05 || 1, Y, "1");
		node(node(mix, "clipPath", {id: "clipmix"}), "rect", {x: M.l, y: 0, width: Math.max(w - M.l - M.r, 1), height: h - M.b});
		const g = node(mix, "g", {"clip-path": "url(#clipmix)"}), foot = at.map(() => 0);
		d.mix.v.forEach((row, k) => {
			const up = at.map((i, j) => `${X(d.t[i]).toFixed(1)},${Y(foot[j] + row[i]).toFixed(1)}`);
			const down = at.map((i, j) => `${X(d.t[i]).toFixed(1)},${Y(foot[j]).toFixed(1)}`).reverse();
			at.forEach((i, j) => { foot[j] += row[i]; });
			if (up.length > 1) node(node(g, "path", {d: "M" + up.join("L") + "L" + down.join("L") + "Z", style: `fill:var(--m${k % 8 + 1})`}), "title", {}, d.mix.names[k]);
		});
	}
	function draw() {
		cancelAnimationFrame(frame);
		frame = requestAnimationFrame(() => { drawChart(); drawMix(); });
	}

	function describe(i) {
		const parts = [minute(d.t[i]) + " UTC", format(d.v[i], d.unit) +
			(d.lo[i] !== null ? ` [${format(d.lo[i], d.unit)}, ${format(d.hi[i], d.unit)}]` : "") + `, n = ${d.n[i]}`,
			"build " + d.vers[d.ver[i]], "run " + d.id[i]];
		const c = d.chg.find(q => q.i === i && q.until === undefined);
		if (c) parts.push((c.prov ? "provisional change: " : "change: ") + (c.from ? pct(c.to / c.from) : ""));
		const a = d.acc.find(q => q.i === i);
		if (a) parts.push("level accepted: " + a.why);
		return parts;
	}
	function moveTo(i, px) {
		cursor = i;
		if (i < 0) { tip.hidden = true; return draw(); }
		const parts = describe(i);
		tip.replaceChildren(...parts.map((p, k) => { const e = document.createElement(k === 1 ? "strong" : "div"); e.textContent = p; return e; }));
		tip.hidden = false;
		const x = px === undefined ? X(d.t[i]) : px, w = wrap.clientWidth, left = x > w / 2;
		tip.style.left = left ? "" : Math.min(x + 14, w - 60) + "px";
		tip.style.right = left ? Math.min(w - x + 14, w - 60) + "px" : "";
		tip.style.maxWidth = Math.max((left ? x : w - x) - 26, 130) + "px";
		tip.style.top = "30px";
		const link = document.createElement("a");
		link.href = d.rec + d.id[i] + "/record.json";
		link.textContent = "record";
		info.replaceChildren(parts.join(" · ") + " · ", link);
		draw();
	}
	function zoom(a, b) {
		const min = Math.max((last - first) / Math.max(n, 1), 60) * 3;
		if (b - a < min) { const m = (a + b) / 2; a = m - min / 2; b = m + min / 2; }
		const span = Math.min(b - a, full[1] - full[0]);
		x0 = Math.max(full[0], Math.min(a, full[1] - span));
		x1 = x0 + span;
		wrap.dataset.span = Math.round(x1 - x0);
		draw();
	}
	function zoomBy(f, centre) {
		const c = centre === undefined ? (cursor >= 0 && d.t[cursor] > x0 && d.t[cursor] < x1 ? d.t[cursor] : (x0 + x1) / 2) : centre;
		zoom(c - (c - x0) * f, c + (x1 - c) * f);
	}
	function reset() { zoom(...full); }
	function keep(i) {
		const span = x1 - x0;
		if (d.t[i] < x0) zoom(d.t[i] - span * 0.1, d.t[i] + span * 0.9);
		else if (d.t[i] > x1) zoom(d.t[i] - span * 0.9, d.t[i] + span * 0.1);
		moveTo(i);
	}
	function stepTo(delta) { keep(Math.max(0, Math.min(n - 1, (cursor < 0 ? lower(x1) - 1 : cursor) + delta))); }
	function toChange(dir) {
		const at = cursor < 0 ? n : cursor, list = d.chg.map(c => c.i).concat(d.acc.map(a => a.i)).sort((p, q) => p - q);
		const i = dir < 0 ? list.filter(c => c < at).pop() : list.find(c => c > at);
		if (i !== undefined) keep(i);
	}

	const local = e => e.clientX - svg.getBoundingClientRect().left;
	svg.addEventListener("pointermove", e => {
		const px = local(e);
		if (drag) drag.to = Math.max(M.l, Math.min(px, width() - M.r));
		if (px >= M.l - 4 && px <= width() - M.r + 4) moveTo(nearest(T(px)), px);
	});
	svg.addEventListener("pointerdown", e => {
		if (e.pointerType === "touch" || e.button) return;
		drag = {from: local(e), to: local(e)};
		svg.setPointerCapture(e.pointerId);
	});
	svg.addEventListener("pointerup", () => {
		const g = drag;
		drag = null;
		if (g && Math.abs(g.to - g.from) > 6) zoom(T(Math.min(g.from, g.to)), T(Math.max(g.from, g.to)));
		else draw();
	});
	svg.addEventListener("pointercancel", () => { drag = null; draw(); });
	svg.addEventListener("pointerleave", () => { if (!drag && document.activeElement !== wrap) moveTo(-1); });
	svg.addEventListener("dblclick", reset);
	svg.addEventListener("wheel", e => {
		if (!e.ctrlKey && document.activeElement !== wrap) return;
		e.preventDefault();
		zoomBy(e.deltaY < 0 ? 0.8 : 1.25, T(local(e)));
	}, {passive: false});
	const keys = {
		ArrowLeft: e => stepTo(e.shiftKey ? -10 : -1), ArrowRight: e => stepTo(e.shiftKey ? 10 : 1),
		Home: () => keep(0), End: () => keep(n - 1), "+": () => zoomBy(0.6), "=": () => zoomBy(0.6), "-": () => zoomBy(1 / 0.6),
		"0": reset, p: () => toChange(-1), n: () => toChange(1), z: () => { zero = !zero; draw(); }, t: nextTheme,
		Escape: () => moveTo(-1), Enter: () => { if (cursor >= 0) location.href = d.rec + d.id[cursor] + "/record.json"; },
	};
	document.addEventListener("keydown", e => {
		if (typing(e) || !keys[e.key] || (e.target.closest("a,button") && e.key === "Enter")) return;
		keys[e.key](e);
		e.preventDefault();
	});
	for (const b of $$("[data-do]"))
		b.addEventListener("click", () => ({in: () => zoomBy(0.6), out: () => zoomBy(1 / 0.6), all: reset,
			month: () => zoom(last - 31 * DAY, full[1]), year: () => zoom(last - 366 * DAY, full[1]), zero: () => {
				zero = !zero;
				b.setAttribute("aria-pressed", zero);
				draw();
			}})[b.dataset.do]());
	for (const r of $$("[data-at]"))
		r.addEventListener("click", () => { const i = +r.dataset.at; zoom(d.t[i] - 45 * DAY, d.t[i] + 45 * DAY); moveTo(i); wrap.focus(); });
	new ResizeObserver(draw).observe(wrap);
	drawChart();
	drawMix();
}

const data = $("#data"), own = $("#own");
if (own) own.href += "#" + encodeURIComponent(own.dataset.machine);
if (data) history(JSON.parse(data.textContent));
else if ($("#search")) overview();
})();
