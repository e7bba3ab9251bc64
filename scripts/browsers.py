"""Try the built site in Firefox and in WebKit, beside Chromium: docs/decisions/0007-reading.md, "Other engines".

Usage: make browsers                          all engines, all checks
       make browsers ARGS="--engine webkit"   one engine
       make browsers ARGS=--pictures          and pictures of pages into build/browsers/

Prints a table, engine by check, and fails where a check fails. Not a part of `make test`: the three browsers take some
minutes, two of them come from Debian's packages alone, and what an engine does changes with its version, not with a chapter.
Where a browser is missing and this is Debian and root, it is installed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import browsing  # tests/ is on the path: make browsers
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.command import Command
from selenium.webdriver.remote.remote_connection import RemoteConnection
from selenium.webdriver.remote.webdriver import WebDriver

CHAPTER, NOTEBOOK = "cuda/memory-hierarchy.html", "notebooks/cuda/coalescing.html"
PAGES = [
    "index.html",
    CHAPTER,
    "fundamentals/losses.html",
    NOTEBOOK,
    "cuda/index.html",
    "questions.html",
    "offline.html",
]
PICTURES = browsing.ROOT / "build/browsers"

# ---- the engines: one WebDriver for each, with the window's size and what the console said ----------

PACKAGES = ["chromium", "chromium-driver", "firefox-esr", "webkit2gtk-driver", "xvfb"]
COMMANDS = ["chromium", "chromedriver", "firefox-esr", "WebKitWebDriver", "Xvfb"]
# GTK lets no window be narrower than its toolbar: this lets the toolbar shrink.
NARROW_TOOLBAR = "* { min-width: 0; min-height: 0; padding: 0; margin: 0; border-width: 0; font-size: 1px }"


def mini_browser() -> str:
    """The path of WebKitGTK's browser for tests."""
    return str(next(Path("/usr/lib").glob("*/webkit2gtk-4.1/MiniBrowser")))


class Marionette(RemoteConnection):
    """Firefox's own protocol, to which geckodriver translates WebDriver. Debian has no geckodriver."""

    NAMES = {
        Command.NEW_SESSION: "WebDriver:NewSession",
        Command.GET: "WebDriver:Navigate",
        Command.REFRESH: "WebDriver:Refresh",
        Command.GO_BACK: "WebDriver:Back",
        Command.SET_TIMEOUTS: "WebDriver:SetTimeouts",
        Command.W3C_EXECUTE_SCRIPT: "WebDriver:ExecuteScript",
        Command.W3C_EXECUTE_SCRIPT_ASYNC: "WebDriver:ExecuteAsyncScript",
        Command.W3C_ACTIONS: "WebDriver:PerformActions",
        Command.SCREENSHOT: "WebDriver:TakeScreenshot",
        Command.PRINT_PAGE: "WebDriver:Print",
        Command.QUIT: "Marionette:Quit",
        "setContext": "Marionette:SetContext",
    }

    def __init__(self, port: int) -> None:
        super().__init__(client_config=ClientConfig("http://127.0.0.1"))
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.answers = self.socket.makefile("rb")
        self._read()  # it greets

    def _read(self) -> list:
        length = b""
        while (sign := self.answers.read(1)) != b":":
            length += sign
        return json.loads(self.answers.read(int(length)))

    def execute(self, command: str, params: dict) -> dict:
        """Send one command, and answer as a WebDriver over HTTP would."""
        params = {name: value for name, value in params.items() if name != "sessionId"}
        if command == Command.SCREENSHOT:
            params = {"full": False}
        message = json.dumps([0, 1, self.NAMES[command], params]).encode()
        self.socket.sendall(b"%d:%b" % (len(message), message))
        _, _, error, value = self._read()
        if error:
            return {"status": 500, "value": json.dumps({"value": error})}
        return {"value": value["value"] if isinstance(value, dict) and set(value) == {"value"} else value}


