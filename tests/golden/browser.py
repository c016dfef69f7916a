#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Drive a dashboard in headless Chromium over its debugging pipe and print one "ok NAME" or "not ok NAME: WHY" a check.

    browser.py SITE-DIR FLEET-SITE-DIR [SCREENSHOT-DIR]    FLEET-SITE-DIR: of several machines
    browser.py --every SITE-DIR                            every page loads within 2 s

Exit status 0 when all is well, 1 when a check failed, 77 when there is no Chromium.
"""
import base64, glob, json, os, shutil, subprocess, sys, tempfile, time, urllib.parse

CHROME = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-pipe", "about:blank"]
TIMEOUT = 30


class Browser:
    def __init__(self, profile):
        to_read, self.to = os.pipe()
        self.frm, from_write = os.pipe()

        def fds():
            os.dup2(to_read, 3)
            os.dup2(from_write, 4)

        # 3 and 4 may be the very pipes: keep them out of the way first.
        to_read, from_write = (self.high(fd) for fd in (to_read, from_write))
        self.to, self.frm = self.high(self.to), self.high(self.frm)
        self.proc = subprocess.Popen([CHROME, "--user-data-dir=" + profile] + FLAGS, preexec_fn=fds, close_fds=False,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(from_write)
        self.buffer, self.id, self.events, self.session = b"", 0, [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    @staticmethod
    def high(fd):
        import fcntl
        new = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20)
        os.close(fd)
        return new

    def receive(self, deadline):
        import select
        while b"\0" not in self.buffer:
            if not select.select([self.frm], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError("no answer from the browser")
            data = os.read(self.frm, 1 << 16)
            if not data:
                raise EOFError("the browser ended")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(line)

    def call(self, method, **params):
        self.id += 1
        message = {"id": self.id, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + TIMEOUT
        while True:
            answer = self.receive(deadline)
            if answer.get("id") == self.id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def js(self, expression):
        r = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in r:
            raise RuntimeError(expression + ": " + str(r["exceptionDetails"].get("exception", {}).get("description")))
        return r["result"].get("value")

    def wait(self, expression, what):
        end = time.monotonic() + 5
        while time.monotonic() < end:
            if self.js(expression):
                return
            time.sleep(0.03)
        raise AssertionError(what)

    def open(self, path):
        self.call("Page.navigate", url="file://" + urllib.parse.quote(os.path.realpath(path)))
        name = json.dumps(urllib.parse.quote(os.path.basename(path)))
        self.wait(f"document.readyState === 'complete' && location.href.includes({name})", "page did not load: " + path)
        self.settle()

    def settle(self):
        self.js("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(1))))")

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def key(self, key, text=None):
        p = {"key": key, "code": key}
        if text is None and len(key) == 1:
            text = key
        if key == "Enter":
            p.update(windowsVirtualKeyCode=13, code="Enter")
            text = "\r"
        if text:
            p["text"] = text
        self.call("Input.dispatchKeyEvent", type="keyDown", **p)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=p["key"], code=p["code"])
        self.settle()

    def size(self, width, height, mobile=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def scheme(self, value):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value}])

    def shot(self, name):
        if SHOTS:
            self.settle()
            data = self.call("Page.captureScreenshot", format="png")["data"]
            with open(os.path.join(SHOTS, name + ".png"), "wb") as f:
                f.write(base64.b64decode(data))

    def close(self):
        try:
            self.session = None
            self.call("Browser.close")
        except (EOFError, OSError, TimeoutError):
            pass
        try:
            self.proc.wait(10)
        except subprocess.TimeoutExpired:
            self.proc.kill()


def expect(condition, why):
    if not condition:
        raise AssertionError(why)


def chart_box(b):
    return b.js("(r => [r.left, r.top, r.width, r.height])(document.querySelector('#chart').getBoundingClientRect())")


def span(b):
    return b.js("+document.querySelector('#wrap').dataset.span || 0")


def brightness(b):
    rgb = b.js("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    return sum(rgb[:3]) / 3


# ---- checks; each starts from a fresh load of its page ----

def loads_quickly(b):
    for page in (INDEX, SERIES):
        ms = load_ms(b, page)
        expect(0 < ms < 2000, f"{os.path.basename(page)} took {ms:.0f} ms")
        print(f"# {os.path.basename(page)}: {ms:.0f} ms")


def load_ms(b, page):
    b.open(page)
    return b.js("(e => e.loadEventEnd - e.startTime)(performance.getEntriesByType('navigation')[0])")


def machine_filter(b):
    b.open(os.path.join(FLEET, "index.html"))
    b.shot("fleet")
    names = b.js("[...document.querySelectorAll('#machine option')].slice(1).map(o => o.value)")
    expect(len(names) > 1, f"machines to choose among: {names}")
    b.js(f"(s => {{ s.value = {json.dumps(names[1])}; s.dispatchEvent(new Event('change')); }})(document.querySelector('#machine'))")
    shown = b.js("[...document.querySelectorAll('.card:not([hidden])')].map(c => c.dataset.machine)")
    total = b.js("document.querySelectorAll('.card').length")
    expect(len(shown) == total / len(names) and set(shown) == {names[1]}, f"{len(shown)} of {total}: {set(shown)}")


def machine_page(b):
    b.open(os.path.join(FLEET, "index.html"))
    b.js("document.querySelectorAll('details a')[1].click()")
    b.wait("location.pathname.includes('/m/') && document.readyState === 'complete'", "a machine's page did not open")
    b.settle()
    b.shot("machine")
    text = b.js("document.querySelector('main').innerText")
    for part in ("Speed of the machine", "drifting since", "19 of 20 within", "throughput_bps", "governor", "powersave"):
        expect(part in text, f"no {part!r} on a machine's page")
    expect(b.js("document.querySelectorAll('#chart .series').length") == 1, "its speed is not drawn")
    b.js("document.querySelector('#own').click()")
    b.wait("location.pathname.includes('index.html') && document.readyState === 'complete'", "its series did not open")
    expect(b.js("document.querySelector('#machine').value") == "node02", "its series are not chosen")
    expect(b.js("document.querySelectorAll('.card[hidden]').length") > 0, "those of others are shown")


def overview_filters(b):
    b.open(INDEX)
    b.shot("overview")
    total = b.js("document.querySelectorAll('.card').length")
    b.js("document.querySelector('#search').focus()")
    for c in "vhost-user exits_per":
        b.key(c)
    shown = b.js("[...document.querySelectorAll('.card:not([hidden])')].map(c => c.dataset.text)")
    expect(0 < len(shown) < total, f"{len(shown)} of {total} cards left")
    expect(all("vhost-user" in t and "exits_per" in t for t in shown), f"wrong cards: {shown}")
    b.key("Escape")
    expect(b.js("document.querySelectorAll('.card:not([hidden])').length") == total, "Escape did not clear the filter")
    b.js("document.querySelector('[data-want=steady]').click()")
    expect(b.js("[...document.querySelectorAll('.card:not([hidden])')].every(c => c.dataset.verdict === 'steady')"), "button filter")


def overview_keyboard(b):
    b.open(INDEX)
    b.key("j")
    first = b.js("document.activeElement.getAttribute('href')")
    b.key("j")
    second = b.js("document.activeElement.getAttribute('href')")
    expect(first and second and first != second, f"j moved from {first} to {second}")
    b.key("k")
    expect(b.js("document.activeElement.getAttribute('href')") == first, "k did not move back")
    b.key("Enter")
    b.wait("location.pathname.includes('/s/') && document.readyState === 'complete'", "Enter did not open the series")


def hover(b):
    b.open(SERIES)
    x, y, w, h = chart_box(b)
    expect(b.js("document.querySelector('#tip').hidden"), "a tooltip before any hover")
    b.mouse("mouseMoved", x + w * 0.4, y + h / 2)
    b.settle()
    text = b.js("document.querySelector('#tip').hidden ? '' : document.querySelector('#tip').innerText")
    expect("run 20" in text and "build" in text and "n = 8" in text, f"tooltip says {text!r}")
    b.shot("hover")
    b.mouse("mouseMoved", x + w * 0.7, y + h / 2)
    b.settle()
    expect(b.js("document.querySelector('#tip').innerText") != text, "the tooltip does not follow")
    href = b.js("document.querySelector('#info a').href")
    expect(os.path.exists(urllib.parse.unquote(href[len("file://"):])), f"no record at {href}")


def zoom(b):
    b.open(SERIES)
    x, y, w, h = chart_box(b)
    b.js("document.querySelector('[data-do=all]').click()")
    full = span(b)
    b.mouse("mousePressed", x + w * 0.5, y + h / 2, button="left", clickCount=1)
    b.mouse("mouseMoved", x + w * 0.6, y + h / 2, button="left", buttons=1)
    b.mouse("mouseMoved", x + w * 0.7, y + h / 2, button="left", buttons=1)
    b.shot("drag")
    b.mouse("mouseReleased", x + w * 0.7, y + h / 2, button="left", clickCount=1)
    b.settle()
    expect(0.1 * full < span(b) < 0.35 * full, f"after a drag over a fifth, {span(b)} of {full}")
    b.shot("zoomed")
    for count in (1, 2):
        b.mouse("mousePressed", x + w * 0.5, y + h / 2, button="left", clickCount=count)
        b.mouse("mouseReleased", x + w * 0.5, y + h / 2, button="left", clickCount=count)
    end = time.monotonic() + 5
    while span(b) != full and time.monotonic() < end:
        b.settle()
    expect(span(b) == full, f"a double click left {span(b)} of {full}")
    b.js("document.querySelector('[data-do=in]').click()")
    expect(span(b) < full, "the button did not zoom")


def keyboard(b):
    b.open(SERIES)
    b.js("document.querySelector('#wrap').focus()")
    b.key("End", "")
    last = b.js("document.querySelector('#info').innerText")
    b.key("ArrowLeft", "")
    before = b.js("document.querySelector('#info').innerText")
    expect("run 20" in last and "run 20" in before and last != before, f"arrow: {last!r} then {before!r}")
    b.key("p")
    at = b.js("document.querySelector('#info').innerText")
    expect("change:" in at, f"p did not go to the change: {at!r}")
    b.key("0")
    full = span(b)
    b.key("+")
    expect(0 < span(b) < full, "+ did not zoom")
    b.shot("keyboard")


def change_is_marked(b):
    b.open(SERIES)
    expect(b.js("document.querySelectorAll('.change').length") == 1, "the one known change is not drawn once")
    expect(b.js("document.querySelector('text.worse').textContent.includes('−6')") or
           b.js("document.querySelector('text.worse').textContent.includes('−5.9')"), "its label is not about -6 %")
    expect(b.js("document.querySelectorAll('#mix path').length") >= 5, "no exits over time")


def dark_mode(b):
    for page in (INDEX, SERIES):
        b.open(page)
        b.scheme("light")
        expect(brightness(b) > 200, "not light")
        b.scheme("dark")
        expect(brightness(b) < 60, "not dark when the system is")
        b.shot("dark-" + ("overview" if page == INDEX else "series"))
        b.js("document.querySelector('#theme').click()")
        expect(brightness(b) > 200, "the button did not make it light")
        b.js("document.querySelector('#theme').click()")
        b.js("document.querySelector('#theme').click()")
        b.scheme("")


def narrow(b):
    b.size(360, 740, True)
    for page in (INDEX, SERIES):
        b.open(page)
        wide = b.js("document.documentElement.scrollWidth")
        expect(wide <= 360, f"{os.path.basename(page)} is {wide} px wide on a 360 px screen")
        b.shot("narrow-" + ("overview" if page == INDEX else "series"))
    x, y, w, h = chart_box(b)
    b.mouse("mouseMoved", x + w * 0.6, y + h / 2)
    b.settle()
    b.shot("narrow-hover")
    wide = b.js("document.documentElement.scrollWidth")
    expect(wide <= 360, f"the tooltip makes the page {wide} px wide")
    b.size(1200, 900)


def quiet(b):
    """Last: over everything that was done before."""
    bad = []
    for e in b.events:
        p, method = e.get("params", {}), e.get("method")
        if method == "Runtime.exceptionThrown":
            bad.append(str(p["exceptionDetails"].get("exception", {}).get("description", p["exceptionDetails"].get("text"))))
        elif method == "Runtime.consoleAPICalled" and p["type"] in ("error", "warning", "assert"):
            bad.append(str(p["args"]))
        elif method == "Log.entryAdded" and p["entry"]["level"] in ("error", "warning"):
            bad.append(p["entry"]["text"])
    expect(not bad, "console: " + "; ".join(bad[:3]))


def stays_on_disk(b):
    urls = [e["params"]["request"]["url"] for e in b.events if e.get("method") == "Network.requestWillBeSent"]
    expect(len(urls) > 10, "no requests were seen at all")
    away = [u for u in urls if not u.startswith(("file://", "data:", "about:"))]
    expect(not away, f"requests leave the disk: {away[:3]}")


CHECKS = [loads_quickly, machine_filter, machine_page, overview_filters, overview_keyboard, hover, zoom, keyboard, change_is_marked, dark_mode, narrow,
          stays_on_disk, quiet]

if not CHROME:
    print("no Chromium here (Debian: chromium)")
    sys.exit(77)


def every_page(site):
    slow, pages = [], sorted(glob.glob(os.path.join(site, "**", "*.html"), recursive=True))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(profile)
        try:
            browser.size(1200, 900)
            slow = sorted(((load_ms(browser, page), page) for page in pages), reverse=True)
        finally:
            browser.close()
    for ms, page in slow[:3]:
        print(f"{os.path.relpath(page, site)}: {ms:.0f} ms")
    print(f"{len(pages)} pages, median {slow[len(slow) // 2][0]:.0f} ms, most {slow[0][0]:.0f} ms")
    return 0 if slow[0][0] < 2000 else 1


SHOTS = None
if sys.argv[1] == "--every":
    sys.exit(every_page(sys.argv[2]))
SITE, FLEET = sys.argv[1:3]
SHOTS = sys.argv[3] if len(sys.argv) > 3 else None
INDEX = os.path.join(SITE, "index.html")
SERIES = glob.glob(os.path.join(SITE, "s", "net-throughput-vhost-builtin-throughput_bps-*.html"))[0]
failed = 0
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
    browser = Browser(profile)
    try:
        browser.size(1200, 900)
        for check in CHECKS:
            try:
                check(browser)
                print("ok", check.__name__)
            except (AssertionError, RuntimeError, TimeoutError) as e:
                failed += 1
                print(f"not ok {check.__name__}: {e}")
    finally:
        browser.close()
sys.exit(1 if failed else 0)
