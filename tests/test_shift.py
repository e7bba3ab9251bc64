"""Nothing moves while a page comes over a slow line: its HTML in pieces, its scripts later than its text."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from browsing import SITE, Server, stop

PAGES = [
    "index.html",
    "questions.html",
    "evidence.html",
    "wrong.html",
    "fundamentals/losses.html",
    "notebooks/cuda/accelerators.html",
]
PIECES, PAUSE = 24, 0.04  # seconds
SHIFTS = """() => new Promise((done) => {
  const seen = []
  new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries()) {
      seen.push([value, ...sources.map(({ node }) => node && (node.className || node.nodeName))])
    }
  }).observe({ type: "layout-shift", buffered: true })
  setTimeout(() => done(seen), 500)
})"""


class SlowServer(Server):
    """Sends pages in pieces, and scripts late, as a slow line does."""

    def do_GET(self) -> None:
        path = Path(self.directory) / self.path.split("?")[0].lstrip("/")
        if path.suffix == ".js":
            time.sleep(PIECES * PAUSE / 2)
        if path.suffix != ".html":
            return super().do_GET()
        content = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        size = len(content) // PIECES + 1
        if cut := parse_qs(urlsplit(self.path).query).get("cut"):  # one long wait, before this text
            size = content.index(cut[0].encode())
            self.wfile.write(content[:size])
            time.sleep(1)
            content = content[size:]
        for start in range(0, len(content), size):
            self.wfile.write(content[start : start + size])
            time.sleep(PAUSE)
        return None


@pytest.fixture(scope="module")
def slow(built: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SlowServer, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    stop(server)


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("url", PAGES)
def test_nothing_shifts_while_a_page_comes_in_pieces(browser, slow, url, width):
    context = browser.new_context(viewport={"width": width, "height": 800}, service_workers="block")
    page = context.new_page()
    page.goto(slow + url)
    page.wait_for_load_state("networkidle")
    shifts = page.evaluate(SHIFTS)
    context.close()
    assert sum(shift[0] for shift in shifts) <= 0.01, shifts


@pytest.mark.parametrize("cut", ["data-search", "md-header__source", "md-source__icon", "</header>"])
def test_nothing_shifts_where_a_piece_ends_inside_of_the_header(browser, slow, cut):
    context = browser.new_context(viewport={"width": 1280, "height": 800}, service_workers="block")
    page = context.new_page()
    page.goto(f"{slow}index.html?cut={quote(cut)}")
    page.wait_for_load_state("networkidle")
    shifts = page.evaluate(SHIFTS)
    context.close()
    assert shifts == []
