"""Fixtures for tests of the built site in Chromium: a server, a browser, a page that fails its test on any fault."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import chromium
import pytest
from conftest import ROOT
from playwright.sync_api import Browser, Page, sync_playwright

SITE = ROOT / "site"
NO_WORKER = "delete Navigator.prototype.serviceWorker"


class Server(SimpleHTTPRequestHandler):
    """Serves a site as if it were published here: its sitemap, by which instant navigation goes, names this address."""

    def do_GET(self) -> None:
        if self.path != "/sitemap.xml":
            return super().do_GET()
        here = f"http://{self.headers['Host']}/"
        text = (Path(self.directory) / "sitemap.xml").read_text(encoding="utf-8")
        content = re.sub(r"(?<=<loc>)https://worked-answers\.github\.io/handbook/", here, text).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.end_headers()
        return self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def serve(folder: Path, port: int = 0, handler: type = Server) -> ThreadingHTTPServer:
    """Serve a folder on `port` of this machine, or on any free one, until `stop`."""
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def stop(server: ThreadingHTTPServer) -> None:
    """End a server and give its port back."""
    server.shutdown()
    server.server_close()


def hang(server: ThreadingHTTPServer, part: str = "") -> Callable[[], None]:
    """Leave requests for addresses with `part` in them without an answer, as on a train; no socket fails.

    The function returned lets new requests through again. Those that wait go on waiting, for a minute.
    """
    ordinary = server.RequestHandlerClass

    class Hanging(Server):
        def send_head(self):  # of GET and HEAD
            return None if part in self.path and not threading.Event().wait(60) else super().send_head()

    server.RequestHandlerClass = partial(Hanging, **ordinary.keywords)
    return lambda: setattr(server, "RequestHandlerClass", ordinary)


@pytest.fixture(scope="session")
def built() -> Path:
    if not (SITE / "index.html").is_file():
        pytest.exit("There is no built site. Run `make build` (or `make test`, which does).", 1)
    return SITE


@pytest.fixture(scope="session")
def address(built: Path) -> Iterator[str]:
    server = serve(built)
    yield f"http://127.0.0.1:{server.server_port}/"
    stop(server)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium.find()
    assert path, chromium.HELP
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


def watch(page: Page, allowed: str) -> list[str]:
    """What goes wrong on a page from now on: errors, warnings, failed requests, requests elsewhere than `allowed`."""
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda r: faults.append(r.url) if not r.url.startswith((allowed, "data:", "blob:")) else None)
    page.on("response", lambda r: faults.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    return faults


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page that fails its test on a console error, a failed request, or a request to another host."""
    context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 900})
    context.add_init_script(NO_WORKER)  # tested in test_offline.py; here it would load what the test does not
    context.set_default_timeout(10_000)
    page = context.new_page()
    faults = watch(page, address)
    yield page
    context.close()
    assert faults == []


def lay_out_all(page: Page) -> None:
    """Have the whole page laid out, also what is far from the window (`content-visibility` in handbook.css)."""
    page.evaluate(
        "document.querySelectorAll('.answer, .nb-cell, .footnote').forEach((box) => (box.style.contentVisibility = 'visible'))"
    )


def too_wide(page: Page) -> list[str]:
    """What is wider than the window, or than a box that would cut what overhangs it; each with the pixels."""
    lay_out_all(page)
    return page.evaluate(
        """() => [document.documentElement, ...document.querySelectorAll(".answer, .nb-cell, .footnote")]
          .filter((box) => box.scrollWidth > box.clientWidth)
          .map((box) => `${box.scrollWidth - box.clientWidth} px: ${(box.previousElementSibling ?? box).id || box.tagName}`)"""
    )


def until(page: Page, condition: str) -> None:
    """Wait for an expression to hold. Playwright's own `wait_for_function` evaluates text, which the policy forbids."""
    page.evaluate(
        "async () => { for (let turn = 0; turn < 400; turn++) {"
        f" if ({condition}) return; await new Promise(go => setTimeout(go, 50)) }} throw new Error('waited in vain') }}"
    )


def settle(page: Page) -> None:
    """Have the whole page laid out, and wait until it has marked its boxes that scroll (reading.js)."""
    lay_out_all(page)
    page.evaluate(
        "new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve))))"
    )


def mounted(page: Page) -> None:
    """Wait until links are followed by instant navigation: Material runs, and has the list of the site's pages."""
    until(page, "document.documentElement.dataset.material")
    until(page, "performance.getEntriesByType('resource').some((e) => e.name.endsWith('sitemap.xml') && e.responseEnd)")
    page.wait_for_timeout(100)