class Engine:
    """A browser under test. `folder` is for its profile and what it prints."""

    def __init__(self, name: str, folder: Path, display: str) -> None:
        self.name, self.folder, self.processes = name, folder, []
        self.environment = {**os.environ, "DISPLAY": display, "XDG_CONFIG_HOME": str(folder), "GDK_BACKEND": "x11"}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.driver: WebDriver = getattr(self, f"_{name}")(folder, port)
        self.driver.set_script_timeout(60)
        self.version = self.driver.capabilities["browserVersion"]

    def _start(self, *command: str, port: int) -> None:
        quiet = subprocess.DEVNULL
        self.processes.append(subprocess.Popen(command, env=self.environment, stdout=quiet, stderr=quiet))
        assert wait(lambda: not socket.create_connection(("127.0.0.1", port)).close()), f"{command[0]} does not start"

    def _chromium(self, folder: Path, port: int) -> WebDriver:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for argument in (
            "--no-sandbox",
            "--hide-scrollbars",
            "--disable-background-networking",
            f"--user-data-dir={folder}/profile",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.ChromeService(shutil.which("chromedriver"), env=self.environment)
        return webdriver.Chrome(options, service)

    def _firefox(self, folder: Path, port: int) -> WebDriver:
        (folder / "user.js").write_text(f'user_pref("marionette.port", {port});')
        arguments = ["--marionette", "--remote-allow-system-access", "--no-remote", "--profile", str(folder)]
        self._start("firefox-esr", *arguments, "about:blank", port=port)
        return WebDriver(Marionette(port), options=webdriver.FirefoxOptions())

    def _webkit(self, folder: Path, port: int) -> WebDriver:
        (folder / "gtk-3.0").mkdir()
        (folder / "gtk-3.0/gtk.css").write_text(NARROW_TOOLBAR)
        self.environment["WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS"] = "1"  # it cannot be had in a container
        options = webdriver.WebKitGTKOptions()
        options.binary_location = mini_browser()
        options.add_argument("--automation")
        self._start("WebKitWebDriver", f"--port={port}", port=port)
        return webdriver.Remote(f"http://127.0.0.1:{port}", options=options)

    def chrome(self, script: str, *values: object) -> object:
        """Run a script in Firefox itself, not in the page."""
        self.driver.execute("setContext", {"value": "chrome"})
        try:
            return self.driver.execute_script(script, *values)
        finally:
            self.driver.execute("setContext", {"value": "content"})

    def resize(self, width: int, height: int = 900) -> None:
        """Give the page's window a size in CSS pixels."""
        if self.name == "firefox":  # its window has a least width, the page in it has none
            each = "for (const k of ['', 'min-', 'max-']) s.setProperty(k + name, value + 'px', 'important')"
            style = "const s = gBrowser.selectedBrowser.style;"
            self.chrome(
                f"{style} for (const [name, value] of Object.entries(arguments[0])) {each}",
                {"width": width, "height": height},
            )
        elif self.name == "chromium":
            metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        else:
            frame = self.run("return [outerWidth - innerWidth, outerHeight - innerHeight]")
            self.driver.set_window_rect(0, 0, width + frame[0], height + frame[1])
        self.until(f"innerWidth === {width}")

    def complaints(self, urls: list[str]) -> list[str]:
        """Errors and warnings that the console shows for these pages, breaches of their policy too.

        Raises AssertionError where it does not show the one of a page that is added to them.
        """
        breach = self.folder / "breach.html"
        breach.write_text("<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\"><script>1</script>")
        said = self._said([breach.as_uri(), *urls])
        ours = [row for row in said if "breach.html" in row]
        assert len(ours) == 1, f"a breach of a policy was not heard: {ours}"
        # Chrome does not read the manifest of a page on a disk, and WebKitGTK knows none: both say so.
        return [row for row in said if row not in ours and "manifest" not in row]

    def _said(self, urls: list[str]) -> list[str]:
        if self.name == "webkit":  # says nothing to a driver: pages are opened in tabs of a browser without one
            log = self.folder / "console.txt"
            command = ["stdbuf", "-oL", mini_browser(), "--enable-write-console-messages-to-stdout=true", *urls]
            with log.open("w") as out:
                browser = subprocess.Popen(command, env=self.environment, stdout=out, stderr=subprocess.DEVNULL)
            wait(lambda: "breach.html" in log.read_text(), 60)  # the first
            time.sleep(20)  # nothing says when all tabs have loaded
            browser.terminate()
            browser.wait()
            return re.findall(r"^.*CONSOLE .*(?:ERROR|WARN).*$", log.read_text(), re.M)
        if self.name == "chromium":
            self.driver.get_log("browser")  # what earlier pages said
        for url in urls:
            self.driver.get(url)
            time.sleep(0.7)
        if self.name == "chromium":
            return [row["message"] for row in self.driver.get_log("browser") if row["level"] in ("SEVERE", "WARNING")]
        rows = self.chrome("""
          const all = Services.console.getMessageArray().filter((row) => row instanceof Ci.nsIScriptError)
          Services.console.reset()
          const errors = all.filter((row) => !(row.flags & row.warningFlag)) // it warns of Material's scripts and of MathML
          return errors.map((row) => `${row.sourceName}: ${row.errorMessage}`)""")
        return [row for row in rows if row.startswith(("http://127.0.0.1:", "file:"))]  # others are its own affairs

    def run(self, script: str, *values: object) -> object:
        """Run a script in the page."""
        return self.driver.execute_script(script, *values)

    def until(self, condition: str, *values: object, seconds: float = 15) -> None:
        """Wait for an expression of the page to hold. Raises AssertionError with the expression."""
        assert wait(lambda: self.run(f"return !!({condition})", *values), seconds), condition

    def keys(self, *keys: str, control: bool = False) -> None:
        """Press keys, one after another, as a person does."""
        chain = ActionChains(self.driver, duration=0)
        chain = (
            chain.key_down(Keys.CONTROL).send_keys(*keys).key_up(Keys.CONTROL) if control else chain.send_keys(*keys)
        )
        chain.perform()

    def click(self, element: str) -> None:
        """Press an element of the page, given as an expression, with the pointer."""
        ActionChains(self.driver, duration=0).click(self.run(f"return {element}")).perform()

    def close(self) -> None:
        """End the browser and what drives it."""
        with contextlib.suppress(WebDriverException, OSError, ValueError):  # it is gone
            self.driver.quit()
        for process in self.processes:
            process.terminate()
            process.wait()


def wait(done: Callable[[], object], seconds: float = 30) -> bool:
    """Try until it is true; False when the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if done():
                return True
        except (WebDriverException, OSError):
            pass  # not yet: the page is changing, or the browser starts
        time.sleep(0.1)
    return False


# ---- the checks: each raises AssertionError with what it saw, or gives a note for the table ------------

SEARCH = "[role=combobox]"
IN_VIEW = "(e => { const { top, bottom } = e.getBoundingClientRect(); return top < innerHeight && bottom > 0 })"


def search(engine: Engine, words: str) -> list[str]:
    """The addresses that typing `words` into the box leads to."""
    engine.run(f"const box = document.querySelector('{SEARCH}'); box.focus(); box.select()")
    engine.keys(words)
    engine.until("document.querySelector('[role=listbox]').dataset.query === arguments[0]", words)
    return engine.run(
        "return [...document.querySelectorAll('[role=option]')].map((option) => option.href + ' ' + option.innerText)"
    )


def console(engine: Engine, base: str) -> None:
    """No error, no warning, no breach of the policy, and no request to another host, on any kind of page."""
    for page in PAGES:
        engine.driver.get(base + page)
        engine.until("document.documentElement.dataset.material")
        asked = engine.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")
        away = [url for url in asked if not url.startswith((base, "data:"))]
        assert asked and not away, f"{page}: {away}"
    said = engine.complaints([base + page for page in PAGES])
    assert not said, said


# In a page without a policy: shows the site in a frame, and looks at each frame drawn where its blocks stand.
STILL = """
const [url, width, done] = arguments, first = new Map(), end = performance.now() + 2500
const frame = document.createElement("iframe")
frame.style.cssText = `width: ${width}px; height: 800px; border: 0`
let worst = [0, ""]
const look = () => {
  const page = frame.contentDocument
  if (page?.URL === url && page.body && frame.contentWindow.getComputedStyle(page.documentElement).visibility === "visible")
    for (const block of page.querySelectorAll("h1, h2, h3, p, pre, figure, table, li, mjx-container")) {
      const { top, left } = block.getBoundingClientRect()
      if (!first.has(block) && top < 800) first.set(block, [top, left])
      const [y, x] = first.get(block) ?? [top, left]
      const moved = Math.abs(top - y) + Math.abs(left - x)
      if (moved > worst[0]) worst = [moved, block.textContent.slice(0, 30)]
    }
  performance.now() < end ? requestAnimationFrame(look) : done([first.size, ...worst, frame.remove()])
}
frame.src = url
document.body.append(frame)
look()
"""


def still(engine: Engine, base: str) -> None:
    """Nothing moves from the moment when a page is first seen."""
    for page in PAGES:
        for width in (360, 1280):
            engine.driver.get(base + "assets/")  # a list of files: no policy
            seen, moved, text, _ = engine.driver.execute_async_script(STILL, base + page, width)
            assert seen > 3 and moved < 1, f"{page} at {width} px: {moved:.1f} px, {text!r} ({seen} blocks seen)"


def formulas(engine: Engine, base: str) -> None:
    """Glyphs come from the fonts that were sent, MathML is there and unseen, no period begins a line."""
    engine.resize(360)
    engine.driver.get(base + "fundamentals/losses.html")
    engine.until("[...document.fonts].length > 4 && [...document.fonts].every((font) => font.status === 'loaded')")
    bad = engine.run("""
      document.querySelectorAll(".answer, .footnote").forEach((box) => (box.style.contentVisibility = "visible"))
      const bad = []
      for (const formula of document.querySelectorAll("mjx-container")) {
        const { width, height } = formula.querySelector("mjx-math").getBoundingClientRect()
        const spoken = formula.querySelector("mjx-assistive-mml math")
        if (width < 2 || height < 2) bad.push("empty " + formula.dataset.tex)
        if (!spoken || getComputedStyle(spoken.parentElement).clipPath === "none") bad.push("MathML of " + formula.dataset.tex)
        const next = formula.nextSibling, range = new Range()
        if (formula.hasAttribute("display") || !/^[.,;:)?!]/.test(next?.data ?? "")) continue
        range.setStart(next, 0)
        range.setEnd(next, 1)
        if (range.getBoundingClientRect().left < [...formula.getClientRects()].pop().left) bad.push(`${formula.dataset.tex} | ${next.data[0]}`)
      }
      return bad""")
    assert not bad, bad


def looks(engine: Engine, base: str) -> None:
    """What style sheets say is understood: a proven number is dotted below, both schemes have their grounds."""
    engine.resize(1280)
    engine.driver.get(base + CHAPTER)
    line = engine.run(
        "const s = getComputedStyle(document.querySelector('a.claim')); return s.textDecorationLine + ' ' + s.textDecorationStyle"
    )
    assert line == "underline dotted", line
    grounds = []
    for _ in range(3):  # the system's scheme, light, dark
        grounds.append(engine.run("return getComputedStyle(document.body).backgroundColor"))
        engine.run("document.querySelector('[data-chosen]').click()")
        time.sleep(0.4)
    assert len(set(grounds)) == 2, grounds


def narrow(engine: Engine, base: str) -> None:
    """At 320 px nothing scrolls sideways but what has a box of its own."""
    engine.resize(320)
    for page in PAGES:
        engine.driver.get(base + page)
        wide = engine.run("""
          const boxes = [...document.querySelectorAll(".answer, .nb-cell, .footnote")]
          boxes.forEach((box) => (box.style.contentVisibility = "visible"))
          return [document.documentElement, ...boxes].filter((box) => box.scrollWidth > box.clientWidth).map((box) => box.id || box.tagName)""")
        assert not wide, f"{page}: {wide}"
    engine.resize(1280)


def navigation(engine: Engine, base: str) -> None:
    """A link changes the page in place, Back leads to where the reader was, a #hash to its heading."""
    engine.driver.get(base + CHAPTER)
    engine.until("document.querySelectorAll('a.claim').length > 20")
    engine.run(
        "window.same = true; document.querySelectorAll('.answer a.claim')[20].scrollIntoView({ block: 'center' })"
    )
    time.sleep(0.6)  # Material stores the place a moment later
    before = engine.run("return scrollY")
    place = "return document.querySelectorAll('.answer a.claim')[20].getBoundingClientRect().top"
    top = engine.run(place)
    engine.click("document.querySelectorAll('.answer a.claim')[20]")  # Safari's Back passes by what no finger did
    engine.until(f"location.pathname.includes('/notebooks/') && {IN_VIEW}(document.querySelector('.nb-cell :target'))")
    assert engine.run("return window.same === true"), "the page was loaded anew"
    time.sleep(0.6)
    engine.driver.back()
    engine.until(f"location.pathname.includes('{CHAPTER}') && document.querySelector('.answer')")
    assert wait(lambda: abs(engine.run(place) - top) < 3, 3), (
        f"Back: {engine.run(place)} px from the top, was {top}; scrolled {engine.run('return scrollY')}, was {before}"
    )
    ids = engine.run("return [...document.querySelectorAll('h2[id]')].map((heading) => heading.id)")
    for address in (f"{CHAPTER}#{ids[-2]}", f"{CHAPTER}#{ids[3]}"):
        engine.driver.get(base + "offline.html")
        engine.driver.get(base + address)
        at = "document.querySelector(':target').getBoundingClientRect().top"
        time.sleep(1)
        assert wait(lambda at=at: 0 <= engine.run(f"return {at}") < 200, 3), (
            f"{address} at {engine.run(f'return {at}')} px"
        )


