"""The built site: its files, and its pages in Chromium. `make test` builds it first."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlparse

import brotli
import pytest
from browsing import SITE, lay_out_all, too_wide, until
from conftest import ROOT
from handbook import chapters, evidence, mathematics, notebooks
from lxml import html
from playwright.sync_api import expect

BOOK = chapters.read_all(ROOT)
WIDTHS = (320, 390, 1280)


def url_of(chapter: chapters.Chapter) -> str:
    return chapter.name.removesuffix(".md") + ".html"


# One of each kind of page, and every chapter.
KINDS = [
    "",
    "conventions.html",
    "questions.html",
    "sources.html",
    "evidence.html",
    "wrong.html",
    "offline.html",
    "cuda/index.html",
    "notebooks/cuda/accelerators.html",
]
PAGES = [*KINDS, *map(url_of, BOOK)]


# ---- files -----------------------------------------------------------------------------------


def documents() -> dict[Path, html.HtmlElement]:
    return {path: html.parse(str(path)).getroot() for path in sorted(SITE.rglob("*.html"))}


def test_every_inside_link_and_anchor_leads_somewhere():
    trees = documents()
    anchors = {path: {e.get("id") for e in tree.iter() if e.get("id")} for path, tree in trees.items()}
    broken = []
    for path, tree in trees.items():
        if path.name == "404.html":  # its links are absolute, from the address of publication
            continue
        base = f"http://site/{path.relative_to(SITE).as_posix()}"
        for element, attribute, link, _ in tree.iterlinks():
            address, anchor = urldefrag(urljoin(base, link))
            if urlparse(address).hostname != "site" or element.get("rel") in ("canonical", "prev", "next"):
                continue
            target = SITE / unquote(urlparse(address).path).lstrip("/")
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file() or (anchor and target in anchors and unquote(anchor) not in anchors[target]):
                broken.append((path.relative_to(SITE).as_posix(), attribute, link))
    assert broken == []


def test_no_page_names_another_host_for_what_it_loads():
    loads = []
    for path, tree in documents().items():
        for element, attribute, link, _ in tree.iterlinks():
            loading = attribute == "src" or (
                element.tag == "link" and element.get("rel") in ("stylesheet", "icon", "preload")
            )
            if loading and urlparse(link).netloc:
                loads.append((path.name, link))
    assert loads == []


def compressed(page: Path) -> int:
    return len(brotli.compress(page.read_bytes(), quality=11))


@pytest.mark.parametrize("chapter", BOOK, ids=lambda c: c.name)
def test_a_chapter_weighs_at_most_40_kb_compressed(chapter):
    assert compressed(SITE / url_of(chapter)) <= 40_000


def test_a_notebook_page_weighs_tens_of_kb():
    """Compressed, figures included: the longest here is below half of what the limit allows."""
    for path in notebooks.paths(ROOT):
        page = SITE / path.relative_to(ROOT).with_suffix(".html")
        assert compressed(page) <= 60_000, path
        assert "<style" not in page.read_text(encoding="utf-8").split("<article")[1], path


# ---- pages in Chromium -----------------------------------------------------------------------


@pytest.mark.parametrize("url", PAGES)
def test_no_sideways_scroll(page, url):
    page.goto(url)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert too_wide(page) == [], f"at {width} px"


def test_a_table_of_results_shows_its_last_columns_on_a_desktop(page):
    """Headers that never wrapped kept them out of sight, of which the caption speaks."""
    page.goto("cuda/flash-attention.html")
    lay_out_all(page)
    hidden = "(tables) => tables.map((table) => table.parentElement.scrollWidth - table.parentElement.clientWidth)"
    assert page.eval_on_selector_all(".evidence table.dataframe", hidden) == [0]


@pytest.mark.parametrize("chapter", BOOK, ids=lambda c: c.name)
def test_every_claim_is_marked_and_one_lands_on_its_number(page, chapter):
    page.goto(url_of(chapter))
    numbers = [claim for claim in evidence.claims(chapter.text) if not claim.embedded]
    assert page.locator("article a.claim").count() == len(numbers)
    page.locator("article a.claim").first.click()
    page.wait_for_url(f"**/{Path(numbers[0].notebook).stem}.html#{numbers[0].name}")
    value = page.locator(f".nb-output mark[id='{numbers[0].name}']")
    expect(value).to_be_in_viewport()
    assert value.evaluate("e => e.matches(':target')")
    expect(value).not_to_have_css("background-color", "rgba(0, 0, 0, 0)")


@pytest.mark.parametrize("chapter", BOOK, ids=lambda c: c.name)
def test_mathematics_shows_once_also_after_instant_navigation(page, chapter):
    written = chapters.formulas(chapter.text[chapter.body_start :])
    formulas = sum(not mathematics.number((tex, display)) for tex, display, _ in written)  # numbers alone are text
    page.goto("questions.html")
    page.locator(f"article a[href*='{url_of(chapter)}']").first.click()
    page.wait_for_url(f"**/{url_of(chapter)}**")
    expect(page.locator("article h1")).to_contain_text(chapter.title)
    assert page.locator("article mjx-container").count() >= formulas > 0
    page.reload()
    once = page.locator("article mjx-container").count()
    page.goto("questions.html")
    page.locator(f"article a[href*='{url_of(chapter)}']").first.click()
    expect(page.locator("article h1")).to_contain_text(chapter.title)  # the address changes before the page does
    assert page.locator("article mjx-container").count() == once
    assert "$" not in page.evaluate(
        "(() => { const a = document.querySelector('article').cloneNode(true);"
        " a.querySelectorAll('code, pre, mjx-container').forEach(e => e.remove()); return a.innerText })()"
    )


def test_what_a_title_says_is_shown_on_hover_and_on_focus_until_escape(page):
    page.goto("cuda/matmul.html")
    claim, tip = page.locator("article a.claim").first, page.get_by_role("tooltip")
    claim.hover()
    expect(tip).to_have_text(re.compile(r"Proven by \w+\.ipynb, cell [\w-]+ › [\w-]+"))
    says = tip.text_content()
    expect(claim).to_have_accessible_description(says)
    page.mouse.move(0, 0)
    expect(tip).to_have_count(0)
    page.keyboard.press("Tab")  # from now on the focus is shown
    claim.focus()
    expect(tip).to_be_visible()
    page.keyboard.press("Escape")
    expect(tip).to_have_count(0)
    assert claim.get_attribute("title") == says


def test_what_a_note_says_is_shown_over_its_number_and_its_links_can_be_reached(page):
    page.goto("cuda/memory-hierarchy.html")
    note = page.locator(".footnote li:has(a[href^='https:'])").first
    number = page.locator(f"article a.footnote-ref[href$='#{note.get_attribute('id')}']").first
    tip = page.get_by_role("tooltip")
    number.hover()
    expect(tip).to_be_visible()
    said = " ".join(tip.text_content().split())
    assert said and said in " ".join(note.text_content().split())
    assert not tip.locator(".footnote-backref").count()
    tip.locator("a").first.hover()
    page.wait_for_timeout(500)
    expect(tip).to_be_visible()
    page.mouse.move(0, 0)
    expect(tip).to_have_count(0)


@pytest.mark.parametrize("url", ["fundamentals/frameworks.html", "notebooks/cuda/coalescing.html"])
def test_code_is_copied_as_it_is_shown(page, url):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(url)
    block = page.locator("article .highlight").first
    block.locator("button").hover()
    expect(page.get_by_role("tooltip")).to_have_text("Copy to clipboard")
    expect(block.locator("button")).to_have_accessible_name("Copy to clipboard")  # also while its title is elsewhere
    block.locator("button").click()
    expect(page.locator(".md-dialog")).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()").strip() == block.locator("pre").inner_text().strip()


@pytest.mark.parametrize("width", [390, 1280])
def test_back_leads_to_where_the_reader_was(page, width):
    """Answers that were far from the window have an estimated height; those that were read keep theirs."""
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("fundamentals/normalization.html")
    for _ in range(8):  # as one reads, so that answers get their own height
        page.mouse.wheel(0, 1500)
        page.wait_for_timeout(100)
    shown = (
        """() => [...document.querySelectorAll(".answer a.claim")].map((claim) => claim.getBoundingClientRect().top)"""
    )
    for _ in range(20):  # to the next claim
        if near := [i for i, top in enumerate(page.evaluate(shown)) if 150 < top < 700]:
            break
        page.mouse.wheel(0, 300)
        page.wait_for_timeout(100)
    near = near[0]
    before = page.evaluate(shown)[near]
    page.locator(".answer a.claim").nth(near).click()
    page.wait_for_url("**/notebooks/**")
    expect(page.locator(".nb-cell :target")).to_be_in_viewport()
    page.go_back()
    expect(page.locator("article h1")).to_contain_text("ormalization")
    until(page, f"Math.abs(({shown})()[{near}] - {before}) < 20")


@pytest.mark.parametrize("phone", [False, True])
@pytest.mark.parametrize("link", ["a[href$='#bn-folding']:not(.headerlink)", "a.footnote-ref"])
def test_a_link_within_a_page_leads_to_its_place(browser, address, phone, link):
    """Though the answers on the way get their heights only now."""
    size = {"width": 360, "height": 740} if phone else {"width": 1280, "height": 900}
    context = browser.new_context(base_url=address, viewport=size, is_mobile=phone, has_touch=phone)
    page = context.new_page()
    page.goto("fundamentals/normalization.html")
    first = page.locator(f"article {link}").first
    first.scroll_into_view_if_needed()
    first.tap() if phone else first.click()
    page.wait_for_timeout(1000)  # whatever moves the page has moved it
    top = "document.getElementById(decodeURIComponent(location.hash.slice(1))).getBoundingClientRect().top"
    until(page, f"Math.abs({top} - 70) < 4")
    context.close()


def test_light_and_dark(page):
    backgrounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(url_of(BOOK[0]))
        backgrounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    light, dark = (sum(map(int, b.removeprefix("rgb(").removesuffix(")").split(","))) for b in backgrounds)
    assert light > 600 > 200 > dark


def test_the_scheme_is_there_before_the_theme_s_scripts(page):
    held = []
    page.route("**/bundle*.js", lambda route: held.append(route))
    page.emulate_media(color_scheme="dark")
    with page.expect_request("**/bundle*.js"):
        page.goto(url_of(BOOK[0]), wait_until="commit")
    until(page, "document.body?.dataset.mdColorScheme === 'slate'")
    held[0].continue_()


def test_the_scheme_follows_the_system_or_what_was_chosen(page):
    scheme = "document.body.dataset.mdColorScheme === '{}'".format
    page.goto(url_of(BOOK[0]))
    page.emulate_media(color_scheme="dark")
    until(page, scheme("slate"))
    for name, then in [("Use the light", "default"), ("Use the dark", "slate"), ("Follow the system's", "slate")]:
        page.get_by_role("button", name=f"{name} scheme").click()
        until(page, scheme(then))
    page.get_by_role("button", name="Use the light scheme").click()
    page.goto("index.html")
    until(page, scheme("default"))
    expect(page.get_by_role("button", name="Use the dark scheme")).to_be_visible()


def test_styles_and_fonts_are_read_once(page):
    """Also when instant navigation brings a page of another folder."""
    page.add_init_script(
        "window.reads = 0; document.fonts.addEventListener('loadingdone', ({ fontfaces }) => (reads += fontfaces.length))"
    )
    page.goto("questions.html")
    page.wait_for_load_state("networkidle")
    page.evaluate("for (const { sheet } of document.querySelectorAll('link[rel=stylesheet]')) sheet.kept = true")
    page.locator("article a[href*='cuda/']").first.click()
    page.wait_for_url("**/cuda/**")
    expect(page.locator("article h1")).to_be_visible()
    assert page.evaluate("[...document.styleSheets].every((sheet) => sheet.kept)")
    assert page.evaluate("[reads, document.fonts.size]") == [page.evaluate("document.fonts.size")] * 2


def test_the_index_filters_by_area_level_and_text(page):
    page.goto("questions.html")
    items = page.locator("[data-area][data-level]")
    everything = items.count()
    assert everything == sum(len(c.questions) for c in BOOK)
    page.locator("[data-question-filter] select[name='area']").select_option("cuda")
    shown = page.locator("[data-area][data-level]:visible")
    assert {shown.nth(i).get_attribute("data-area") for i in range(shown.count())} == {"cuda"}
    headings = page.locator("article h2:visible").evaluate_all("all => all.map((heading) => `#${heading.id}`)")
    contents = page.locator(".md-sidebar--secondary .md-nav__link:visible")
    assert contents.evaluate_all("all => all.map((link) => link.hash)") == headings
    page.locator("[data-question-filter] input[type='search']").fill("zzzz")
    expect(page.locator("[data-area][data-level]:visible")).to_have_count(0)
    words = page.locator("[data-question-filter] input[type='search']")
    page.locator("[data-question-filter] select[name='area']").select_option("")
    words.fill("batchsize")  # batch size in the titles
    assert shown.count() > 0
    ask = page.get_by_role("button", name="Search the answers")
    expect(ask).to_be_hidden()
    words.fill("batchnorm folding")  # in no title
    ask.click()
    expect(page.locator("[role=listbox]")).to_have_attribute("data-query", "batchnorm folding")
    expect(page.get_by_role("option").first).to_be_visible()
