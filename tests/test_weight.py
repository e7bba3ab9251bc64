"""What a reader's first visit weighs, against the budgets of docs/decisions/0007-reading.md; `pytest -s` shows the table.

Compressed is brotli at its best, as a host that compresses ahead of time serves; GitHub Pages serves gzip, which the table
shows beside it. The fonts stand in style sheets and so are counted.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import brotli
import pytest
from browsing import SITE, until
from conftest import ROOT
from handbook import chapters, notebooks
from lxml import html
from playwright.sync_api import expect

# In bytes, compressed, but for the requests.
PAGE = {"home": 40_000, "chapter": 40_000, "notebook": 60_000}
LISTS = ["questions", "wrong", "sources", "evidence"]  # generated; they grow with the book
PAGE |= dict.fromkeys(LISTS, 40_000)
FIRST_VISIT = 300_000
REQUESTS = 14
# Loaded everywhere: the theme, and what each page of the book has. Formulas' styles too, on a page without formulas when it
# is drawn, so that a reader who goes on to one with formulas sees nothing jump.
EVERYWHERE = {
    "bundle.js", "main.css", "palette.css", "fonts.css", "handbook.css", "mathjax.css",
    "material.js", "reading.js", "search.js", "offline.js",
}  # fmt: skip
ONLY_ON = {"home": {"home.css"}, "notebook": {"notebook.css"}, "questions": {"questions.js"}}
LATER = {"sitemap.xml", "manifest.webmanifest", "favicon.svg"}  # asked for when the page stands


@dataclass(frozen=True)
class Visit:
    """The first visit to a page: its own bytes, and those of everything that it asks for."""

    page: Path
    raw: int
    compressed: int
    gzip: int
    loaded: dict[str, int]  # compressed bytes by file

    @property
    def total(self) -> int:
        return sum(self.loaded.values())


def compressed(body: bytes) -> int:
    return len(brotli.compress(body, quality=11))


def heaviest(pages: list[Path]) -> Path:
    return max(pages, key=lambda page: page.stat().st_size)


@pytest.fixture(scope="module")
def visits(browser, address) -> dict[str, Visit]:
    """The first visits to the home page, the lists, the heaviest chapter and the heaviest notebook."""
    kinds = {
        "home": SITE / "index.html",
        "chapter": heaviest([SITE / chapter.name.replace(".md", ".html") for chapter in chapters.read_all(ROOT)]),
        "notebook": heaviest([SITE / p.relative_to(ROOT).with_suffix(".html") for p in notebooks.paths(ROOT)]),
    } | {name: SITE / f"{name}.html" for name in LISTS}
    found = {}
    for kind, path in kinds.items():
        context = browser.new_context(base_url=address, service_workers="block")
        page = context.new_page()
        page.goto(path.relative_to(SITE).as_posix())
        page.wait_for_load_state("networkidle")
        seen = [page.url, *page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")]
        context.close()
        files = {SITE / url.removeprefix(address).split("?")[0].split("#")[0] for url in seen if url.startswith("http")}
        loaded = {file.name: compressed(file.read_bytes()) for file in files if file.is_file()}
        size = len(gzip.compress(path.read_bytes(), compresslevel=9))
        found[kind] = Visit(path, path.stat().st_size, loaded[path.name], size, loaded)
    return found


def short(name: str) -> str:
    """`main.57a0d79d.min.css` as `main.css`."""
    first, *_, last = name.split(".")
    return f"{first}.{last}"


def test_the_weights_are_within_their_budgets(visits, capsys):
    with capsys.disabled():
        print("\n| page | raw, kB | gzip, kB | brotli, kB | budget | requests | first visit, brotli, kB | budget |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        for kind, visit in visits.items():
            print(
                f"| {kind}: {visit.page.relative_to(SITE)} | {visit.raw / 1e3:.1f} | {visit.gzip / 1e3:.1f} | {visit.compressed / 1e3:.1f} | {PAGE[kind] / 1e3:.0f}"
                f" | {len(visit.loaded)} | {visit.total / 1e3:.1f} | {FIRST_VISIT / 1e3:.0f} |"
            )
    for kind, visit in visits.items():
        assert visit.compressed <= PAGE[kind], kind
        assert visit.total <= FIRST_VISIT, (kind, sorted(visit.loaded.items(), key=lambda row: -row[1]))
        assert len(visit.loaded) <= REQUESTS, (kind, sorted(visit.loaded))


@pytest.mark.parametrize("kind", list(PAGE))
def test_a_page_loads_nothing_that_only_others_need(visits, kind):
    loaded = {short(name) for name in visits[kind].loaded}
    assert loaded >= EVERYWHERE
    extra = loaded - EVERYWHERE - {short(visits[kind].page.name)} - LATER
    assert extra == ONLY_ON.get(kind, set())


def test_a_page_is_read_and_searched_before_material_is_there_and_formulas_elsewhere(page):
    """On a slow line, and on a slow phone."""
    held = []
    for file in ("bundle.*.js", "mathjax.css"):
        page.route(f"**/{file}", lambda route: held.append(route))
    page.goto("index.html", wait_until="domcontentloaded")  # what is held holds up "load"
    until(page, "performance.getEntriesByName('first-contentful-paint').length")
    expect(page.locator("article h1")).to_be_visible()
    search = page.get_by_role("combobox", name="Search")
    search.fill("warp divergence")
    expect(page.locator("[role=option]").first).to_be_visible()
    until(page, "document.querySelector('link[href$=\"mathjax.css\"]')")
    assert page.evaluate("window.document$") is None
    page.wait_for_timeout(500)
    (styles,) = held  # before Material, so that the next page's formulas do not jump
    styles.continue_()
    until(page, "document.querySelector('script[src*=bundle]:not([type])')")
    page.wait_for_timeout(500)
    held[1].continue_()
    until(page, "window.document$")


def test_pictures_are_sized_and_wait_until_they_are_near():
    """Figures are SVG in the page, with a viewBox; a picture file has its size, and is lazy."""
    unsized, figures = [], 0
    for path in SITE.rglob("*.html"):
        tree = html.parse(str(path)).getroot()
        unsized += [
            (path.name, image.get("src"))
            for image in tree.iter("img")
            if not (image.get("width") and image.get("height") and image.get("loading") == "lazy")
        ]
        for drawing in tree.xpath("//*[contains(@class, 'evidence-output') or contains(@class, 'nb-figure')]//svg"):
            figures += 1
            if not drawing.get("viewbox"):
                unsized.append((path.name, drawing.get("aria-label")))
    assert figures > 0
    assert unsized == []


def test_fonts_are_in_the_style_sheets_and_cut_to_what_is_shown():
    """A font that comes after the text moves it; one that holds every glyph weighs a quarter of a megabyte."""
    sheets = {path: path.read_text(encoding="utf-8") for path in SITE.rglob("*.css")}
    assert not [path.name for path in SITE.rglob("*") if path.suffix in (".woff", ".woff2", ".ttf", ".otf")]
    outside = [(p.name, s[at : at + 60]) for p, s in sheets.items() if (at := s.find("url(http")) >= 0]
    assert outside == []
    assert compressed((SITE / "assets/css/mathjax.css").read_bytes()) <= 90_000
    assert compressed((SITE / "assets/fonts/fonts.css").read_bytes()) <= 35_000