def searching(engine: Engine, base: str) -> None:
    """Search by typing and by keys alone."""
    engine.driver.get(base + "offline.html")
    for words, wanted in (("KV cache", "KV cache"), ("coalesing", "#coalescing"), ("torch.compile", "torch.compile")):
        found = search(engine, words)
        assert any(wanted in url for url in found[:3]), f"{words}: {found[:3]}"
    engine.keys(Keys.ESCAPE)
    engine.until("!document.getElementById('__search').checked")
    for key in "/k":
        engine.run("document.activeElement.blur()")
        engine.keys(key, control=key == "k")
        engine.until(f"document.activeElement === document.querySelector('{SEARCH}')")
    found = search(engine, "bank conflict")
    engine.keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_UP)
    engine.until("document.querySelector('[role=option]').ariaSelected === 'true'")
    engine.keys(Keys.ENTER)
    engine.until(f"location.href === arguments[0] && {IN_VIEW}(document.querySelector(':target'))", found[0].split()[0])
    engine.until("!CSS.highlights || CSS.highlights.get('search')?.size > 0")


def copying(engine: Engine, base: str) -> None:
    """A formula is copied as TeX, code by its button."""
    engine.driver.get(base + "fundamentals/losses.html")
    tex = engine.run("""
      const formula = document.querySelector(".answer mjx-container[display]")
      formula.scrollIntoView({ block: "center" })
      getSelection().selectAllChildren(formula)
      return formula.dataset.tex""")
    assert "".join(tex.split()) in "".join(pasted(engine, lambda: engine.keys("c", control=True)).split())
    engine.driver.get(base + NOTEBOOK)
    engine.until("document.querySelector('.md-code__button')")
    engine.run("document.querySelector('.highlight').scrollIntoView({ block: 'center' })")
    text = pasted(engine, lambda: engine.click("document.querySelector('.md-code__button')"))
    assert "import" in text, text


def pasted(engine: Engine, copy: Callable[[], None]) -> str:
    """What is in the clipboard after `copy`: it is pasted into the search box."""
    copy()
    time.sleep(0.4)
    engine.run(f"document.querySelector('{SEARCH}').focus(); document.querySelector('{SEARCH}').value = ''")
    engine.keys("v", control=True)
    assert wait(lambda: engine.run(f"return document.querySelector('{SEARCH}').value"), 5), "nothing was copied"
    return engine.run(f"return document.querySelector('{SEARCH}').value")


def keyboard(engine: Engine, base: str) -> None:
    """Tab leads through the page: each stop is in view and has a line around it; a title is shown at its stop."""
    engine.driver.get(base + CHAPTER)
    engine.until("document.querySelector('.md-header')")
    seen, tips = [], 0
    for _ in range(60):
        engine.keys(Keys.TAB)
        stop = engine.run(f"""
          const e = document.activeElement, style = getComputedStyle(e), line = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1
          return [e.tagName + " " + (e.textContent.trim() || e.ariaLabel || e.id).slice(0, 30), line || e.matches("{SEARCH}"), {IN_VIEW}(e), !!document.querySelector(".title-tip:popover-open")]""")
        seen.append(stop[0])
        tips += stop[3]
        assert stop[1], f"no line around {stop[0]!r}, stop {len(seen)}"
        engine.until(f"{IN_VIEW}(document.activeElement)", seconds=3)  # it may scroll there smoothly
    assert len(set(seen)) > 30 and tips, f"{len(set(seen))} stops, {tips} titles shown: {seen}"


def disk(engine: Engine, base: str) -> None:
    """The site from file://: pages, formulas, search."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "USB stick"
        shutil.copytree(browsing.SITE, copy, ignore=shutil.ignore_patterns("*.map", "*.ipynb"))
        said = engine.complaints([f"{copy.as_uri()}/{page}" for page in PAGES])
        assert not said, said
        engine.driver.get(f"{copy.as_uri()}/index.html")
        engine.run("document.querySelector(`article a[href*='questions.html']`).click()")
        engine.until("document.querySelector('.question-filter form')")
        engine.driver.get(f"{copy.as_uri()}/{CHAPTER}")
        engine.until("getComputedStyle(document.documentElement).visibility === 'visible'")
        engine.until("[...document.fonts].some((font) => font.family.includes('MJX') && font.status === 'loaded')")
        found = search(engine, "bank conflict")
        assert found and found[0].startswith(copy.as_uri()), found
        engine.keys(Keys.ENTER)
        engine.until(
            f"location.href === arguments[0] && {IN_VIEW}(document.querySelector(':target'))", found[0].split()[0]
        )


class Plain(browsing.Server):
    """Serves files as they are: the worker refuses a sitemap that is not the edition's."""

    do_GET = SimpleHTTPRequestHandler.do_GET


def offline(engine: Engine, base: str) -> None:
    """The service worker: installs, saves the whole book; then the server is gone, and the book is read and searched."""
    server = browsing.serve(browsing.SITE, handler=Plain)
    here = f"http://127.0.0.1:{server.server_port}/"
    try:
        engine.driver.get(here + "offline.html")
        engine.until("navigator.serviceWorker.controller", seconds=30)
        engine.until(
            "document.querySelector('[data-offline] button') && !document.querySelector('[data-offline] button').disabled"
        )
        engine.run("document.querySelector('[data-offline] button').click()")
        engine.until(
            "document.querySelector('[data-offline] output').textContent.includes('whole book is saved')", seconds=120
        )
    finally:
        browsing.stop(server)
    for page in ("index.html", CHAPTER, NOTEBOOK):
        engine.driver.get(here + page)
        engine.until("document.querySelector('article h1')")
    found = search(engine, "bank conflict")
    engine.keys(Keys.ENTER)
    engine.until(f"location.href === arguments[0] && {IN_VIEW}(document.querySelector(':target'))", found[0].split()[0])


CHECKS = [console, still, formulas, looks, narrow, navigation, searching, copying, keyboard, disk, offline]


def pictures(engine: Engine, base: str) -> None:
    """Each page, wide and narrow, light and dark."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for width in (1280, 360):
        engine.resize(width, 1600)
        for page in PAGES:
            engine.driver.get(base + page)
            for scheme in ("default", "slate"):
                for _ in range(2):  # system, light, dark
                    if engine.run("return document.body.dataset.mdColorScheme") != scheme:
                        engine.run("document.querySelector('[data-chosen]').click()")
                        time.sleep(0.4)
                name = page.removesuffix(".html").replace("/", "-")
                engine.driver.save_screenshot(str(PICTURES / f"{name}-{scheme}-{width}-{engine.name}.png"))


@contextlib.contextmanager
def screen(size: str) -> Iterator[str]:
    """A display that nobody sees; its name."""
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", f"{size}x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    yield f":{server.stdout.readline().strip()}"
    server.terminate()
    server.wait()


def install() -> None:
    """Install the browsers that are missing, where this is Debian and root. Exits with what to do where it is not."""
    missing = [package for command, package in zip(COMMANDS, PACKAGES, strict=True) if not shutil.which(command)]
    if missing and shutil.which("apt-get") and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=environment, check=False)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], env=environment, check=True
        )
    elif missing:
        sys.exit(f"Missing browsers. Install, as Debian calls them: {' '.join(missing)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    names = ["chromium", "firefox", "webkit"]
    parser.add_argument("--engine", action="append", choices=names)
    parser.add_argument("--check", action="append", choices=[check.__name__ for check in CHECKS])
    parser.add_argument("--pictures", action="store_true")
    options = parser.parse_args()
    install()
    checks = [check for check in CHECKS if not options.check or check.__name__ in options.check]
    server = browsing.serve(browsing.SITE)
    base = f"http://127.0.0.1:{server.server_port}/"
    table: dict[str, list[str]] = {}
    faults = []
    for name in options.engine or names:
        # The pointer stands in the middle of the screen. Without a window manager GTK gives the keyboard to what is below it.
        size = "600x1400" if name == "webkit" else "1700x2000"
        with screen(size) as display, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            engine = Engine(name, Path(folder), display)
            column = table.setdefault(f"{name} {engine.version}", [])
            for check in [*checks, *([pictures] if options.pictures else [])]:
                start = time.monotonic()
                try:
                    check(engine, base)
                    column.append("ok")
                except (AssertionError, WebDriverException) as fault:
                    column.append("FAILS")
                    faults.append(f"{name}, {check.__name__}: {fault}")
                print(
                    f"{name} {check.__name__} {column[-1]} {time.monotonic() - start:.1f} s",
                    file=sys.stderr,
                    flush=True,
                )
            engine.close()
    browsing.stop(server)
    print("| check | " + " | ".join(table) + " |\n| --- |" + " --- |" * len(table))
    for row, check in enumerate(checks):
        print(f"| {check.__name__} | " + " | ".join(column[row] for column in table.values()) + " |")
    print("\n".join(faults), file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
